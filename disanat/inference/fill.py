"""A scan without its lesions: the pseudo-healthy image put in their place, for volumetry.

Programs that measure brains take a lesion for another tissue. They are to get a scan in which the
lesion looks like healthy tissue of this scan: as bright as the tissue around it, with the scan's
own bias field, and as noisy.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

__all__ = ["fill_lesions"]

_EDGE_MM = 2.0
"""Over this distance outside the mask the fill passes into the scan."""
_REACH_MM = 25.0
_LEVEL_MM = 6.0
_LEVELS = 3
"""Groups of brightness of the pseudo-healthy image that are levelled each by itself."""
_FEW = 50
_TO_DEVIATION = 1.4826
_HIGH_PASS = 1.5
"""In voxels: noise is what a Gaussian of this width leaves."""
_SHARES = np.linspace(0.0, 0.5, 11)
"""Shares of each neighbour that correlated noise may have."""


def fill_lesions(
    scan: np.ndarray,
    phi: np.ndarray,
    mask: np.ndarray,
    brain: np.ndarray,
    spacing: tuple[float, float, float],
    seed: int = 0,
) -> np.ndarray:
    """Fill the lesions of one channel.

    Args:
        scan: as it is, (S, P, L).
        phi: its pseudo-healthy image in the same units.
        mask: bool, the lesions.
        brain: bool, the voxels of the brain.
        spacing: voxel size in mm.
        seed: of the noise.

    Returns:
        float32, same shape. Farther than 2 mm from the mask, and outside the brain, every voxel is
        the scan's own.
    """
    filled = scan.astype(np.float32).copy()
    if not mask.any():
        return filled
    box = _box(mask, spacing)
    x, healthy = filled[box], phi[box]
    lesion, inside = mask[box], brain[box]
    distance = ndimage.distance_transform_edt(~lesion, sampling=spacing)
    share = np.clip(1 - distance / _EDGE_MM, 0, 1)
    share = np.where(inside | lesion, share * share * (3 - 2 * share), 0)
    around = inside & (distance > _EDGE_MM)
    levelled = healthy + _level(x - healthy, healthy, around, spacing)
    noise = _noise(x, healthy, around, np.random.default_rng(seed))
    # What the scan keeps of its own noise at the edge is made up to the whole.
    mixed = (1 - share) * x + share * levelled + np.sqrt(1 - (1 - share) ** 2) * noise
    lowest, highest = float(x[inside].min()), float(x[inside].max())
    x[...] = np.where(share > 0, np.clip(mixed, lowest, highest), x)
    return filled


def _box(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[slice, ...]:
    [found] = ndimage.find_objects(mask.astype(np.uint8))
    margins = [round(_REACH_MM / mm) for mm in spacing]
    return tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(found, margins))


def _level(
    difference: np.ndarray,
    healthy: np.ndarray,
    around: np.ndarray,
    spacing: tuple[float, float, float],
) -> np.ndarray:
    """How much brighter the scan is than its pseudo-healthy image where it is healthy, carried into
    the lesion; for dark, middle and bright tissue each by itself."""
    if np.count_nonzero(around) < _FEW:
        return np.zeros(difference.shape)
    sigma = [_LEVEL_MM / mm for mm in spacing]
    cuts = np.quantile(healthy[around], np.linspace(0, 1, _LEVELS + 1)[1:-1])
    group = np.digitize(healthy, cuts)
    level = np.zeros(difference.shape)
    for number in range(_LEVELS):
        known = around & (group == number)
        if np.count_nonzero(known) < _FEW:
            known = around
        middle = float(np.median(difference[known]))
        spread = _TO_DEVIATION * float(np.median(np.abs(difference[known] - middle)))
        usual = np.clip(difference - middle, -3 * spread, 3 * spread)
        weight = ndimage.gaussian_filter(known.astype(float), sigma)
        smooth = ndimage.gaussian_filter(np.where(known, usual, 0), sigma)
        level[group == number] = (middle + smooth / (weight + 1e-3))[group == number]
    return level


def _noise(
    scan: np.ndarray, healthy: np.ndarray, around: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Noise as strong as the scan's own, and as much alike from voxel to voxel along each axis."""
    steep = ndimage.gaussian_gradient_magnitude(healthy.astype(float), 1.0)
    if np.count_nonzero(around) < _FEW:
        return np.zeros(scan.shape)
    flat = around & (steep <= np.median(steep[around]))
    own = _high_pass(scan)
    strength = _TO_DEVIATION * float(np.median(np.abs(own[flat] - np.median(own[flat]))))
    made = rng.normal(size=scan.shape)
    for axis in range(3):
        made = _joined(made, _share_for(_likeness(own, flat, axis)), axis)
    passed = _high_pass(made)[flat]
    usual = _TO_DEVIATION * float(np.median(np.abs(passed)))
    return made * (strength / usual if usual > 0 else 0.0)


def _high_pass(array: np.ndarray) -> np.ndarray:
    return np.asarray(array - ndimage.gaussian_filter(array.astype(float), _HIGH_PASS))


def _joined(noise: np.ndarray, share: float, axis: int) -> np.ndarray:
    return np.asarray(ndimage.correlate1d(noise, [share, 1.0, share], axis=axis))


def _likeness(values: np.ndarray, where: np.ndarray, axis: int) -> float:
    """Correlation of neighbours along an axis."""
    near, far = [slice(None)] * 3, [slice(None)] * 3
    near[axis], far[axis] = slice(None, -1), slice(1, None)
    both = where[tuple(near)] & where[tuple(far)]
    if np.count_nonzero(both) < _FEW:
        return 0.0
    limit = 4 * _TO_DEVIATION * float(np.median(np.abs(values[where])))
    clipped = np.clip(values, -limit, limit)
    one, other = clipped[tuple(near)][both], clipped[tuple(far)][both]
    power = float(np.sqrt(np.mean(one**2) * np.mean(other**2)))
    return float(np.mean(one * other)) / power if power > 0 else 0.0


def _share_for(likeness: float) -> float:
    """The share of neighbours that gives noise such a likeness once it is high-passed."""
    return float(np.interp(likeness, _likenesses(), _SHARES))


@cache
def _likenesses() -> tuple[float, ...]:
    """What each of `_SHARES` gives along one axis."""
    white = np.random.default_rng(0).normal(size=(40, 40, 40))
    everywhere = np.ones(white.shape, bool)
    return tuple(
        _likeness(_high_pass(_joined(white, share, 0)), everywhere, 0) for share in _SHARES
    )
