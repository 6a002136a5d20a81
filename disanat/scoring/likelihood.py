"""How much likelier a voxel's intensity is in a lesion than in the tissue that belongs there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from disanat.scoring.intensity import Imaging, main_class
from disanat.separable import gaussian_smooth
from disanat.tissues import Kind, TissueClass

__all__ = ["lesion_log_ratio", "place_log_prior", "smooth_inside"]

_RANGE = 10.0
_ANY_SHARE = 0.03
_OUTLIERS = np.float32(1e-4)
_PRIOR_MM = 4.0
_PRIOR_POWER = 1.5


def lesion_log_ratio(
    image: np.ndarray,
    restored: np.ndarray,
    imaging: Imaging,
    contrasts: Mapping[str, float],
    scheme: Sequence[TissueClass],
) -> np.ndarray:
    """`log p(x | lesion) - log sum_k q_k N(x; m_k, s_k)`, x freed from bias.

    Lesions hold more water than the tissue around them: in T1- and T2-like contrasts their
    density is flat between white matter and fluid, in FLAIR-like ones above grey and white; where
    the kind of contrast is unsure, it is a mixture of both. A small share of it covers all
    intensities, so that deviations in the other direction count too.
    What is restored as background, and a few outliers anywhere, may have any intensity.

    Args:
        image: standardised scan, (S, P, L).
        restored: restored class probabilities, (classes + 1, S, P, L).
        imaging: medians, scales and bias of the scan on the same voxels.
        contrasts: the weight of each of `t1`, `t2` and `flair` that is possible, 1 in sum.
        scheme: the tissue classes.

    Returns:
        float32 array (S, P, L).
    """
    x = image - imaging.bias
    healthy = _OUTLIERS + restored[0] / np.float32(_RANGE / 2)
    for k in range(len(scheme)):
        m, s = float(imaging.median[k]), float(imaging.scale[k])
        density = np.exp(-0.5 * ((x - m) / s) ** 2) * np.float32(1 / (s * np.sqrt(2 * np.pi)))
        healthy += restored[k + 1] * density
    flat = np.zeros(x.shape, np.float32)
    for contrast, weight in contrasts.items():
        low, high, soft = _lesion_range(imaging, contrast, scheme)
        within = _step((x - low) / soft) * _step((high - x) / soft)
        flat += weight / max(high - low, 4 * soft) * within
    lesion = (1 - _ANY_SHARE) * flat + _ANY_SHARE / _RANGE
    return np.asarray(np.log(lesion) - np.log(healthy), np.float32)


def _step(t: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(2 * t, -30, 30))))


def _lesion_range(
    imaging: Imaging, contrast: str, scheme: Sequence[TissueClass]
) -> tuple[float, float, float]:
    def middle(kind: Kind) -> tuple[float, float]:
        chosen = main_class(scheme, kind)
        return float(imaging.median[chosen]), float(imaging.scale[chosen])

    (grey, grey_s), (white, white_s) = middle("grey"), middle("white")
    darkest, brightest = imaging.fluid
    soft = 0.5 * (grey_s + white_s)
    if contrast == "t2":
        start = max(white, grey) + 1.0 * soft
        return start, max(brightest, start + 2 * soft), soft
    if contrast == "t1":
        return darkest, white - 1.5 * soft, soft
    start = max(white + 2.0 * white_s, grey + 1.5 * grey_s)
    return start, start + 5.0, soft


def place_log_prior(
    restored: np.ndarray, spacing: Sequence[float], scheme: Sequence[TissueClass]
) -> np.ndarray:
    """1.5 times the log of how much white matter, or tissue deep like it, lies around a voxel.

    Both argument and result on one grid, (classes + 1, S, P, L) and (S, P, L).
    """
    chosen = [
        k for k, c in enumerate(scheme, start=1) if c.kind == "white" or c.name == "deep_grey"
    ]
    share = restored[chosen].sum(0)
    smooth = gaussian_smooth(share, [_PRIOR_MM / s for s in spacing], truncate=3)
    return np.asarray(_PRIOR_POWER * np.log(np.clip(smooth, 0.02, 1)), np.float32)


def smooth_inside(score: np.ndarray, brain: np.ndarray, sigma_voxels: float = 1.0) -> np.ndarray:
    """Gaussian mean of the score over the brain's voxels alone, so that nothing leaks in.

    Args:
        score: shape (S, P, L).
        brain: bool, same shape.
        sigma_voxels: width in voxels.

    Returns:
        float32 array; outside the brain the brain's lowest score.
    """
    weight = gaussian_smooth(brain, sigma_voxels, truncate=3)
    inside = np.where(brain, score, 0).astype(np.float32)
    total = gaussian_smooth(inside, sigma_voxels, truncate=3)
    smooth = total / np.maximum(weight, 1e-3)
    lowest = float(smooth[brain].min()) if brain.any() else 0.0
    return np.asarray(np.where(brain, smooth, lowest), np.float32)
