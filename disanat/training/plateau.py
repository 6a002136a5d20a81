"""When a training has nothing more to gain: its error on held-out scans stays where it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["FEWEST_EPOCHS", "LEAST_GAIN", "reached_plateau"]

FEWEST_EPOCHS = 10
"""No training is stopped before."""
LEAST_GAIN = 0.005
"""An epoch counts as better if its error is lower by more than this part of the best before."""
_FEWEST_WITHOUT_GAIN = 5
_PART_WITHOUT_GAIN = 5


def reached_plateau(errors: Sequence[float]) -> bool:
    """Whether the last fifth of the epochs, at least five, brought no gain worth having.

    Args:
        errors: of each epoch so far, on held-out healthy cases; lower is better. What is not finite
            counts as the worst there is, so a method without an error is never stopped.
    """
    known = [error if math.isfinite(error) else math.inf for error in errors]
    if len(known) < FEWEST_EPOCHS:
        return False
    last = max(_FEWEST_WITHOUT_GAIN, math.ceil(len(known) / _PART_WITHOUT_GAIN))
    before, since = min(known[:-last]), min(known[-last:])
    return math.isfinite(before) and since >= before * (1 - LEAST_GAIN)
