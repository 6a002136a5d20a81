"""Brain mask of a scan with the skull in, of any contrast, from the atlas.

Affine registration places the atlas' brain; intensities then move its border. It is the mask for
whoever has no trained brain-mask network yet, and is meant to be checked by eye.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from disanat.anatomy.atlas_registration import align, centred_image, coarse, warp
from disanat.anatomy.plausible import PLAUSIBLE_ML, brain_ml, is_plausible
from disanat.anatomy.template import Atlas, load_atlas
from disanat.errors import ImplausibleError

__all__ = ["atlas_brain_mask"]

_FIT_MM = 4.0
_START_MM = 8.0
_SKULL_MM, _SCALP_MM = 9.0, 15.0
_UPPER_MM = 110.0
_AIR = 30
_SURE_MM, _DEPTH_WEIGHT = 8.0, 0.35
_START_SCALE = 1.1  # The MNI152 brain is larger than most.
_NEAREST = sitk.sitkNearestNeighbor
_HEAD_BELOW_TOP_MM = (70.0, 85.0, 100.0)


def atlas_brain_mask(array: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Where the brain is in a scan with the skull in.

    Args:
        array: one channel, axes S, P, L.
        spacing: voxel size in mm.

    Returns:
        boolean array of the same shape.

    Raises:
        ImplausibleError: what was found cannot be a brain.
        ImageError: the scan cannot be registered.
    """
    atlas = load_atlas()
    image = centred_image(_clipped(array), spacing)
    small = coarse(image, _FIT_MM)
    transform = _register_head(small, atlas)
    distance = warp(_signed_distance(atlas), small, transform, sitk.sitkLinear)
    brain = _refine(sitk.GetArrayFromImage(small), distance, np.array(small.GetSpacing()[::-1]))
    mask = _to_grid(brain, small, image)
    volume = brain_ml(mask, spacing)
    if not is_plausible(volume):
        raise ImplausibleError(
            f"No plausible brain was found in the scan ({volume:.0f} mL, expected "
            f"{PLAUSIBLE_ML[0]:.0f} to {PLAUSIBLE_ML[1]:.0f}): check its orientation, or give a "
            "skull-stripped scan."
        )
    return mask


def _clipped(array: np.ndarray) -> np.ndarray:
    low, high = np.percentile(array, (1, 99.5))
    if high <= low:
        low, high = float(array.min()), float(array.max())
    scaled = (array.astype(np.float32) - low) / max(float(high - low), 1e-6)
    return np.clip(scaled, 0, 1).astype(np.float32)


def _signed_distance(atlas: Atlas) -> sitk.Image:
    """Millimetres inside (positive) or outside (negative) the atlas' brain, shifted to be > 0.

    Resampling pads with 0, so the value 100 stands for the border.
    """
    brain = atlas.brain
    inside = ndimage.distance_transform_edt(brain, atlas.spacing)
    outside = ndimage.distance_transform_edt(~brain, atlas.spacing)
    return centred_image((100 + inside - outside).astype(np.float32), atlas.spacing)


def _register_head(small: sitk.Image, atlas: Atlas) -> sitk.Similarity3DTransform:
    """Several starts at 8 mm (how far the brain lies below the crown), the best one refined."""
    moving = coarse(centred_image(_head_template(atlas), atlas.spacing), _FIT_MM)
    upper = _upper_head(small)
    start, start_upper = coarse(small, _START_MM), coarse(upper, _START_MM, _NEAREST)
    tries = [
        align(start, start_upper, moving, initial, iterations=25) for initial in _starts(small)
    ]
    best = min(tries, key=lambda pair: pair[1])[0]
    return align(small, upper, moving, best, iterations=40)[0]


def _head_template(atlas: Atlas) -> np.ndarray:
    """The stripped template with a dark skull, a bright scalp and air around it.

    Without the scalp the match shrinks: a dark ring fits the dark fluid around the brain as well
    as it fits the skull.
    """
    brain = np.pad(atlas.brain, _AIR)
    outside = ndimage.distance_transform_edt(~brain, atlas.spacing)
    head = np.pad(atlas.t1, _AIR).astype(np.float32)
    head[(outside > _SKULL_MM) & (outside <= _SCALP_MM)] = 0.7
    return head


