"""Which volumes a brain can have; every brain mask is held against them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["PLAUSIBLE_ML", "brain_ml", "is_plausible"]

PLAUSIBLE_ML = (400.0, 2300.0)
"""From a newborn's to more than the largest adult's, the fluid around the brain included."""


def brain_ml(mask: np.ndarray, spacing: Sequence[float]) -> float:
    """Volume of a mask in mL; `spacing` in mm, for the mask's axes."""
    return float(np.count_nonzero(mask)) * float(np.prod(spacing)) / 1000


def is_plausible(volume_ml: float) -> bool:
    """Whether a brain can have this volume."""
    low, high = PLAUSIBLE_ML
    return low <= volume_ml <= high
