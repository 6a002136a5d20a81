"""How far a scan lies outside of what its restored anatomy lets expect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.intensity import Imaging

__all__ = ["deviation_score", "expected_spread"]

_REACH_MM = 2.0
"""How far the border of two tissues may lie from where it was restored."""
_AIR_SCALE = 0.3
_LEAST_VARIANCE = 0.01


def expected_spread(anatomy: np.ndarray, imaging: Imaging) -> np.ndarray:
    """Standard deviation of the intensity that each voxel may have, from its class probabilities.

    That of a mixture of normal distributions, `sqrt(sum_k q_k (s_k^2 + m_k^2) - (sum_k q_k m_k)^2)`
    with the medians m and scales s of the classes in this scan: small inside a tissue, large where
    the anatomy cannot say which of two tissues a voxel belongs to.

    Args:
        anatomy: class probabilities, (classes + 1, S, P, L).
        imaging: medians and scales of the scan.

    Returns:
        float32 array (S, P, L), in standard deviations of the brain.
    """
    middle = np.r_[OUTSIDE, imaging.median].astype(np.float32)
    square = np.r_[_AIR_SCALE, imaging.scale].astype(np.float32) ** 2 + middle**2
    mean = np.tensordot(middle, anatomy, 1)
    variance = np.tensordot(square, anatomy, 1) - mean**2
    return np.asarray(np.sqrt(np.maximum(variance, 0)), np.float32)


def deviation_score(
    image: np.ndarray,
    phi: np.ndarray,
    spread: np.ndarray,
    brain: np.ndarray,
    spacing: Sequence[float],
) -> np.ndarray:
    """How many standard deviations a voxel lies outside of what the PHI shows around it.

    Within about 2 mm of a voxel the PHI has a lowest and a highest intensity; between them nothing
    is odd, since borders of tissues are not restored to the millimetre.

    Args:
        image: standardised scan, (S, P, L).
        phi: its pseudo-healthy image, standardised alike.
        spread: from `expected_spread`.
        brain: bool; what is outside takes no part.
        spacing: voxel size in mm.

    Returns:
        float32 array (S, P, L), 0 outside the brain.
    """
    size = [2 * round(_REACH_MM / s) + 1 for s in spacing]
    infinite = np.float32(np.inf)
    highest = ndimage.maximum_filter(np.where(brain, phi, -infinite), size)
    lowest = ndimage.minimum_filter(np.where(brain, phi, infinite), size)
    beyond = np.maximum(np.maximum(image - highest, lowest - image), 0)
    score = beyond / np.sqrt(spread**2 + np.float32(_LEAST_VARIANCE))
    return np.where(brain, score, 0).astype(np.float32)
