"""Thick slices made fine again with the help of a finer scan of another contrast."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from disanat.synthesis.acquisition import through_slices

__all__ = ["between_slices", "restore_slices"]

_WINDOW = (3, 7, 7)
"""Thick slices, and voxels in their plane, from which one line is fitted."""
_RIDGE = 1e-2
"""In units of the guide's variance over the whole image: flat places get no slope from noise."""
_ROUNDS = 8


def between_slices(weights: np.ndarray) -> np.ndarray:
    """Linear interpolation from the centres of thick slices to those of fine ones.

    Args:
        weights: of the thick slices, from `profiles`.

    Returns:
        float32 (slices, thick slices), rows that sum to 1; constant beyond the outer centres.
    """
    thick, fine = weights.shape
    centres = weights @ np.arange(fine)
    rows = np.stack([np.interp(np.arange(fine), centres, row) for row in np.eye(thick)], axis=1)
    return np.asarray(rows, np.float32)


def restore_slices(thick: np.ndarray, guide: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fine slices that agree with the thick ones and take their detail from a guide.

    Where both are known, in the thick slices, the one contrast is a linear function of the other in
    each small window; the same functions, interpolated, are applied to the fine guide. What is then
    still missing in the thick slices is put back until it is gone. A lesion that the guide does not
    show stays as it was in the thick slices. What the guide alone shows can leak in, though the
    thick slices keep their means.

    Args:
        thick: (A, P, L).
        guide: (S, P, L), of any contrast, lying where the fine slices shall lie.
        weights: (A, S), the slice profiles, from `profiles`.

    Returns:
        float32 (S, P, L).

    Source: He, Sun and Tang, IEEE TPAMI 35, 2013 (guided filter); Irani and Peleg, CVGIP 53, 1991
    (back-projection).
    """
    if weights.shape[0] == weights.shape[1]:
        return np.asarray(thick, np.float32)
    up = between_slices(weights)
    guide = (guide - guide.mean()) / max(float(guide.std()), 1e-6)
    seen = through_slices(weights, guide)
    slope, offset = _lines(seen, thick.astype(np.float32))
    fine = through_slices(up, slope) * guide + through_slices(up, offset)
    for _ in range(_ROUNDS):
        fine += through_slices(up, thick - through_slices(weights, fine))
    return np.asarray(fine, np.float32)


def _lines(guide: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset of the least-squares line in the window around each voxel, smoothed."""

    def mean(array: np.ndarray) -> np.ndarray:
        return uniform_filter(array, _WINDOW, mode="nearest")

    middle, level = mean(guide), mean(image)
    spread = mean(guide * guide) - middle**2
    slope = (mean(guide * image) - middle * level) / (spread + _RIDGE)
    return mean(slope), mean(level - slope * middle)
