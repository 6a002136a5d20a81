"""Smooth random fields: the stuff that bias, texture and lesion shapes are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

__all__ = ["smooth_field"]


def smooth_field(
    rng: np.random.Generator,
    shape: Sequence[int],
    spacing: Sequence[float],
    scale_mm: float,
) -> np.ndarray:
    """A random field with about zero mean and unit deviation, varying over `scale_mm`.

    White noise on a grid of `scale_mm`, interpolated linearly between its knots.

    Returns:
        float32 array of the given shape.
    """
    knots = [
        max(2, int(np.ceil(n * s / scale_mm)) + 2) for n, s in zip(shape, spacing, strict=True)
    ]
    field = rng.standard_normal(knots).astype(np.float32)
    for axis, (n, s) in enumerate(zip(shape, spacing, strict=True)):
        start = rng.uniform(0, 1)
        at = np.minimum(start + np.arange(n) * s / scale_mm, knots[axis] - 1.001)
        low = at.astype(int)
        part = (
            (at - low)
            .astype(np.float32)
            .reshape([-1 if a == axis else 1 for a in range(len(shape))])
        )
        lower, upper = np.take(field, low, axis), np.take(field, low + 1, axis)
        field = lower + (upper - lower) * part
    return field


def blur(array: np.ndarray, sigma_mm: float, spacing: Sequence[float]) -> np.ndarray:
    """Gaussian smoothing by a width in mm; axes much coarser than it are left alone."""
    sigmas = [sigma_mm / s if sigma_mm / s > 0.2 else 0.0 for s in spacing]
    return np.asarray(ndimage.gaussian_filter(array, sigmas, truncate=2.5))
