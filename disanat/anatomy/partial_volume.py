"""Setting partial volume apart: what a scan shows inside the broad bands of its label map.

A label map gives a whole gyrus and the sulcus beside it to the cortex. The scan itself tells them
apart: inside each class, voxels that look more like the neighbouring tissue are moved to the
partial-volume class of the two. Only healthy training scans are treated so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disanat.separable import gaussian_smooth
from disanat.tissues import TissueClass

__all__ = ["free_from_bias", "set_partial_volume_apart"]

_ROUNDS = 3
_BIAS_MM = 20.0
_CLIP = 0.6
_FEWEST = 50
_APART = 1.5
"""How many robust deviations two tissues must lie apart for a scan to tell them from each other."""
_NEAR_MM = 4.0


def free_from_bias(
    image: np.ndarray, labels: np.ndarray, spacing: Sequence[float]
) -> np.ndarray:
    """A scan without its smooth field, judged by the medians of its labelled tissues.

    Args:
        image: standardised scan, (S, P, L).
        labels: class numbers, 0 outside the brain, same shape.
        spacing: voxel size in mm.

    Returns:
        float32 array (S, P, L).
    """
    inside = labels > 0
    sigma = [_BIAS_MM / s for s in spacing]
    weight: np.ndarray = gaussian_smooth(inside, sigma, truncate=2.5) + 0.02
    field = np.zeros(image.shape, np.float32)
    numbers = np.unique(labels[inside])
    for _ in range(_ROUNDS):
        levels = np.zeros(int(labels.max()) + 1, np.float32)
        for k in numbers:
            levels[k] = np.median((image - field)[labels == k])
        rest = np.where(inside, np.clip(image - levels[labels], -_CLIP, _CLIP), 0)
        field = gaussian_smooth(rest, sigma, truncate=2.5) / weight
    return np.asarray(image - field, np.float32)


def set_partial_volume_apart(
    labels: np.ndarray,
    images: Sequence[np.ndarray],
    spacing: Sequence[float],
    scheme: Sequence[TissueClass],
) -> np.ndarray:
    """Move voxels to partial-volume classes where a scan shows more of the other tissue.

    A voxel of a class goes to its partial-volume class if its intensity lies nearer to the other
    tissue's median than to its own class'. Grey and white matter are told apart only within 4 mm of
    each other, so that a dark spot deep in the white matter stays what the label map says. Of
    several channels the one that sets the two tissues farthest apart decides; where none does
    (less than 1.5 robust deviations), nothing is moved.

    Args:
        labels: class numbers of the label map, 0 outside the brain, (S, P, L).
        images: standardised channels of the case on the same voxels.
        spacing: voxel size in mm.
        scheme: the classes, partial-volume classes among them.

    Returns:
        uint8 array (S, P, L).
    """
    number = {c.name: i for i, c in enumerate(scheme, start=1)}
    flat = [free_from_bias(image, labels, spacing) for image in images]
    moved = labels.astype(np.uint8).copy()
    for tissue in scheme:
        if not tissue.part_of:
            continue
        own, other = labels == number[tissue.part_of], labels == number[tissue.mixed_with]
        if min(own.sum(), other.sum()) < _FEWEST:
            continue
        share = _share_of_other(flat, own, other)
        if share is None:
            continue
        candidates = own & (share > 0.5)
        if tissue.mixed_with != "outer_csf":
            candidates = _near(other, candidates, spacing)
        moved[candidates] = number[tissue.name]
    return moved


def _share_of_other(
    images: Sequence[np.ndarray], own: np.ndarray, other: np.ndarray
) -> np.ndarray | None:
    """How far each voxel is on the way from its own tissue to the other (0 to 1 and beyond)."""
    best, share = _APART, None
    for image in images:
        middle, far = float(np.median(image[own])), float(np.median(image[other]))
        spread = 1.4826 * float(np.median(np.abs(image[own] - middle)))
        apart = abs(far - middle) / max(spread, 1e-3)
        if apart > best:
            best, share = apart, (image - middle) / (far - middle)
    return share


def _near(region: np.ndarray, candidates: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """The candidates that have a voxel of the region within 4 mm.

    Most have one beside them, so looking from the nearest place on beats a map of all distances.
    """
    reach = [int(_NEAR_MM / s + 1e-6) for s in spacing]
    padded = np.pad(region, [(r, r) for r in reach])
    steps = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), -1)
    away = np.linalg.norm(steps * np.asarray(spacing), axis=-1)
    nearest_first = np.argsort(away, axis=None)[: np.count_nonzero(away <= _NEAR_MM + 1e-6)]
    strides = (padded.shape[1] * padded.shape[2], padded.shape[2], 1)
    offsets = (steps @ np.asarray(strides)).ravel()[nearest_first]

    inner = tuple(slice(r, n - r) for r, n in zip(reach, padded.shape, strict=True))
    near = np.zeros(padded.shape, bool)
    near[inner] = candidates
    left, flat = np.flatnonzero(near), padded.ravel()
    for offset in offsets:
        left = left[~flat[left + offset]]
    near.ravel()[left] = False
    return near[inner]
