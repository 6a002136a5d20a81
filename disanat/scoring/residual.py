"""How far a scan is from its painted healthy self, where that can be painted well."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["residual_score"]

_FLOOR = 0.6


def residual_score(image: np.ndarray, phi: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """`|image - phi| / (0.6 + |grad phi|)`: differences count less where the picture is steep.

    At the border of two tissues, a shift by a part of a voxel is a large difference. The gradient
    is that of a Gaussian of one voxel, per voxel.

    Args:
        image: standardised scan, (S, P, L).
        phi: its pseudo-healthy image, standardised alike, same shape.
        brain: bool, same shape; what is outside takes no part.

    Returns:
        float32 array (S, P, L), 0 outside the brain.
    """
    if not brain.any():
        return np.zeros(image.shape, np.float32)
    filled = np.where(brain, phi, phi[brain].mean())
    steep = ndimage.gaussian_gradient_magnitude(filled, 1.0)
    return np.where(brain, np.abs(image - phi) / (_FLOOR + steep), 0).astype(np.float32)
