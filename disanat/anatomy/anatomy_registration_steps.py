"""Gauss-Newton steps that bring the tissues of two brains together, in both directions at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.linalg import expm

from disanat.anatomy.soft_anatomy import SoftAnatomy, moved_points, sample

__all__ = ["Freedom", "Pair", "distance_mm", "some_places", "tissues_at"]

Freedom = Literal["rigid", "affine"]

_MARGIN_MM = 9.0
_MOST_PLACES = 8000
_RADIUS_MM = 60.0
_STEPS = 25
_STILL = 0.01
"""A step this small, in voxels, is the last."""


def distance_mm(one: np.ndarray, other: np.ndarray, places: np.ndarray) -> float:
    """How far apart two matrices put some places (n, 3), on average, in mm."""
    apart = moved_points(one, places) - moved_points(other, places)
    return float(np.linalg.norm(apart, axis=1).mean())


def some_places(anatomy: SoftAnatomy) -> np.ndarray:
    """Places (n, 3) in and around a brain that its scan shows: enough, always the same, in mm."""
    places = anatomy.places(_MARGIN_MM)
    places = places[anatomy.sees(places)]
    return places[:: 1 + (len(places) - 1) // _MOST_PLACES]


def tissues_at(anatomy: SoftAnatomy, places: np.ndarray) -> np.ndarray:
    """What a brain shows at places (n, 3) in mm: (tissues, n)."""
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
        places = some_places(anatomy)
        return cls(anatomy, torch.from_numpy(values.astype(np.float32)), places,
                   tissues_at(anatomy, places))  # fmt: skip

    def look(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tissues (tissues, n) and their gradients (tissues, 3, n) at other places."""
        found = sample(self.values, self.anatomy.to_mm, torch.from_numpy(places).float()).numpy()
        found = found.reshape(-1, 4, len(places))
        return found[:, 0], found[:, 1:]


@dataclass(frozen=True)
class Pair:
    """Both brains at one voxel size."""

    fixed: _Side
    moving: _Side

    @classmethod
    def of(cls, fixed: SoftAnatomy, moving: SoftAnatomy, mm: float) -> Pair:
        return cls(_Side.of(fixed.coarse(mm)), _Side.of(moving.coarse(mm)))

    def misfit(self, matrix: np.ndarray) -> float:
        """Mean squared difference, both ways; what the other scan does not see counts as air."""
        forth = tissues_at(self.moving.anatomy, moved_points(matrix, self.fixed.places))
        here = moved_points(np.linalg.inv(matrix), self.moving.places)
        back = tissues_at(self.fixed.anatomy, here)
        return float(
            ((forth - self.fixed.own) ** 2).sum(0).mean()
            + ((back - self.moving.own) ** 2).sum(0).mean()
        )

    def refine(self, matrix: np.ndarray, freedom: Freedom) -> np.ndarray:
        """Gauss-Newton steps from a matrix on; stops where they no longer help."""
        centre = self.fixed.anatomy.centre
        basis = _basis(freedom, centre)
        enough = _STILL * float(np.mean(self.fixed.anatomy.spacing))
        best, damping = self.misfit(matrix), 1e-3
        for _ in range(_STEPS):
            normal, slope = self._normal(matrix, basis)
            damped = normal + damping * np.diag(np.diag(normal) + 1e-9)
            step = np.tensordot(np.linalg.solve(damped, -slope), basis, 1)
            moved = matrix @ expm(step)
            misfit = self.misfit(moved)
            if misfit < best:
                small = distance_mm(moved, matrix, self.fixed.places[::50]) < enough
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
