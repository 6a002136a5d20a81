"""Intensities on a common scale, whatever scanner and contrast they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["OUTSIDE", "IntensityScale", "head_mask", "intensity_scale", "planned_scale"]

OUTSIDE = -4.0
"""Standardised value of everything outside the brain (or the head)."""
_HIGHEST = 6.0


@dataclass(frozen=True)
class IntensityScale:
    """`standardised = (intensity - mean) / std`, clipped to [-4, 6]."""

    mean: float
    std: float

    def standardise(self, array: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """float32 of the same shape; `OUTSIDE` wherever `mask` is False."""
        scaled = np.clip((array - self.mean) / self.std, OUTSIDE, _HIGHEST).astype(np.float32)
        return scaled if mask is None else np.where(mask, scaled, np.float32(OUTSIDE))

    def restore(self, standardised: np.ndarray) -> np.ndarray:
        """Back to the scan's own intensity units (float32)."""
        return (standardised * self.std + self.mean).astype(np.float32)


def intensity_scale(values: np.ndarray) -> IntensityScale:
    """Mean and standard deviation of the values between their 1st and 99th percentile."""
    low, high = np.percentile(values, (1, 99))
    inner = values[(values >= low) & (values <= high)]
    std = float(inner.std())
    return IntensityScale(float(inner.mean()), std if std > 0 else 1.0)


def planned_scale(values: np.ndarray, fixed: tuple[float, float] | None) -> IntensityScale:
    """The scale that a plan fixes for all scans, or that of these values where it fixes none."""
    return intensity_scale(values) if fixed is None else IntensityScale(*fixed)


def head_mask(array: np.ndarray) -> np.ndarray:
    """Voxels that are not air: above a fifth of the mean of the brighter half. Same shape."""
    bright = array[array > np.median(array)]
    low = float(np.percentile(array, 1))
    return np.asarray(array - low > 0.2 * (float(bright.mean()) - low))
