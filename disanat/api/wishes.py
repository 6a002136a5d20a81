"""What several of the functions ask of their arguments."""

from __future__ import annotations

from collections.abc import Sequence

from disanat.errors import PlanError

__all__ = ["check_amounts", "each_fold"]


def each_fold(given: str | int | Sequence[str | int]) -> list[str]:
    """Each fold once, as text, sorted."""
    several = [given] if isinstance(given, (str, int)) else given
    return sorted({str(fold) for fold in several})


def check_amounts(epochs: int | None, minutes: float | None, processes: int) -> None:
    """A training of some length, by processes that there can be.

    Raises:
        PlanError: it is none.
    """
    if epochs is not None and epochs < 1:
        raise PlanError(f"--epochs {epochs} trains nothing: give 1 or more.")
    if minutes is not None and not minutes > 0:
        raise PlanError(f"--minutes {minutes:g} trains nothing: give more than 0.")
    if epochs is not None and minutes is not None:
        raise PlanError("Both epochs and minutes are given: leave one of them out.")
    if processes < 0:
        raise PlanError(f"-np {processes} is no number of processes: give 0 or more.")
