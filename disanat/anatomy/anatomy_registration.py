"""Linear registration of one brain to another by their tissues, whatever the contrasts.

The tissues' centres of gravity alone say, in closed form, how one head lies to the other. From
there, from where the headers put the scans and from turns to all sides, Gauss-Newton steps bring
the tissue probabilities together, coarse to fine and in both directions at once: exchanging the
two scans inverts the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.linalg import expm

from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy, moved_points, sample

__all__ = ["Freedom", "LinearRegistration", "agreement", "distance_mm", "register_linear"]

Freedom = Literal["rigid", "affine"]

_LEVELS_MM = (9.0, 5.0, 3.0)
_MOST_PLACES = 12000
_STARTS_TRIED = 4
_MARGIN_MM = 9.0
_TURN_DEG = 25.0
_NEAR_MM = 2.0
"""Starts that end closer to each other than this agree."""
_LEAST_AGREEMENT = 0.4
_RADIUS_MM = 60.0
_STEPS = 25


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
    fixed.check("the first scan")
    moving.check("the second scan")
    rough, middle, fine = (_Pair.of(fixed, moving, mm) for mm in _LEVELS_MM)
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
        best, distance_mm(best, np.eye(4), places), _turn(best), before, after, spread
    )


def agreement(fixed: SoftAnatomy, moving: SoftAnatomy, matrix: np.ndarray) -> float:
    """Soft Dice of all tissues together where both scans see the brain; 0 without overlap."""
    ours, theirs = fixed.coarse(_LEVELS_MM[-1]), moving.coarse(_LEVELS_MM[-1])
    places = _some(ours.places(_MARGIN_MM))
    there = moved_points(matrix, places)
    both = fixed.sees(places) & moving.sees(there)
    a = _at(ours, places[both])
    b = _at(theirs, there[both])
    total = float(a.sum() + b.sum())
    return 2 * float(np.minimum(a, b).sum()) / total if total else 0.0


def distance_mm(one: np.ndarray, other: np.ndarray, places: np.ndarray) -> float:
    """How far apart two matrices put some places (n, 3), on average, in mm."""
    apart = moved_points(one, places) - moved_points(other, places)
    return float(np.linalg.norm(apart, axis=1).mean())


def _some(places: np.ndarray) -> np.ndarray:
    """Every so many of them: enough, and always the same."""
    return places[:: 1 + (len(places) - 1) // _MOST_PLACES]


def _at(anatomy: SoftAnatomy, places: np.ndarray) -> np.ndarray:
    volume = torch.from_numpy(anatomy.probabilities)
    return sample(volume, anatomy.to_mm, torch.from_numpy(places).float()).numpy()


@dataclass(frozen=True)
class _Side:
    """One brain: its tissues, their gradients in mm, and the places at which it is compared."""

    anatomy: SoftAnatomy
    values: torch.Tensor
    places: np.ndarray
    own: np.ndarray
    """The tissues at these places, (tissues, n)."""

    @classmethod
    def of(cls, anatomy: SoftAnatomy) -> _Side:
        p = anatomy.probabilities
        slopes = np.stack(np.gradient(p, axis=(1, 2, 3)), axis=1)  # (tissues, 3, S, P, L)
        back = np.linalg.inv(anatomy.to_mm)[:3, :3]  # d index / d mm
        slopes = np.einsum("tispl,ij->tjspl", slopes, back)
        values = np.concatenate([p[:, None], slopes], axis=1).reshape(-1, *p.shape[1:])
        places = anatomy.places(_MARGIN_MM)
        places = _some(places[anatomy.sees(places)])
        return cls(anatomy, torch.from_numpy(values.astype(np.float32)), places,
                   _at(anatomy, places))  # fmt: skip

    def look(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tissues (tissues, n) and their gradients (tissues, 3, n) at other places."""
        found = sample(self.values, self.anatomy.to_mm, torch.from_numpy(places).float()).numpy()
        found = found.reshape(-1, 4, len(places))
        return found[:, 0], found[:, 1:]


