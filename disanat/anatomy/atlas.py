"""The atlas route: brain mask and three tissues for scans that come without label maps.

The atlas is the MNI152 template that nilearn ships (ICBM 2009, stripped T1, grey- and white-matter
maps, brain mask); nothing is downloaded. Everything is contrast-agnostic: registration by mutual
information, tissues from spatial priors and a mixture that starts from them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from disanat.anatomy.atlas_brain import atlas_brain_mask
from disanat.anatomy.atlas_registration import (
    align,
    centred_image,
    coarse,
    moments_transform,
    warp,
)
from disanat.anatomy.mixture import Mixture, fit_mixture, posterior
from disanat.anatomy.template import Atlas, load_atlas
from disanat.errors import ImageError, ImplausibleError

__all__ = [
    "LEAST_OVERLAP",
    "Atlas",
    "atlas_brain_mask",
    "atlas_overlap",
    "atlas_tissues",
    "load_atlas",
]

_FIT_MM = 3.0
_FEWEST_VOXELS = 500
_NODS_DEG = (-30.0, -15.0, 0.0, 15.0)
"""Where the registration starts: how far a head is bent forwards differs most between scans."""
LEAST_OVERLAP = 0.88
"""Dice of the registered atlas' brain and the brain mask; benchmarks/atlas_tissues.md has more."""


def atlas_tissues(
    array: np.ndarray, spacing: Sequence[float], brain_mask: np.ndarray
) -> np.ndarray:
    """Three tissues of a scan of any contrast, by affine priors and a Gaussian mixture.

    Args:
        array: one channel, axes S, P, L.
        spacing: voxel size in mm.
        brain_mask: boolean, same shape.

    Returns:
        uint8 of the same shape: 0 outside the mask, then THREE_CLASSES (1 csf, 2 grey, 3 white).

    Raises:
        ImplausibleError: the registered atlas' brain and the mask overlap too little.
        ImageError: the mask is (nearly) empty, or the brain cannot be registered to the atlas.
    """
    if np.count_nonzero(brain_mask) < _FEWEST_VOXELS:
        raise ImageError(
            f"The brain mask has {np.count_nonzero(brain_mask)} voxels, too few to find tissues "
            "in: check that the scan shows a brain."
        )
    atlas = load_atlas()
    grid = centred_image(array.astype(np.float32) * brain_mask, spacing)
    small, small_mask = _small(grid, brain_mask, spacing)
    transform = _register_brain(small, small_mask, atlas)
    small_brain = sitk.GetArrayFromImage(small_mask) > 0
    _check_overlap(_overlap(atlas, transform, small_mask))
    small_spacing = small.GetSpacing()[::-1]
    mixture = fit_mixture(
        sitk.GetArrayFromImage(small), _priors(atlas, small, transform), small_brain, small_spacing
    )
    return _label(grid, brain_mask, atlas, transform, mixture, small)


def atlas_overlap(
    array: np.ndarray, spacing: Sequence[float], brain_mask: np.ndarray
) -> float:
    """Dice of a scan's brain mask and the brain of the atlas that was registered to it.

    Args:
        array: one channel, axes S, P, L.
        spacing: voxel size in mm.
        brain_mask: boolean, same shape.

    Raises:
        ImageError: the brain cannot be registered to the atlas.
    """
    atlas = load_atlas()
    grid = centred_image(array.astype(np.float32) * brain_mask, spacing)
    small, small_mask = _small(grid, brain_mask, spacing)
    return _overlap(atlas, _register_brain(small, small_mask, atlas), small_mask)


def _small(
    grid: sitk.Image, brain_mask: np.ndarray, spacing: Sequence[float]
) -> tuple[sitk.Image, sitk.Image]:
    """Scan and mask on the grid on which they are registered."""
    mask = centred_image(brain_mask, spacing)
    return coarse(grid, _FIT_MM), coarse(mask, _FIT_MM, sitk.sitkNearestNeighbor)


def _register_brain(
    small: sitk.Image, small_mask: sitk.Image, atlas: Atlas
) -> sitk.AffineTransform:
    moving = coarse(centred_image(atlas.t1, atlas.spacing), _FIT_MM)
    moving_brain = centred_image(atlas.brain, atlas.spacing)
    region = sitk.BinaryDilate(small_mask, [2, 2, 2])
    mask = sitk.GetArrayFromImage(small_mask) > 0
    tries = []
    for nod in _NODS_DEG:
        initial = moments_transform(mask, small, atlas.brain, moving_brain)
        initial.Rotate(1, 2, float(np.deg2rad(nod)))
        tries.append(align(small, region, moving, initial, iterations=20, shrink=(2,)))
    best = min(tries, key=lambda pair: pair[1])[0]
    return align(small, region, moving, best, shrink=(2, 1))[0]


def _overlap(atlas: Atlas, transform: sitk.Transform, mask: sitk.Image) -> float:
    moving = centred_image(atlas.brain.astype(np.float32), atlas.spacing)
    there = warp(moving, mask, transform, sitk.sitkLinear) >= 0.5
    brain = sitk.GetArrayFromImage(mask) > 0
    total = int(there.sum()) + int(brain.sum())
    return 2 * int((there & brain).sum()) / total if total else 0.0


def _check_overlap(overlap: float) -> None:
    if overlap < LEAST_OVERLAP:
        raise ImplausibleError(
            f"the registered atlas' brain and the brain mask have a Dice of only {overlap:.2f}, "
            f"below {LEAST_OVERLAP:.2f}: check the scan's orientation and its brain mask, or give "
            "label maps in priorsTr."
        )


def _priors(atlas: Atlas, grid: sitk.Image, transform: sitk.Transform) -> np.ndarray:
    """(3, S, P, L) in the order csf, grey, white; blurred for the anatomy that affine misses."""
    maps = []
    for soft in (atlas.csf, atlas.grey, atlas.white):
        blurred = ndimage.gaussian_filter(soft, 1.0)
        maps.append(warp(centred_image(blurred, atlas.spacing), grid, transform, sitk.sitkLinear))
    stacked = np.stack(maps) + np.array([0.02, 0.01, 0.005], np.float32).reshape(3, 1, 1, 1)
    return np.asarray(stacked / stacked.sum(axis=0))


def _label(
    grid: sitk.Image,
    brain_mask: np.ndarray,
    atlas: Atlas,
    transform: sitk.Transform,
    mixture: Mixture,
    small: sitk.Image,
) -> np.ndarray:
    """The most probable class of each voxel of the scan's own grid."""
    field = sitk.GetImageFromArray(mixture.bias)
    field.CopyInformation(small)
    full = sitk.Resample(field, grid, sitk.Transform(), sitk.sitkLinear, 1.0)
    bias = sitk.GetArrayFromImage(full)
    values = sitk.GetArrayFromImage(grid)[brain_mask] / bias[brain_mask]
    share = posterior(values, _priors(atlas, grid, transform)[:, brain_mask], mixture)
    labels = np.zeros(brain_mask.shape, np.uint8)
    labels[brain_mask] = 1 + np.argmax(share, axis=0)
    return labels
