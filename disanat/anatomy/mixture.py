"""A Gaussian mixture with spatial priors and a smooth bias field, fitted by EM.

As in Ashburner and Friston, *Unified segmentation*, NeuroImage 26 (2005), without its
registration: one Gaussian per tissue, mixing weights that vary over space, a multiplicative bias
field, and a uniform outlier class so that lesions do not pull the tissues' means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["Mixture", "fit_mixture", "posterior"]

_OUTLIER_WEIGHT = 0.02
_BIAS_LIMITS = (0.5, 2.0)


@dataclass(frozen=True)
class Mixture:
    """Mean and standard deviation of each class, and the bias field on the fitted grid.

    Intensities divided by `bias` are what the Gaussians describe. `spread` is the range of
    intensities, over which outliers are uniform.
    """

    means: np.ndarray
    sigmas: np.ndarray
    bias: np.ndarray
    spread: float


def posterior(values: np.ndarray, priors: np.ndarray, mixture: Mixture) -> np.ndarray:
    """Probability of each class, outliers left out of the sum but not of the fit.

    Args:
        values: intensities without bias, shape (n,).
        priors: spatial probabilities, shape (classes, n).

    Returns:
        (classes, n), summing to at most 1: what is missing is the outlier's share.
    """
    z = (values - mixture.means[:, None]) / mixture.sigmas[:, None]
    density = np.exp(-0.5 * z * z) / (mixture.sigmas[:, None] * np.sqrt(2 * np.pi))
    joint = priors * density
    total = joint.sum(axis=0) + _OUTLIER_WEIGHT / mixture.spread
    return joint / total


def fit_mixture(
    array: np.ndarray,
    priors: np.ndarray,
    mask: np.ndarray,
    spacing: Sequence[float],
    bias_mm: float = 14.0,
    rounds: int = 4,
    steps: int = 6,
) -> Mixture:
    """Fit means, deviations and bias, starting from the spatial priors alone.

    Args:
        array: intensities, axes S, P, L.
        priors: (classes, S, P, L), summing to 1 in the mask.
        mask: boolean, the brain.
        spacing: voxel size in mm.
        bias_mm: standard deviation of the Gaussian that smooths the bias field.
        rounds: how often the bias field is estimated anew.
        steps: EM steps in each round.
    """
    values = array[mask].astype(np.float64)
    weights = priors[:, mask]
    low, high = np.percentile(values, (0.5, 99.5))
    mixture = Mixture(np.zeros(0), np.zeros(0), np.ones(array.shape, np.float32), float(high - low))
    inner = np.clip(values, low, high)
    share = weights
    for _ in range(rounds):
        flat = inner / mixture.bias[mask]
        for _ in range(steps):
            mixture = _moments(flat, share, mixture)
            share = posterior(flat, weights, mixture)
        bias = _bias(inner, share, mixture, mask, np.asarray(spacing), bias_mm)
        mixture = Mixture(mixture.means, mixture.sigmas, bias, mixture.spread)
    return mixture


def _moments(values: np.ndarray, share: np.ndarray, mixture: Mixture) -> Mixture:
    total = share.sum(axis=1) + 1e-6
    means = (share @ values) / total
    variance = (share * (values - means[:, None]) ** 2).sum(axis=1) / total
    floor = 0.015 * mixture.spread
    return Mixture(means, np.sqrt(variance) + floor, mixture.bias, mixture.spread)


def _bias(
    values: np.ndarray,
    share: np.ndarray,
    mixture: Mixture,
    mask: np.ndarray,
    spacing: np.ndarray,
    bias_mm: float,
) -> np.ndarray:
    """Smooth b minimising the precision-weighted sum of (x - b m)^2, class by class."""
    precision = share / mixture.sigmas[:, None] ** 2
    upper, lower = np.zeros(mask.shape), np.zeros(mask.shape)
    upper[mask] = (precision * mixture.means[:, None]).sum(axis=0) * values
    lower[mask] = (precision * mixture.means[:, None] ** 2).sum(axis=0)
    sigma = bias_mm / spacing
    smooth_lower = gaussian_filter(lower, sigma, truncate=2.5)
    ridge = 0.02 * float(np.mean(smooth_lower[mask])) + 1e-12
    field = (gaussian_filter(upper, sigma, truncate=2.5) + ridge) / (smooth_lower + ridge)
    field = np.clip(field, *_BIAS_LIMITS)
    return (field / np.median(field[mask])).astype(np.float32)
