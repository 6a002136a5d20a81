"""Measures of one scan's quality: noise, bias field, and how fine it really is."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from disanat.plans import Triple
from disanat.preprocessing.boxes import bounding_box

__all__ = ["MEASURES_VERSION", "bias_level", "effective_resolution", "noise_level"]

# Part of every case's content hash: raise it when anything measured of a case changes its meaning.
MEASURES_VERSION = 3

_SD_OF_MAD = 0.6745  # median absolute deviation of a normal distribution with SD 1
_HALF_LAG = 0.6  # where the autocorrelation of band-limited noise is 1/2, in units of its samples
_LONGEST_LAG = 24
_BIAS_GRID_MM = 2.0
_PAIR_MM = (8.0, 16.0)
_MOST_PAIRS, _FEWEST_PAIRS = 60_000, 100


def noise_level(image: np.ndarray, brain: np.ndarray) -> float:
    """Standard deviation of the noise, in units of that of the intensities inside the brain.

    The median absolute value of the finest diagonal Haar wavelet coefficients over 0.6745 (Donoho
    1995, "De-noising by soft-thresholding"), in the eroded brain and only where the gradient of
    the smoothed scan is below its median, which keeps most anatomy out (Coupe et al. 2010, "Robust
    Rician noise estimation for MR images"). It is noise between neighbouring voxels: smoothing and
    interpolation hide what the scanner had.

    Args:
        image: shape (S, P, L).
        brain: mask of that shape; without a voxel, or of one constant value, the noise is 0.
    """
    array, inside = _cropped(image, brain)
    spread = float(array[inside].std()) if inside.any() else 0.0
    if spread == 0 or min(array.shape) < 3:
        return 0.0
    core = _eroded(inside, 3)[:-1, :-1, :-1]  # the three steps to a block's other corner
    detail = array
    for axis in range(3):
        detail = np.diff(detail, axis=axis)
    smooth = ndimage.uniform_filter(array, 2, origin=-1)[:-1, :-1, :-1]
    slope = sum(np.square(np.gradient(smooth, axis=axis)) for axis in range(3))
    if not core.any():
        return 0.0
    even = core & (slope <= np.median(slope[core]))
    return float(np.median(np.abs(detail[even])) / np.sqrt(8) / _SD_OF_MAD / spread)


def effective_resolution(image: np.ndarray, brain: np.ndarray, spacing: Triple) -> Triple:
    """How far apart independent samples lie on each axis, in mm, never less than the spacing.

    A scan that was interpolated to a finer grid, or blurred, says the same in neighbouring voxels.
    For each axis the scan is reduced to a residual by second differences along the two other axes
    (Immerkaer 1996, "Fast noise variance estimation"), which leaves noise and fine texture. Along
    the axis itself that residual is white but for the scan's own smoothing, whose width shows in
    the autocorrelation (the idea of Forman et al. 1995 for functional MRI). Samples every w mm,
    interpolated by a sinc, have an autocorrelation of sinc(d / w), which is 1/2 at d = 0.603 w; so
    w = d / 0.6. By the same rule linear interpolation of samples every w gives 1.2 w, repeated
    voxels and averages over w give 0.83 w, a Gaussian of full width w gives 1.18 w.

    Args:
        image: shape (S, P, L).
        brain: mask of that shape.
        spacing: voxel size in mm.

    Returns:
        For S, P and L, in mm; the spacing where there is too little to tell.
    """
    array, inside = _cropped(image, brain)
    core = _eroded(inside, 2)
    across_p, across_l = _second_difference(array, 1), _second_difference(array, 2)
    residuals = (
        _second_difference(across_l, 1),
        _second_difference(across_l, 0),
        _second_difference(across_p, 0),
    )
    s, p, l_ = (
        step * max(1.0, _half_lag(residual, core, axis) / _HALF_LAG)
        for axis, (residual, step) in enumerate(zip(residuals, spacing, strict=True))
    )
    return s, p, l_


def bias_level(image: np.ndarray, brain: np.ndarray, spacing: Triple) -> float:
    """Strength of the smooth multiplicative field in the brain: the SD of its natural logarithm.

    On a grid of about 2 mm, pairs of even places (little gradient, away from the brain's edge) that
    lie 8 and 16 mm apart are compared. Two places of one tissue differ by the field alone, two of
    different tissues by much more. So a quadratic polynomial is fitted to the differences of log
    intensities, with weights that fall off for large residuals (Geman and McClure): the field of
    Zheng et al. 2009, "Estimation of image bias field with sparsity constraints", with pairs
    instead of gradients, since gradients at tissue borders all point outwards.

    Args:
        image: shape (S, P, L), with intensities counted from a true zero; values are taken from
            their 1st percentile on if that is negative.
        brain: mask of that shape.
        spacing: voxel size in mm.

    Returns:
        0.1 is about 10%; 0 where the brain is too small to tell.
    """
    values, inside, steps = _shrunk(*_cropped(image, brain), spacing)
    if not inside.any():
        return 0.0
    values = values - min(0.0, float(np.percentile(values[inside], 1)))
    bright = float(np.percentile(values[inside], 99))
    if bright <= 0:
        return 0.0
    logs = np.log(np.maximum(values, 0.02 * bright))
    flat = _flat_places(logs, inside & (values > 0.15 * bright), steps)
    start, end = _pairs(flat, steps)
    if start.shape[1] < _FEWEST_PAIRS:
        return 0.0
    smooth = ndimage.gaussian_filter(logs, 1.0 / steps)
    centre = np.argwhere(inside).mean(axis=0)[:, None]

    def terms(index: np.ndarray) -> np.ndarray:
        return _quadratic((index - centre) * steps[:, None] / 60)

    change = smooth[tuple(end)] - smooth[tuple(start)]
    field = terms(np.array(np.nonzero(inside))) @ _robust_fit(terms(end) - terms(start), change)
    return float(field.std())


def _cropped(image: np.ndarray, brain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inside = np.asarray(brain, bool)
    if not inside.any():
        return image.astype(np.float32), inside
    box = bounding_box(inside)
    return image[box].astype(np.float32), inside[box]


def _eroded(mask: np.ndarray, voxels: int) -> np.ndarray:
    eroded = ndimage.binary_erosion(mask, iterations=voxels)
    return eroded if eroded.any() else mask


def _second_difference(array: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(ndimage.correlate1d(array, [1.0, -2.0, 1.0], axis=axis, mode="nearest"))


def _half_lag(residual: np.ndarray, core: np.ndarray, axis: int) -> float:
    """In voxels: where the autocorrelation along the axis falls to one half."""
    if not core.any():
        return 0.0
    # Vessels and edges beyond three deviations would outweigh all the rest.
    limit = 3 * float(np.median(np.abs(residual[core]))) / _SD_OF_MAD
    clipped = np.clip(residual, -limit, limit) if limit > 0 else residual
    values = np.moveaxis(np.where(core, clipped, 0), axis, 0)
    places = np.moveaxis(core.astype(np.float32), axis, 0)
    power = float(np.einsum("ijk,ijk->", values, values, dtype=float) / places.sum(dtype=float))
    if power == 0:
        return 0.0
    last, lag = 1.0, 0
    for lag in range(1, min(_LONGEST_LAG, len(values) - 1) + 1):
        both = float(np.einsum("ijk,ijk->", places[lag:], places[:-lag], dtype=float))
        if both == 0:
            return lag - 1
        product = np.einsum("ijk,ijk->", values[lag:], values[:-lag], dtype=float)
        correlation = float(product) / both / power
        if correlation < 0.5:
            return lag - 1 + (last - 0.5) / (last - correlation)
        last = correlation
    return lag


def _shrunk(
    array: np.ndarray, inside: np.ndarray, spacing: Triple
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over blocks of about 2 mm, the blocks mostly in the brain, and their size in mm."""
    factors = [max(1, round(_BIAS_GRID_MM / step)) for step in spacing]
    factors = [min(factor, n) for factor, n in zip(factors, array.shape)]
    counts = [n // factor for n, factor in zip(array.shape, factors)]
    whole = tuple(slice(0, n * factor) for n, factor in zip(counts, factors))
    split = [size for pair in zip(counts, factors) for size in pair]

    def means(values: np.ndarray) -> np.ndarray:
        return np.asarray(values[whole].reshape(split).mean(axis=(1, 3, 5)))

    share = means(inside.astype(np.float32))
    values = means(np.where(inside, array, 0)) / np.maximum(share, 1e-6)
    return values, share > 0.75, np.multiply(spacing, factors)


def _flat_places(logs: np.ndarray, usable: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Where there is least gradient (two fifths of what lies 4 mm or more inside the edge)."""
    depth = ndimage.distance_transform_edt(np.pad(usable, 1), sampling=steps)[1:-1, 1:-1, 1:-1]
    core = depth > 4.0
    if not core.any():
        return core
    filled = np.where(usable, logs, np.median(logs[core]))
    slope = ndimage.gaussian_gradient_magnitude(filled, 2.0 / steps, truncate=3.0)
    return np.asarray(core & (slope < np.percentile(slope[core], 40)))


def _pairs(flat: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices, of shape (3, n) each, of pairs of flat places on a line along an axis."""
    starts, ends = [np.zeros((3, 0), int)], [np.zeros((3, 0), int)]
    for axis, step in enumerate(steps):
        for lag in sorted({max(1, round(distance / step)) for distance in _PAIR_MM}):
            along = np.moveaxis(flat, axis, 0)
            found = np.array(np.nonzero(along[:-lag] & along[lag:]))
            found = found[[*range(1, axis + 1), 0, *range(axis + 1, 3)]]
            starts.append(found)
            ends.append(found + lag * (np.arange(3) == axis)[:, None])
    start, end = np.concatenate(starts, axis=1), np.concatenate(ends, axis=1)
    every = max(1, -(-start.shape[1] // _MOST_PAIRS))
    return start[:, ::every], end[:, ::every]


def _quadratic(points: np.ndarray) -> np.ndarray:
    """Terms of first and second degree at points of shape (3, n); shape (n, 9)."""
    s, p, l_ = points
    return np.stack([s, p, l_, s * s, p * p, l_ * l_, s * p, s * l_, p * l_], axis=-1)


def _robust_fit(terms: np.ndarray, wanted: np.ndarray, rounds: int = 8) -> np.ndarray:
    weights = np.ones(len(wanted))
    ridge = 1e-3 * np.eye(terms.shape[1])  # an axis of one voxel leaves its terms undetermined
    for _ in range(rounds):
        weighted = terms * weights[:, None]
        coefficients = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ wanted)
        residual = wanted - terms @ coefficients
        scale = 0.5 * float(np.median(np.abs(residual))) / _SD_OF_MAD
        weights = 1 / (1 + (residual / max(scale, 1e-6)) ** 2) ** 2
    return np.asarray(coefficients)