def _upper_head(small: sitk.Image) -> sitk.Image:
    """The part of the scan from the crown to about the ears, where shells are even."""
    top = _crown(_head(sitk.GetArrayFromImage(small)))
    depth = _UPPER_MM / small.GetSpacing()[2]
    level = np.arange(small.GetSize()[2]).reshape(-1, 1, 1)
    upper = np.broadcast_to(level > top - depth, small.GetSize()[::-1])
    image = sitk.GetImageFromArray(np.ascontiguousarray(upper, np.uint8))
    image.CopyInformation(small)
    return image


def _crown(head: np.ndarray) -> int:
    slices = np.flatnonzero(head.mean(axis=(1, 2)) > 0.02)
    return int(slices.max()) if slices.size else head.shape[0] - 1


def _starts(small: sitk.Image) -> list[sitk.Similarity3DTransform]:
    head = _head(sitk.GetArrayFromImage(small))
    spacing = np.array(small.GetSpacing())
    origin = np.array(small.GetOrigin())
    top = _crown(head)
    starts = []
    for below in _HEAD_BELOW_TOP_MM:
        first = max(0, int(top - 1.4 * below / spacing[2]))
        index = np.argwhere(head[first : top + 1]).mean(axis=0)[::-1]
        centre = index * spacing + origin
        centre[2] = top * spacing[2] + origin[2] - below
        transform = sitk.Similarity3DTransform()
        transform.SetCenter(centre.tolist())
        transform.SetTranslation((-centre).tolist())
        transform.SetScale(_START_SCALE)
        starts.append(transform)
    return starts


def _head(values: np.ndarray) -> np.ndarray:
    """Everything brighter than a third of the bright tissue's median, holes filled."""
    bright = values[values > values.mean()]
    head = values > 0.3 * float(np.median(bright))
    head = ndimage.binary_opening(head, iterations=1)
    return np.asarray(ndimage.binary_fill_holes(head))


def _refine(values: np.ndarray, distance: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Move the border by intensity: a voxel near it belongs to the side it looks like."""
    depth = distance - 100.0
    inside = depth > _SURE_MM
    if not inside.any():
        return np.asarray(depth > 0)
    evidence = _evidence(values, inside, (depth < -2) & (depth > -14))
    evidence = ndimage.gaussian_filter(evidence, 2.0 / spacing)
    score = _DEPTH_WEIGHT * np.clip(depth, -10, 10) + evidence
    brain = (depth > -_SURE_MM) & (inside | (score > 0))
    brain = ndimage.binary_opening(brain, _ball(spacing, 5.0)) | inside
    parts, count = ndimage.label(brain)
    if count > 1:
        sizes = ndimage.sum_labels(brain, parts, np.arange(1, count + 1))
        brain = parts == 1 + int(np.argmax(sizes))
    brain = ndimage.binary_closing(brain, _ball(spacing, 8.0)) | brain
    brain = ndimage.binary_fill_holes(brain)
    # The evidence counts the fluid around the brain as outside; half a voxel of it belongs inside.
    return np.asarray(ndimage.gaussian_filter(brain.astype(np.float32), 2.5 / spacing) > 0.3)


def _evidence(values: np.ndarray, inside: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Log ratio of the smoothed intensity histograms well inside and just outside the brain."""
    bins = np.linspace(0, 1, 49)
    index = np.clip(np.digitize(values, bins) - 1, 0, 47)
    logs = []
    for region in (inside, ring):
        counts = np.bincount(index[region], minlength=48).astype(float)
        smooth = ndimage.gaussian_filter1d(counts, 1.5) + 0.002 * counts.sum() + 1e-6
        logs.append(np.log(smooth / smooth.sum()))
    return np.asarray(np.clip(logs[0] - logs[1], -3, 3)[index])


def _ball(spacing: np.ndarray, radius_mm: float) -> np.ndarray:
    reach = np.maximum(1, np.floor(radius_mm / spacing)).astype(int)
    axes = [np.arange(-r, r + 1) * s for r, s in zip(reach, spacing)]
    squares = np.meshgrid(*[a**2 for a in axes], indexing="ij")
    return np.asarray(sum(squares) <= max(radius_mm, float(spacing.min())) ** 2)


def _to_grid(brain: np.ndarray, small: sitk.Image, grid: sitk.Image) -> np.ndarray:
    soft = sitk.GetImageFromArray(brain.astype(np.float32))
    soft.CopyInformation(small)
    fine = sitk.Resample(soft, grid, sitk.Transform(), sitk.sitkLinear, 0.0)
    return np.asarray(sitk.GetArrayFromImage(fine) >= 0.5)
