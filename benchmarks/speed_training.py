"""Steps of a training, the loop's own against bare ones; run by `speed_child.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from disanat.methods.dal.method import DisentangledAnatomy
from disanat.networks.precision import native_format
from disanat.plans import Configuration, NumberFormat, Plans, load_json
from disanat.training.loaders import to_tensors
from disanat.training.settings import TrainingSettings
from disanat.training.splits import split_stored
from disanat.training.stream import BatchStream, Source
from disanat.training.trainer import Trainer

__all__ = ["measure"]

Batches = Callable[[], dict[str, Tensor]]
_CEILING = 2048
"""Edge of the square matrices whose product says what the machine can do."""


@dataclass(frozen=True)
class _Option:
    """A way to calculate the same step."""

    number_format: NumberFormat = "float32"
    channels_last: bool = False
    compiled: str = ""
    """Mode of torch.compile; `reduce-overhead` records CUDA graphs."""


OPTIONS = {
    "float32": _Option(),
    "bfloat16": _Option("bfloat16"),
    "bfloat16, channels-last": _Option("bfloat16", True),
    "bfloat16, torch.compile": _Option("bfloat16", False, "default"),
    "bfloat16, CUDA graphs": _Option("bfloat16", False, "reduce-overhead"),
    "channels-last": _Option("float32", True),
}


def measure(home: str, dataset: str, device: str, steps: int, blocks: int) -> dict[str, Any]:
    """Throughput of loop and bare steps in turn, and of each option that the device has."""
    folder = Path(home) / "preprocessed" / dataset
    plans = load_json(folder / "plans.json", Plans)
    made = plans.configuration()
    split = split_stored(folder / made.name, "0")
    source = Source(folder / made.name, split.train, plans, made, 0)
    loop, waits = _loop_and_bare(plans, made, source, device, steps, blocks)
    return {
        "device": device,
        "ratio": [b / a for a, b in loop],
        "loop_s": [a / steps for a, _ in loop],
        "wait": waits,
        "options": _options(plans, made, source, device, steps),
        "ceiling": {f: _ceiling(device, f) for f in _formats(device)},
    }


def _loop_and_bare(
    plans: Plans, made: Configuration, source: Source, device: str, steps: int, blocks: int
) -> tuple[list[tuple[float, float]], float]:
    """Seconds of each block, the loop's and the bare one's, and the share of waiting for data."""
    trainer = Trainer(DisentangledAnatomy(plans, made), made, TrainingSettings(device))
    bare = _Bare(DisentangledAnatomy(plans, made), made, device)
    times, waited = [], 0.0
    workers = 0 if device == "cpu" else 8
    with BatchStream(source, workers) as stream, BatchStream(source, 0) as rendered:
        kept = to_tensors(next(rendered), bare.device)
        # On a CPU rendering shares the cores, so that it counts into the bare steps too.
        fresh: Batches = (
            (lambda: to_tensors(next(rendered), bare.device)) if device == "cpu" else (lambda: kept)
        )
        trainer.step(to_tensors(next(stream), trainer.device))
        bare.step(kept)
        for _ in range(blocks):
            began = _now(device)
            for _ in range(steps):
                asked = time.monotonic()
                batch = to_tensors(next(stream), trainer.device)
                waited += time.monotonic() - asked
                trainer.step(batch)
            middle = _now(device)
            for _ in range(steps):
                bare.step(fresh())
            times.append((middle - began, _now(device) - middle))
    return times, waited / sum(a for a, _ in times)


class _Bare:
    """Forward, backward and step, and nothing else."""

    def __init__(self, method: DisentangledAnatomy, made: Configuration, device: str) -> None:
        self.method, self.device = method, torch.device(device)
        networks = method.networks().to(self.device)
        self.optimiser = torch.optim.AdamW(networks.parameters(), made.learning_rate)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        return torch.stack(list(self.method.losses(batch).values())).sum()

    def step(self, batch: dict[str, Tensor]) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(batch).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()


def _formats(device: str) -> tuple[NumberFormat, ...]:
    return ("float32", "bfloat16") if native_format(device) == "bfloat16" else ("float32",)


def _options(
    plans: Plans, made: Configuration, source: Source, device: str, steps: int
) -> dict[str, dict[str, float]]:
    """Seconds and FLOP of a bare step on one batch in memory."""
    found = {}
    batch = to_tensors(source.renderer().batch(0), torch.device(device))
    for name, option in OPTIONS.items():
        if option.number_format not in _formats(device) or (option.compiled and device == "cpu"):
            continue
        torch.manual_seed(0)
        method = DisentangledAnatomy(replace(plans, number_format=option.number_format), made)
        bare = _Bare(method, made, device)
        for network in method.networks().values():
            if option.channels_last:
                kind = torch.channels_last if made.dimension == 2 else torch.channels_last_3d
                network.to(memory_format=kind)
            if option.compiled:
                network.compile(mode=option.compiled)
        with FlopCounterMode(display=False) as counter:
            bare.loss(batch).backward()  # type: ignore[no-untyped-call]
        step = partial(bare.step, batch)
        for _ in range(3):
            step()
        seconds = min(_timed(step, device) for _ in range(steps))
        found[name] = {"seconds": seconds, "flop": float(counter.get_total_flops())}
    return found


def _ceiling(device: str, number_format: NumberFormat) -> float:
    """FLOP a second of a matrix product."""
    kind = torch.bfloat16 if number_format == "bfloat16" else torch.float32
    a, b = (torch.randn(_CEILING, _CEILING, dtype=kind, device=device) for _ in range(2))
    _timed(lambda: a @ b, device)
    return 2 * _CEILING**3 / min(_timed(lambda: a @ b, device) for _ in range(5))


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.monotonic()


def _timed(function: Callable[[], Any], device: str) -> float:
    began = _now(device)
    function()
    return _now(device) - began
