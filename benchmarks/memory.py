"""What the planner's estimate of memory is worth: beside what torch really keeps, for many plans.

    python benchmarks/memory.py

writes `benchmarks/memory.md`. Kept bytes are counted on real tensors where the plan is small, else
on tensors without data; the two count alike. On a GPU, the peak of its allocator during two real
steps stands beside the estimate; on a CPU, for small plans, the peak of a process of its own.
"""

from __future__ import annotations

import datetime
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from disanat.methods.dal.method import DisentangledAnatomy
from disanat.plans import CaseFingerprint, Configuration, Fingerprint, NumberFormat, Plans
from disanat.reporting.markdown import markdown_table
from disanat.tissues import NUMBERINGS
from disanat.training.footprint import random_batch, saved_bytes
from planning.memory import GB, kept_bytes, runtime_gb
from planning.planner import plan
from steps import ROOT, commit, machine

TARGET = "benchmarks/memory.md"
BRAIN_MM = (140, 184, 144)
REAL_UP_TO_GB, PROCESS_UP_TO_GB = 3.0, 2.6
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Wanted:
    """One plan to look at."""

    device: Device
    memory_gb: float
    dimension: int
    mm: float
    number_format: NumberFormat = "float32"


WANTED = (
    Wanted("cpu", 2, 2, 2.0),
    Wanted("cpu", 16, 2, 1.0),
    Wanted("cuda", 2, 2, 2.0),
    Wanted("cuda", 8, 2, 1.0),
    Wanted("cuda", 24, 2, 1.0),
    Wanted("cpu", 4, 3, 4.0),
    Wanted("cuda", 2, 3, 2.0),
    Wanted("cuda", 8, 3, 1.0),
    Wanted("cuda", 16, 3, 1.0),
    Wanted("cuda", 40, 3, 1.0),
    Wanted("cpu", 2, 2, 2.0, "bfloat16"),
    Wanted("cuda", 2, 2, 2.0, "bfloat16"),
    Wanted("cuda", 2, 3, 2.0, "bfloat16"),
)


def plan_for(wanted: Wanted) -> Plans:
    """A plan for 80 brains of an adult's size, with label maps."""
    s, p, l_ = (round(edge / wanted.mm) for edge in BRAIN_MM)
    shape, spacing = (s, p, l_), (wanted.mm,) * 3
    case = CaseFingerprint(
        case="c",
        channels=(0,),
        spacing=spacing,
        shape=shape,
        shape_after_crop=shape,
        orientation="LPS",
        skull_stripped=False,
        background=(0.0,),
        brain_volume_ml=1400.0,
        intensity_percentiles=((0.0,) * 5,),
        prior_labels=(1,),
        noise=(0.0,),
        bias=(0.0,),
        resolution=(spacing,),
        slice_thickness=wanted.mm,
        content="",
        brain_from="labels",
    )
    found = Fingerprint("Dataset001_Sizes", ("T1",), (case,) * 80, spacing, shape, False, True)
    names = ("2d",) if wanted.dimension == 2 else ("3d_fullres",)
    return plan(
        found,
        NUMBERINGS["dlmuse"],
        device=wanted.device,
        memory_gb=wanted.memory_gb,
        number_format=wanted.number_format,
        configurations=names,
    )


def kept_gb(plans: Plans, made: Configuration) -> tuple[float, str]:
    """What autograd keeps for one step, and how it was counted."""
    bfloat16 = plans.number_format == "bfloat16"  # which tensors without data do not know
    planned = kept_bytes(made, len(plans.classes), plans.number_format)
    real = bfloat16 or planned / GB <= REAL_UP_TO_GB
    device = "cpu" if real else "meta"
    with torch.device(device):
        method = DisentangledAnatomy(plans, made)
    kept = saved_bytes(method, random_batch(method, made, device)) / GB
    return kept, "real tensors" if real else "sizes only"


def two_steps(plans: Plans, made: Configuration, device: str) -> None:
    """Two training steps with everything that a training keeps: AdamW and averaged weights."""
    method = DisentangledAnatomy(plans, made)
    networks = method.networks().to(device)
    average = torch.optim.swa_utils.AveragedModel(networks, use_buffers=True)
    optimiser = torch.optim.AdamW(networks.parameters())
    for seed in range(2):
        losses = method.losses(random_batch(method, made, device, seed))
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
        average.update_parameters(networks)


def gpu_peak_gb(plans: Plans, made: Configuration) -> float:
    """Peak of the allocator."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    two_steps(plans, made, "cuda")
    return torch.cuda.max_memory_allocated() / GB


def process_peak_gb(wanted: Wanted) -> float:
    """Peak of the resident memory of a process that does two steps and nothing else."""
    words = [sys.executable, __file__, "--child", json.dumps(wanted.__dict__)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def rows() -> Iterator[dict[str, str]]:
    """A row for each plan."""
    for wanted in WANTED:
        plans = plan_for(wanted)
        made = plans.configuration()
        estimate = kept_bytes(made, len(plans.classes), plans.number_format) / GB
        kept, how = kept_gb(plans, made)
        yield {
            "for": f"{wanted.device}, {wanted.memory_gb:g} GB",
            "format": wanted.number_format,
            "mm": f"{wanted.mm:g}",
            "configuration": made.name,
            "patch": "x".join(map(str, made.patch_size)),
            "features": str(made.encoder.features[0]),
            "batch": str(made.batch_size),
            "kept, planned": f"{estimate:.3f}",
            "kept, counted": f"{kept:.3f}",
            "off by": f"{estimate / kept - 1:+.1%}",
            "counted on": how,
            "whole estimate": f"{made.estimated_memory_gb:.2f}",
            "peak": _peak(wanted, plans, made),
        }
        print(".", end="", flush=True)


def _peak(wanted: Wanted, plans: Plans, made: Configuration) -> str:
    if wanted.device == "cuda":
        return _gpu(plans, made) if torch.cuda.is_available() else "no GPU"
    if made.estimated_memory_gb > PROCESS_UP_TO_GB:
        return "not run"
    return f"{process_peak_gb(wanted):.2f} (process)"


def _gpu(plans: Plans, made: Configuration) -> str:
    free = torch.cuda.mem_get_info()[0] / GB
    if made.estimated_memory_gb > free:
        return "not run"
    peak = gpu_peak_gb(plans, made)
    inside = made.estimated_memory_gb - runtime_gb("cuda")
    return f"{peak:.2f} (allocator; {inside / peak - 1:+.0%})"


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        wanted = Wanted(**json.loads(sys.argv[2]))
        plans = plan_for(wanted)
        two_steps(plans, plans.configuration(), "cpu")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return
    table = markdown_table(list(rows()))
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    text = (
        "# Memory: planned and counted\n\n"
        "Written by `python benchmarks/memory.py`; not edited by hand. GB of 2^30 bytes. Kept:\n"
        "what autograd keeps for the backward pass of one step, weights left out. Whole estimate:\n"
        "with weights, optimiser, workspace, and the fixed allowance for torch itself.\n\n"
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit((TARGET,))}\n"
        f"- machine: {machine()}; GPU: {gpu}; torch {torch.__version__}\n\n{table}\n"
    )
    Path(ROOT / TARGET).write_text(text, encoding="utf-8")
    print(f"\n{table}")


if __name__ == "__main__":
    main()
