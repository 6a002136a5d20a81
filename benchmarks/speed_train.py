"""Training: the loop's throughput against bare steps, and what each option gains."""

from __future__ import annotations

from typing import Any

import numpy as np

from disanat.networks.precision import default_device
from disanat.reporting.markdown import markdown_table
from planning import plan, preprocess
from speed_data import DATASET, NUMBER, QUICK, dataset
from speed_runs import child

__all__ = ["measure", "page"]

STEPS, BLOCKS = (2, 2) if QUICK else (6, 5)


def measure() -> dict[str, Any]:
    home, _ = dataset()
    if not (home / "preprocessed" / DATASET / "2d").is_dir():
        plan(NUMBER, home, progress=False)
        preprocess(NUMBER, home)
    return child(
        "train",
        home=str(home),
        dataset=DATASET,
        device=default_device(),
        steps=STEPS,
        blocks=BLOCKS,
    )


def page(found: dict[str, Any]) -> list[str]:
    cuda = found["device"] == "cuda"
    ratio = np.array(found["ratio"])
    counted = "on tensors in memory" if cuda else "with rendering, which shares the cores,"
    waiting = "waiting for data" if cuda else "rendering (in the same process)"
    plain = found["options"]["float32"]["seconds"]
    rows = []
    for name, one in found["options"].items():
        number_format = "bfloat16" if "bfloat16" in name else "float32"
        reached = one["flop"] / one["seconds"]
        rows.append(
            {
                "step": name,
                "times as fast as float32": f"{plain / one['seconds']:.2f}",
                "GFLOP/s": f"{reached / 1e9:.0f}",
                "of a matrix product's": f"{reached / found['ceiling'][number_format]:.0%}",
            }
        )
    said = [
        f"The `2d` plan of the training set above on {found['device']}. The training loop (losses "
        "checked, gradients clipped, weights averaged, schedule) reaches "
        f"**{np.median(ratio):.0%}** of the throughput of bare forward, backward and optimiser "
        f"steps {counted} (median of {len(ratio)} blocks in turn, {ratio.min():.0%} to "
        f"{ratio.max():.0%}); it spends {found['wait']:.0%} of its time {waiting}.",
        "",
        markdown_table(rows),
    ]
    if not cuda:
        said += [
            "",
            "On a GPU: **not measured**, none was at hand. There the same script measures the loop "
            "against tensors in memory, and bfloat16, channels-last, torch.compile, CUDA graphs.",
        ]
    if "bfloat16" not in found["ceiling"]:
        said += ["", "bfloat16: not measured, this processor has no instructions for it."]
    return said
