"""Anatomies that were restored slice by slice, made to agree from slice to slice."""

from __future__ import annotations

import numpy as np

from disanat.separable import gaussian_smooth

__all__ = ["steadied"]

_SIGMA_VOXELS = 0.6


def steadied(anatomy: np.ndarray) -> np.ndarray:
    """Class probabilities of a volume, (classes + 1, S, P, L), smoothed by 0.6 voxels.

    Slices are restored one by one and differ more than the brain does; where a border of tissues
    may lie a voxel off, both are expected.
    """
    return gaussian_smooth(anatomy, _SIGMA_VOXELS, truncate=3)
