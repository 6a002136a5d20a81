"""Linear registration of one brain to another by their tissues, whatever the contrasts.

The tissues' centres of gravity alone say, in closed form, how one head lies to the other. From
there, from where the headers put the scans and from turns to all sides, Gauss-Newton steps bring
the tissue probabilities together, coarse to fine and in both directions at once: exchanging the
two scans inverts the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from disanat.anatomy.anatomy_registration_steps import (
    Freedom,
    Pair,
    distance_mm,
    some_places,
    tissues_at,
)
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy, moved_points

__all__ = [
    "Freedom",
    "LinearRegistration",
    "agreement",
    "distance_mm",
    "mirrored_agreement",
    "register_linear",
    "turn_deg",
]

_LEVELS_MM = (9.0, 5.0, 3.0)
_STARTS_TRIED = 4
_TURN_DEG = 25.0
_NEAR_MM = 2.0
"""Starts that end closer to each other than this agree."""
_LEAST_AGREEMENT = 0.4


@dataclass(frozen=True)
class LinearRegistration:
    """How one brain lies to another, and how well that is known.

    `matrix` (4, 4) takes places (L, P, S, mm) of the fixed brain to those of the moving one; the
    inverse matrix is the registration the other way round. `shift_mm` is how far it moves the
    brain on average from where the headers put it, `turn_deg` its rotation. `agreement_before` and
    `agreement_after` are soft Dice of the tissues, by the headers and by the matrix. `spread_mm`
    is how far apart, on average over the brain, the best two of the starts ended.
    """

    matrix: np.ndarray
    shift_mm: float
    turn_deg: float
    agreement_before: float
    agreement_after: float
    spread_mm: float


def register_linear(
    fixed: SoftAnatomy, moving: SoftAnatomy, freedom: Freedom = "rigid"
) -> LinearRegistration:
    """Find the rigid or affine matrix between two brains.

    Raises:
        NotRegisteredError: no trustworthy one was found.
        ImageError: there is hardly a brain in one of them.
    """
    fixed.check("The first scan")
    moving.check("The second scan")
    rough, middle, fine = (Pair.of(fixed, moving, mm) for mm in _LEVELS_MM)
    starts = sorted(_starts(fixed, moving), key=rough.misfit)[:_STARTS_TRIED]
    tried = sorted((rough.refine(start, "rigid") for start in starts), key=rough.misfit)
    ends = [middle.refine(middle.refine(m, "rigid"), freedom) for m in tried[:2]]
    ends.sort(key=middle.misfit)
    best = fine.refine(ends[0], freedom)
    places = rough.fixed.places
    spread = distance_mm(ends[0], ends[1], places)
    if spread > _NEAR_MM:
        raise NotRegisteredError(
            f"could not be brought together: what two starts found lies {spread:.1f} mm apart"
        )
    before, after = (agreement(fixed, moving, m) for m in (np.eye(4), best))
    if after < _LEAST_AGREEMENT:
        raise NotRegisteredError("show too little of the same anatomy to be brought together")
    return LinearRegistration(
        best, distance_mm(best, np.eye(4), places), turn_deg(best), before, after, spread
    )


def agreement(fixed: SoftAnatomy, moving: SoftAnatomy, matrix: np.ndarray) -> float:
    """Soft Dice of all tissues together where both scans see the brain; 0 without overlap."""
    ours, theirs = fixed.coarse(_LEVELS_MM[-1]), moving.coarse(_LEVELS_MM[-1])
    places = some_places(ours)
    there = moved_points(matrix, places)
    seen = moving.sees(there)
    a, b = tissues_at(ours, places[seen]), tissues_at(theirs, there[seen])
    total = float(a.sum() + b.sum())
    return 2 * float(np.minimum(a, b).sum()) / total if total else 0.0


def mirrored_agreement(
    fixed: SoftAnatomy, moving: SoftAnatomy, matrix: np.ndarray
) -> tuple[float, float]:
    """The best agreement near a rigid matrix, and the best once left and right are exchanged.

    In scans of one brain the second is lower: no brain is its own mirror image.
    """
    other = moving.mirrored()
    best = []
    for one, start in ((moving, matrix), (other, _by_centres(fixed, other))):
        found = start
        for mm in _LEVELS_MM if one is other else _LEVELS_MM[1:]:
            found = Pair.of(fixed, one, mm).refine(found, "rigid")
        best.append(max(agreement(fixed, one, m) for m in (start, found)))
    return best[0], best[1]


def _starts(fixed: SoftAnatomy, moving: SoftAnatomy) -> list[np.ndarray]:
    """As the headers say; by the tissues' centres; and turned from there to all sides."""
    closed = _by_centres(fixed, moving)
    starts = [np.eye(4), closed]
    for axis in range(3):
        for sign in (-1.0, 1.0):
            turn = np.zeros((4, 4))
            i, j = [n for n in range(3) if n != axis]
            turn[i, j], turn[j, i] = -sign, sign
            turn[:3] *= np.deg2rad(_TURN_DEG)
            turn[:3, 3] = -turn[:3, :3] @ fixed.centre
            starts.append(closed @ expm(turn))
    return starts


def _by_centres(fixed: SoftAnatomy, moving: SoftAnatomy) -> np.ndarray:
    """The rigid matrix that brings the tissues' centres together best (Kabsch)."""
    # Large tissues surround the others: their centres say little about how a head is turned.
    weights = np.minimum(fixed.volumes_ml, moving.volumes_ml) > 0.5
    if weights.sum() < 3:
        return _shifted(moving.centre - fixed.centre)
    ours, theirs = fixed.centres[weights], moving.centres[weights]
    a, b = ours - ours.mean(0), theirs - theirs.mean(0)
    u, _, v = np.linalg.svd(a.T @ b)
    proper = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ v)))])
    matrix = np.eye(4)
    matrix[:3, :3] = (u @ proper @ v).T
    matrix[:3, 3] = theirs.mean(0) - matrix[:3, :3] @ ours.mean(0)
    return matrix


def _shifted(shift: Sequence[float] | np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    return matrix


def turn_deg(matrix: np.ndarray) -> float:
    """The angle of the rotation nearest to a matrix, in degrees."""
    u, _, v = np.linalg.svd(matrix[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1))))
