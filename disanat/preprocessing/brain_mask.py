"""Scans that are stripped already: recognised, and which of their voxels are brain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from acvl_utils.morphology.morphology_helper import remove_all_but_largest_component
from scipy import ndimage

from disanat.anatomy.plausible import PLAUSIBLE_ML
from disanat.preprocessing.boxes import bounding_box

__all__ = ["brain_box", "close_mask", "stripped_background", "stripped_brain_mask"]

_CERTAINLY_STRIPPED = 0.5
_PERHAPS_STRIPPED = 0.25
_LARGEST_CERTAIN_ML, _LARGEST_PERHAPS_ML = PLAUSIBLE_ML[1], 2000.0


def close_mask(
    mask: np.ndarray, spacing: tuple[float, float, float], radius_mm: float
) -> np.ndarray:
    """Morphological closing by a ball in mm, then filling of holes. Any shape of rank 3."""
    radius = [round(radius_mm / s) for s in reversed(spacing)]
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    closed = sitk.BinaryMorphologicalClosing(image, radius, sitk.sitkBall, 1)
    return np.asarray(sitk.GetArrayFromImage(sitk.BinaryFillhole(closed)) > 0)


def stripped_background(
    array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> float | None:
    """The constant value outside the brain of a skull-stripped scan; None where the skull is on.

    A stripped scan has one and the same value on most of its border and in at least half of its
    voxels (a quarter if what is left is below 2 L), and what is left is no larger than a brain
    can be (2.3 L): heads whose air was set to zero are not stripped.

    Args:
        array: shape (S, P, L).
        spacing: voxel size in mm.
    """
    border = np.ones(array.shape, bool)
    border[tuple(slice(1, -1) if n > 2 else slice(None) for n in array.shape)] = False
    outermost = array[border] if border.any() else array.ravel()
    background = float(np.median(outermost))  # the value of more than half of them, if one is
    if np.mean(outermost == background) < 0.5:
        return None
    fraction = np.count_nonzero(array == background) / array.size
    if fraction < _PERHAPS_STRIPPED:
        return None
    foreground_ml = (1 - fraction) * array.size * float(np.prod(spacing)) / 1000
    certain = fraction >= _CERTAINLY_STRIPPED
    largest = _LARGEST_CERTAIN_ML if certain else _LARGEST_PERHAPS_ML
    return background if foreground_ml <= largest else None


def stripped_brain_mask(array: np.ndarray, background: float) -> np.ndarray:
    """The brain of a stripped scan: what differs from the background, holes filled.

    Differences of half a percent of the intensity range are ringing of an earlier resampling.
    """
    span = float(np.percentile(array[array != background], 99) - background)
    foreground = np.abs(array - background) > 0.005 * abs(span)
    mask = np.zeros(array.shape, bool)
    if not foreground.any():
        return mask
    box = bounding_box(foreground)
    inside = foreground[box]  # beyond it there is background alone
    opened = ndimage.binary_opening(inside)
    kept = remove_all_but_largest_component(opened if opened.any() else inside)
    grown = ndimage.binary_dilation(kept) & inside
    mask[box] = ndimage.binary_fill_holes(grown)
    return mask


def brain_box(
    brain: np.ndarray, spacing: Sequence[float], margin_mm: float
) -> tuple[slice, ...]:
    """The bounding box of a brain with a margin on every side, inside the array.

    Args:
        brain: bool, (S, P, L), with at least one voxel.
        spacing: voxel size in mm.
        margin_mm: how much to add on each side.
    """
    return tuple(
        slice(max(0, box.start - round(margin_mm / s)), min(n, box.stop + round(margin_mm / s)))
        for box, s, n in zip(bounding_box(brain), spacing, brain.shape, strict=True)
    )
