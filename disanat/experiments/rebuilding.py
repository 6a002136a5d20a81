"""How well a model rebuilds a healthy scan: over all, and in a middle band of spatial frequencies.

With x the standardised scan, p its pseudo-healthy image (PHI), both on the scan's own grid, and
sums and means over the voxels of the brain:

    plain error = mean |x - p|
    band error  = sum B(x - p)^2 / sum B(x)^2

B is the difference of two Gaussians, each smoothing inside the brain alone:

    B(y) = S(y, s_high) - S(y, s_low),   S(y, s) = G_s * (m y) / G_s * m,   s(f) = c / f

m is the brain mask, and c = sqrt(ln 2 / 2) / pi makes the Gaussian of s(f) mm halve a wave of f
cycles per mm. A constant has no part in B(y), up to the very edge of the brain. The band error is
0 where the PHI holds all that the scan has in the band, and 1 where it has nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
from scipy.ndimage import gaussian_filter

from disanat.methods.interface import ChannelResult, PreparedChannel
from disanat.plans import Triple

__all__ = ["HIGHEST", "LOWEST", "Errors", "band_error", "band_limits", "plain_error", "rebuilding"]

LOWEST = 0.2
"""Of the Nyquist frequency. Waves longer than ten voxels are the shape of the brain and the bias
field: a model that has learned what brains look like rebuilds them for any scan."""
HIGHEST = 0.5
"""Of the Nyquist frequency. Waves shorter than four voxels are mostly noise, which is drawn anew
in each scan, and are dampened wherever a scan is resampled."""
_HALVING = sqrt(log(2) / 2) / pi


@dataclass(frozen=True)
class Errors:
    """Of one case, the mean over its channels: both are 0 for a PHI that equals the scan."""

    plain: float
    band: float


def band_limits(spacing: Triple) -> tuple[Triple, Triple]:
    """Lowest and highest frequency of the band in cycles per mm, axes S, P, L.

    Args:
        spacing: voxel size in mm; an axis's Nyquist frequency is half a cycle in each voxel.
    """
    s, p, l = (1 / (2 * edge) for edge in spacing)
    return (LOWEST * s, LOWEST * p, LOWEST * l), (HIGHEST * s, HIGHEST * p, HIGHEST * l)


def plain_error(scan: np.ndarray, phi: np.ndarray, brain: np.ndarray) -> float:
    """Mean absolute difference inside the brain; all of one shape, `brain` bool."""
    return float(np.abs(scan[brain] - phi[brain]).mean())


def band_error(
    scan: np.ndarray, phi: np.ndarray, brain: np.ndarray, spacing: Triple, planned: Triple
) -> float:
    """What the PHI lacks in the middle band, over what the scan has there.

    Args:
        scan: standardised, (S, P, L).
        phi: the same shape and intensities.
        brain: bool, same shape.
        spacing: voxel size of the scan in mm.
        planned: voxel size of the plan in mm. Where the scan's own is coarser, it sets the band.
    """
    coarser = tuple(np.maximum(spacing, planned))
    lowest, highest = band_limits(coarser)
    sigmas = [tuple(_HALVING / np.array(f) / np.array(spacing)) for f in (highest, lowest)]
    missed, there = (
        np.square(_band(image, brain, *sigmas)[brain]).sum() for image in (scan - phi, scan)
    )
    return float(missed / max(float(there), np.finfo(np.float32).tiny))


def _band(
    image: np.ndarray, brain: np.ndarray, narrow: tuple[float, ...], wide: tuple[float, ...]
) -> np.ndarray:
    """The image between two smoothings, whose widths are in voxels."""
    inside = brain.astype(np.float64)
    known = np.where(brain, image, 0.0).astype(np.float64)

    def smooth(sigma: tuple[float, ...]) -> np.ndarray:
        weight = np.maximum(gaussian_filter(inside, sigma, mode="constant"), 1e-6)
        return np.asarray(gaussian_filter(known, sigma, mode="constant") / weight)

    return smooth(narrow) - smooth(wide)


def rebuilding(
    channels: list[PreparedChannel], results: list[ChannelResult], planned: Triple
) -> Errors:
    """The errors of one case: its channels as prepared, and what the model made of them."""
    plain, band = [], []
    for channel, result in zip(channels, results, strict=True):
        scan, phi, brain = channel.native, result.phi, channel.native_brain
        plain.append(plain_error(scan, phi, brain))
        band.append(band_error(scan, phi, brain, channel.native_spacing, planned))
    return Errors(float(np.mean(plain)), float(np.mean(band)))