@dataclass(frozen=True)
class _Pair:
    """Both brains at one voxel size."""

    fixed: _Side
    moving: _Side

    @classmethod
    def of(cls, fixed: SoftAnatomy, moving: SoftAnatomy, mm: float) -> _Pair:
        return cls(_Side.of(fixed.coarse(mm)), _Side.of(moving.coarse(mm)))

    def misfit(self, matrix: np.ndarray) -> float:
        """Mean squared difference, both ways; what the other scan does not see counts as air."""
        forth = _at(self.moving.anatomy, moved_points(matrix, self.fixed.places))
        back = _at(self.fixed.anatomy, moved_points(np.linalg.inv(matrix), self.moving.places))
        return float(
            ((forth - self.fixed.own) ** 2).sum(0).mean()
            + ((back - self.moving.own) ** 2).sum(0).mean()
        )

    def refine(self, matrix: np.ndarray, freedom: Freedom) -> np.ndarray:
        """Gauss-Newton steps from a matrix on; stops where they no longer help."""
        centre = self.fixed.anatomy.centre
        basis = _basis(freedom, centre)
        best, damping = self.misfit(matrix), 1e-3
        for _ in range(_STEPS):
            normal, slope = self._normal(matrix, basis)
            damped = normal + damping * np.diag(np.diag(normal) + 1e-9)
            step = np.tensordot(np.linalg.solve(damped, -slope), basis, 1)
            moved = matrix @ expm(step)
            misfit = self.misfit(moved)
            if misfit < best:
                small = distance_mm(moved, matrix, self.fixed.places[::50]) < 0.01
                matrix, best, damping = moved, misfit, max(damping / 5, 1e-6)
                if small:
                    break
            else:
                damping *= 10
                if damping > 10:
                    break
        return matrix

    def _normal(self, matrix: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of both directions for a step taken before `matrix`."""
        there = moved_points(matrix, self.fixed.places)
        values, slopes = self.moving.look(there)
        slopes = np.einsum("tjn,ji->tin", slopes, matrix[:3, :3])
        seen = self.moving.anatomy.sees(there)
        forth = _equations(values - self.fixed.own, slopes, self.fixed.places, basis, seen)
        here = moved_points(np.linalg.inv(matrix), self.moving.places)
        values, slopes = self.fixed.look(here)
        seen = self.fixed.anatomy.sees(here)
        back = _equations(values - self.moving.own, -slopes, here, basis, seen)
        return forth[0] + back[0], forth[1] + back[1]


def _equations(
    difference: np.ndarray,
    slopes: np.ndarray,
    places: np.ndarray,
    basis: np.ndarray,
    seen: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the places of J'J and J'r, where a place moves by `basis` and what it shows by J.

    Shapes: difference (tissues, n), slopes (tissues, 3, n), places (n, 3), basis (k, 4, 4).
    """
    moves = np.einsum("kij,nj->ikn", basis[:, :3, :3], places) + basis[:, :3, 3].T[:, :, None]
    moves = moves * seen
    curvature = np.einsum("tin,tjn->ijn", slopes, slopes)
    pull = np.einsum("tin,tn->in", slopes, difference)
    turned = (curvature[:, :, None] * moves[None]).sum(1)  # (3, k, n)
    k = len(basis)
    normal = moves.transpose(1, 0, 2).reshape(k, -1) @ turned.transpose(1, 0, 2).reshape(k, -1).T
    return normal / len(places), (moves * pull[:, None]).sum((0, 2)) / len(places)


def _basis(freedom: Freedom, centre: np.ndarray) -> np.ndarray:
    """Matrices (k, 4, 4) whose sums are the possible moves about a centre, each of about 1 mm."""
    moves = []
    for axis in range(3):
        move = np.zeros((4, 4))
        move[axis, 3] = 1
        moves.append(move)
    for i in range(3):
        for j in range(3):
            turn = np.zeros((4, 4))
            if freedom == "rigid":
                if i >= j:
                    continue
                turn[j, i] = -1
            turn[i, j] = 1
            turn[:3] /= _RADIUS_MM
            turn[:3, 3] = -turn[:3, :3] @ centre
            moves.append(turn)
    return np.stack(moves)


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


def _turn(matrix: np.ndarray) -> float:
    """The angle of the rotation nearest to a matrix, in degrees."""
    u, _, v = np.linalg.svd(matrix[:3, :3])
    return float(np.degrees(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1))))
