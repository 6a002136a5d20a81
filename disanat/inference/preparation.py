"""From a case's files to what the networks see: the same steps at calibration and prediction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from acvl_utils.cropping_and_padding.bounding_boxes import (
    bounding_box_to_slice,
    get_bbox_from_mask,
)
from acvl_utils.morphology.morphology_helper import remove_all_but_largest_component
from scipy import ndimage

from disanat.anatomy.atlas_brain import atlas_brain_mask
from disanat.errors import ImageError
from disanat.io.images import Scan
from disanat.methods.interface import PreparedChannel
from disanat.preprocessing.brain_mask import (
    close_mask,
    grow_mask,
    stripped_background,
    stripped_brain_mask,
)
from disanat.preprocessing.normalisation import (
    OUTSIDE,
    IntensityScale,
    head_mask,
    intensity_scale,
)
from disanat.preprocessing.resampling import new_shape, resample

__all__ = ["PreparedCase", "prepare_case"]

log = logging.getLogger(__name__)

HeadToBrain = Callable[[np.ndarray], np.ndarray | None]
Triple = tuple[float, float, float]
_MARGIN_MM = 6.0
_PLAUSIBLE_ML = (300.0, 2700.0)
_PLAUSIBLE_HEAD_ML = (600.0, 2000.0)
_AROUND_MM, _NEAR_MM, _CLOSING_MM = 12.0, 2.0, 4.0


@dataclass(frozen=True)
class PreparedCase:
    """All channels of a case, cropped to the brain, and the way back to the scan's grid."""

    channels: dict[int, PreparedChannel]
    scales: dict[int, IntensityScale]
    background: dict[int, float]
    brain: np.ndarray
    """bool, on the scan's whole grid (S, P, L)."""
    box: tuple[slice, ...]
    spacing: Triple

    @property
    def brain_ml(self) -> float:
        return float(self.brain.sum() * np.prod(self.spacing) / 1000)

    def whole(self, cropped: np.ndarray, fill: float) -> np.ndarray:
        """Put an array of the crop back into the scan's whole grid."""
        full = np.full(self.brain.shape, fill, cropped.dtype)
        full[self.box] = cropped
        return full


def prepare_case(
    scans: Mapping[int, Scan], target: Triple, head_to_brain: HeadToBrain
) -> PreparedCase:
    """Find the brain, crop, standardise and resample.

    Args:
        scans: the channels, on one grid.
        target: voxel size of the plan in mm.
        head_to_brain: brain mask of a standardised whole head at the plan's spacing, or None where
            the method has none to offer (then the atlas route is taken).

    Raises:
        ImageError: no plausible brain was found.
    """
    first = next(iter(scans.values()))
    backgrounds = {c: stripped_background(s.array, s.spacing) for c, s in scans.items()}
    if all(value is not None for value in backgrounds.values()):
        masks = [
            stripped_brain_mask(s.array, float(backgrounds[c] or 0.0)) for c, s in scans.items()
        ]
        brain = np.logical_and.reduce(masks)
    else:
        brain = _brain_of_head(scans, target, head_to_brain)
    _check_volume(brain, first)
    box = _box(brain, first.spacing)
    inside = brain[box]
    shape = new_shape(inside.shape, first.spacing, target)
    coarse = resample(inside.astype(np.float32), shape) >= 0.5
    channels, scales = {}, {}
    for channel, scan in scans.items():
        scales[channel] = intensity_scale(scan.array[brain])
        native = scales[channel].standardise(scan.array[box], inside)
        filled = scales[channel].standardise(scan.array[box])
        image = np.where(coarse, resample(filled, shape), np.float32(OUTSIDE))
        channels[channel] = PreparedChannel(image, coarse, target, native, inside, scan.spacing)
    outside = {
        c: b if b is not None else float(scans[c].array.min()) for c, b in backgrounds.items()
    }
    return PreparedCase(channels, scales, outside, brain, box, first.spacing)


def _brain_of_head(
    scans: Mapping[int, Scan], target: Triple, head_to_brain: HeadToBrain
) -> np.ndarray:
    """The networks' brain near the atlas' brain, by the mean vote of all channels.

    The atlas says where the brain is, to a few millimetres; the networks, which were trained on
    heads cut off around the brain, see what lies about it and draw the border.
    """
    first = next(iter(scans.values()))
    atlas = atlas_brain_mask(first.array, first.spacing)
    around = grow_mask(atlas, first.spacing, _AROUND_MM)
    shape = new_shape(first.array.shape, first.spacing, target)
    votes = []
    for scan in scans.values():
        head = head_mask(scan.array) & around
        if not head.any():
            log.warning(
                "%s: the air is brighter than the head, taking the atlas' brain.", scan.path
            )
            return atlas
        standard = intensity_scale(scan.array[head]).standardise(scan.array, head)
        vote = head_to_brain(resample(standard, shape))
        if vote is None:
            return atlas
        votes.append(vote.astype(np.float32))
    mask = np.mean(votes, axis=0) >= 0.5
    if mask.any():
        mask = remove_all_but_largest_component(ndimage.binary_opening(mask))
        mask = close_mask(mask, target, _CLOSING_MM)
    brain = resample(mask.astype(np.float32), first.array.shape) >= 0.5
    brain &= grow_mask(atlas, first.spacing, _NEAR_MM)
    low, high = _PLAUSIBLE_HEAD_ML
    if not low <= float(brain.sum() * np.prod(first.spacing)) / 1000 <= high:
        log.warning("%s: no brain seen by the networks, taking the atlas'.", first.path.name)
        return atlas
    return brain


def _check_volume(brain: np.ndarray, scan: Scan) -> None:
    volume = float(brain.sum() * np.prod(scan.spacing) / 1000)
    low, high = _PLAUSIBLE_ML
    if not low <= volume <= high:
        raise ImageError(
            f"{scan.path} seems to show a brain of {volume:.0f} mL, which is not plausible: check "
            "that it is a whole head or a stripped brain, and that its spacing is in mm."
        )


def _box(brain: np.ndarray, spacing: Triple) -> tuple[slice, ...]:
    bounds = get_bbox_from_mask(brain)
    grown = [
        [max(0, low - round(_MARGIN_MM / s)), min(n, high + round(_MARGIN_MM / s))]
        for (low, high), s, n in zip(bounds, spacing, brain.shape, strict=True)
    ]
    return tuple(bounding_box_to_slice(grown))
