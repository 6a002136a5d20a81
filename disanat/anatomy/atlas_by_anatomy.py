"""The atlas brought onto a scan by the tissues that one encoder sees in both.

Affine first; then densely, for what an affine map misses: ventricles above all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from disanat.anatomy.anatomy_registration import agreement, register_linear, turn_deg
from disanat.anatomy.anatomy_registration_dense import register_dense
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy, moved_points
from disanat.anatomy.transforms import affine_transform
from disanat.errors import ImplausibleError

__all__ = ["LEAST_AGREEMENT", "MOST_TURN_DEG", "Anatomies", "agreeing", "bent", "linear"]

LEAST_AGREEMENT = 0.68
"""Soft Dice of the tissues after affine registration: halfway between the least of 45 heads (0.75)
and the most of turned ones (0.62)."""
MOST_TURN_DEG = 60.0
"""No head lies so in a scanner: the scan's header names wrong axes."""
_REMEDY = (
    "check the scan's orientation and its brain mask, give label maps in priorsTr, or plan with "
    "--atlas_registration intensity."
)


@dataclass(frozen=True)
class Anatomies:
    """The tissues of a scan and of the atlas' T1, as one encoder sees them; both lie centred."""

    scan: SoftAnatomy
    atlas: SoftAnatomy


def linear(anatomies: Anatomies) -> np.ndarray:
    """The affine matrix (4, 4) that takes places (L, P, S, mm) of the scan to the atlas'.

    Raises:
        ImplausibleError: none that can be trusted was found.
        ImageError: the scan shows hardly any brain.
    """
    try:
        return register_linear(anatomies.scan, anatomies.atlas, "affine").matrix
    except NotRegisteredError as cause:
        raise ImplausibleError(f"scan and atlas {cause}: {_REMEDY}") from cause


def agreeing(anatomies: Anatomies, matrix: np.ndarray) -> float:
    """Soft Dice of the tissues once the atlas lies by a matrix.

    Raises:
        ImplausibleError: it is too low, or the matrix turns a head as none lies.
    """
    turn = turn_deg(matrix)
    if turn > MOST_TURN_DEG:
        raise ImplausibleError(
            f"the atlas fits only once it is turned by {turn:.0f} degrees: {_REMEDY}"
        )
    dice = agreement(anatomies.scan, anatomies.atlas, matrix)
    if dice < LEAST_AGREEMENT:
        raise ImplausibleError(
            f"the tissues of the scan and of the registered atlas have a Dice of only {dice:.2f}, "
            f"below {LEAST_AGREEMENT:.2f}: {_REMEDY}"
        )
    return dice


def bent(anatomies: Anatomies, matrix: np.ndarray, grid: sitk.Image) -> sitk.Transform:
    """The dense registration that begins with a matrix, sampled on a grid around the scan's brain.

    Beyond the grid the matrix alone goes on.
    """
    found = register_dense(anatomies.scan, anatomies.atlas, matrix)
    shape = grid.GetSize()[::-1]
    index = np.argwhere(np.ones(shape, bool))[:, ::-1]
    places = index * np.array(grid.GetSpacing()) + np.array(grid.GetOrigin())
    before = moved_points(np.linalg.inv(matrix), found.forward(places))
    shift = sitk.GetImageFromArray((before - places).reshape(*shape, 3), isVector=True)
    shift.CopyInformation(grid)
    # The last one given is applied first.
    return sitk.CompositeTransform(
        [affine_transform(matrix), sitk.DisplacementFieldTransform(shift)]
    )
