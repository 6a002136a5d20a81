"""Where the atlas lies in a stripped scan: by intensity, by anatomy, or by both in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from disanat.anatomy.atlas_registration import align, centred_image, coarse, moments_transform
from disanat.anatomy.template import load_atlas
from disanat.anatomy.transforms import affine_transform, matrix_of
from disanat.errors import PlanError
from disanat.plans import AtlasRoute

if TYPE_CHECKING:
    from disanat.anatomy.atlas_by_anatomy import Anatomies

__all__ = ["PlacedAtlas", "place_atlas"]

_FIT_MM = 3.0
_NODS_DEG = (-30.0, -15.0, 0.0, 15.0)
"""Where mutual information starts: how far a head is bent forwards differs most between scans."""


@dataclass(frozen=True)
class PlacedAtlas:
    """Transforms from places of the scan to places of the atlas.

    `linear` is the affine one, `whole` the dense one that begins with it, or the same. `agreement`
    is the soft Dice of the tissues under the affine one; None by intensity.
    """

    linear: sitk.AffineTransform
    whole: sitk.Transform
    agreement: float | None = None


def place_atlas(
    small: sitk.Image,
    small_mask: sitk.Image,
    route: AtlasRoute = "intensity",
    anatomies: Anatomies | None = None,
    dense: bool = True,
) -> PlacedAtlas:
    """Bring the atlas onto a scan.

    Args:
        small: the stripped scan, centred, with voxels of about 3 mm.
        small_mask: its brain.
        route: mutual information from four nods; the tissues; or mutual information from where the
            tissues put it.
        anatomies: of scan and atlas, for the routes that see tissues.
        dense: whether these end with a dense registration of the tissues.

    Raises:
        ImplausibleError: the tissues of scan and atlas do not agree.
        ImageError: the scan cannot be registered.
        PlanError: a route that sees tissues is given none.
    """
    if route == "intensity":
        found = _by_intensity(small, small_mask)
        return PlacedAtlas(found, found)
    if anatomies is None:
        raise PlanError(
            f"The atlas cannot be registered by '{route}' without the tissues that an encoder "
            "sees: give them, or take 'intensity'."
        )
    from disanat.anatomy import atlas_by_anatomy  # takes torch with it

    matrix = atlas_by_anatomy.linear(anatomies)
    if route == "both":
        start = affine_transform(matrix, anatomies.scan.centre)
        matrix = matrix_of(
            align(small, _around(small_mask), _moving(), start, shrink=(2, 1))[0]
        )
    agreement = atlas_by_anatomy.agreeing(anatomies, matrix)
    found = affine_transform(matrix)
    whole = atlas_by_anatomy.bent(anatomies, matrix, small) if dense else found
    return PlacedAtlas(found, whole, agreement)


def _by_intensity(small: sitk.Image, small_mask: sitk.Image) -> sitk.AffineTransform:
    atlas = load_atlas()
    moving, region = _moving(), _around(small_mask)
    brain = centred_image(atlas.brain, atlas.spacing)
    mask = sitk.GetArrayFromImage(small_mask) > 0
    tries = []
    for nod in _NODS_DEG:
        initial = moments_transform(mask, small, atlas.brain, brain)
        initial.Rotate(1, 2, float(np.deg2rad(nod)))
        tries.append(align(small, region, moving, initial, iterations=20, shrink=(2,)))
    best = min(tries, key=lambda pair: pair[1])[0]
    return align(small, region, moving, best, shrink=(2, 1))[0]


def _moving() -> sitk.Image:
    atlas = load_atlas()
    return coarse(centred_image(atlas.t1, atlas.spacing), _FIT_MM)


def _around(small_mask: sitk.Image) -> sitk.Image:
    return sitk.BinaryDilate(small_mask, [2, 2, 2])
