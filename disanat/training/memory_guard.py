"""When memory runs out: one sentence with the next smaller plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from disanat.errors import PlanError
from disanat.plans import Configuration, Plans

__all__ = ["memory_runs_out", "next_smaller"]


@contextmanager
def memory_runs_out(sentence: str) -> Iterator[None]:
    """Turn torch's ways of saying that memory ran out, on a GPU and on a CPU, into a sentence."""
    try:
        yield
    except torch.OutOfMemoryError as cause:
        raise PlanError(sentence) from cause
    except RuntimeError as cause:
        if "can't allocate memory" not in str(cause):
            raise
        raise PlanError(sentence) from cause


def next_smaller(plans: Plans, configuration: Configuration) -> str:
    """What to say when memory runs out: the next rung of the ladder."""
    names = [configuration.name, *(rung.name for rung in plans.ladder)]
    rest = (
        names[names.index(configuration.name, 1) + 1 :]
        if configuration.name in names[1:]
        else (names[1:] if configuration.name == plans.recommended else [])
    )
    remedy = (
        f"train the next smaller plan with disanat_train -d {plans.dataset} -c {rest[0]}"
        if rest
        else "plan again with a smaller --gpu_memory_gb"
    )
    return (
        f"Configuration {configuration.name} of {plans.dataset} does not fit the free memory: "
        f"{remedy}."
    )
