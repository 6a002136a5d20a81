"""A brain of ellipsoids as tissue probabilities, drawn wherever a map puts its places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from disanat.anatomy.soft_anatomy import SoftAnatomy, centred_anatomy

SHAPE, SPACING_MM = (38, 42, 38), 4.0
SOLIDS = (
    ((0, 0, 0), (48, 60, 46)),
    ((0, 3, 3), (40, 50, 37)),
    ((10, -5, 6), (8, 20, 9)),
    ((-10, -5, 6), (6, 17, 7)),
    ((0, 37, -29), (28, 16, 14)),
    ((0, 15, -34), (9, 10, 19)),
    ((-26, -23, 8), (10, 13, 10)),
)
"""Centre and half axes (L, P, S, mm); each replaces what it lies in. Left and right differ."""
Map = Callable[[np.ndarray], np.ndarray]


def solid_tissues(to_template: Map = lambda places: places) -> SoftAnatomy:
    """The brain as a scan shows it whose places `to_template` takes to those of the template."""
    empty = centred_anatomy(np.zeros((1, *SHAPE)), (SPACING_MM,) * 3)
    index = np.argwhere(np.ones(SHAPE, bool))
    places = to_template(index @ empty.to_mm[:3, :3].T + empty.to_mm[:3, 3])
    shares = np.zeros((len(SOLIDS), len(places)))
    for number, (centre, axes) in enumerate(SOLIDS):
        radius = np.linalg.norm((places - centre) / axes, axis=1)
        inside = 1 / (1 + np.exp((radius - 1) * np.mean(axes) / 1.5))
        shares *= 1 - inside
        shares[number] += inside
    return centred_anatomy(shares.reshape(-1, *SHAPE).astype(np.float32), (SPACING_MM,) * 3)


def move_of(turn_deg: float, shift: tuple[float, float, float], scale: float = 1.0) -> np.ndarray:
    """(4, 4): a turn about an oblique axis, a scale along S, and a shift in mm."""
    import SimpleITK as sitk

    turn = sitk.VersorTransform((0.3, 0.8, 0.5), np.deg2rad(turn_deg))
    move = np.eye(4)
    move[:3, :3] = np.reshape(turn.GetMatrix(), (3, 3)) @ np.diag([1.0, 1.0, scale])
    move[:3, 3] = shift
    return move
