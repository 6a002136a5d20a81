"""The atlas route: brain mask and three tissues for scans that come without label maps.

The atlas is the MNI152 template that nilearn ships (ICBM 2009, stripped T1, grey- and white-matter
maps, brain mask); nothing is downloaded. Everything is contrast-agnostic: registration by mutual
information or by tissues, then a mixture that starts from the spatial priors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from disanat.anatomy.atlas_brain import atlas_brain_mask
from disanat.anatomy.atlas_placement import place_atlas
from disanat.anatomy.atlas_registration import centred_image, coarse, warp
from disanat.anatomy.mixture import Mixture, fit_mixture, posterior
from disanat.anatomy.template import Atlas, load_atlas
from disanat.errors import ImageError, ImplausibleError
from disanat.plans import AtlasRoute

if TYPE_CHECKING:
    from disanat.anatomy.atlas_by_anatomy import Anatomies

__all__ = [
    "LEAST_OVERLAP",
    "Atlas",
    "AtlasFit",
    "atlas_brain_mask",
    "atlas_fit",
    "atlas_tissues",
    "load_atlas",
]

_FIT_MM = 3.0
_FEWEST_VOXELS = 500
LEAST_OVERLAP = 0.88
"""Dice of the registered atlas' brain and the brain mask; benchmarks/atlas_tissues.md has more."""


@dataclass(frozen=True)
class AtlasFit:
    """How well the registered atlas fits a scan, and why the scan is left out, if it is.

    `overlap` is the Dice of its brain and the scan's brain mask, `agreement` that of the tissues
    (None by intensity); both are 0 where the registration itself was refused.
    """

    overlap: float
    agreement: float | None = None
    refused: str = ""


def atlas_tissues(
    array: np.ndarray,
    spacing: Sequence[float],
    brain_mask: np.ndarray,
    route: AtlasRoute = "intensity",
    anatomies: Anatomies | None = None,
    dense: bool = True,
) -> np.ndarray:
    """Three tissues of a scan of any contrast, by the registered atlas and a Gaussian mixture.

    Args:
        array: one channel, axes S, P, L.
        spacing: voxel size in mm.
        brain_mask: boolean, same shape.
        route: how the atlas is registered.
        anatomies: of scan and atlas, for the routes that see tissues.
        dense: whether these end with a dense registration.

    Returns:
        uint8 of the same shape: 0 outside the mask, then THREE_CLASSES (1 csf, 2 grey, 3 white).

    Raises:
        ImplausibleError: the registered atlas and the scan do not fit.
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
    placed = place_atlas(small, small_mask, route, anatomies, dense)
    _check_overlap(_overlap(atlas, placed.linear, small_mask))
    mixture = fit_mixture(
        sitk.GetArrayFromImage(small),
        _priors(atlas, small, placed.whole),
        sitk.GetArrayFromImage(small_mask) > 0,
        small.GetSpacing()[::-1],
    )
    return _label(grid, brain_mask, atlas, placed.whole, mixture, small)


def atlas_fit(
    array: np.ndarray,
    spacing: Sequence[float],
    brain_mask: np.ndarray,
    route: AtlasRoute = "intensity",
    anatomies: Anatomies | None = None,
) -> AtlasFit:
    """How well the atlas fits a scan once it has been registered to it, affinely.

    Args:
        array: one channel, axes S, P, L.
        spacing: voxel size in mm.
        brain_mask: boolean, same shape.
        route: how the atlas is registered.
        anatomies: of scan and atlas, for the routes that see tissues.
    """
    grid = centred_image(array.astype(np.float32) * brain_mask, spacing)
    small, small_mask = _small(grid, brain_mask, spacing)
    try:
        placed = place_atlas(small, small_mask, route, anatomies, dense=False)
    except ImageError as cause:
        return AtlasFit(0.0, None if route == "intensity" else 0.0, str(cause))
    overlap = _overlap(load_atlas(), placed.linear, small_mask)
    try:
        _check_overlap(overlap)
    except ImplausibleError as cause:
        return AtlasFit(overlap, placed.agreement, str(cause))
    return AtlasFit(overlap, placed.agreement)


def _small(
    grid: sitk.Image, brain_mask: np.ndarray, spacing: Sequence[float]
) -> tuple[sitk.Image, sitk.Image]:
    """Scan and mask on the grid on which they are registered."""
    mask = centred_image(brain_mask, spacing)
    return coarse(grid, _FIT_MM), coarse(mask, _FIT_MM, sitk.sitkNearestNeighbor)


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
