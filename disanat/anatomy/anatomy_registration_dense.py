"""Dense registration of one brain to another by their tissues: diffeomorphic, in both directions.

A stationary velocity field between the two brains, halfway along the affine registration, is
found by local Gauss-Newton steps, coarse to fine, and smoothed after each. Its exponential (scaling
and squaring) takes the fixed brain to the moving one, the exponential of its negative the moving
one to the fixed one. Exchanging the scans negates the field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch.nn import functional

from disanat.anatomy.anatomy_registration import register_linear
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy, moved_points, sample

__all__ = ["DenseRegistration", "jacobian_determinants", "register_dense"]

_GRID_MM = 4.0
_BORDER_MM = 16.0
_LEVELS = ((8.0, 15), (4.0, 25))
"""Voxel size of the tissues that are compared (mm), and steps at most."""
_STEP_SIGMA_MM, _FIELD_SIGMA_MM = 5.0, 4.5
_DAMPING = 2e-4
"""Added to the squared gradients (1/mm^2): where nothing tells, nothing moves."""
_LONGEST_MM = 2.0
_FIRST_MM = 0.4
"""Longest displacement before squaring."""
_STILL_MM = 0.02


@dataclass(frozen=True)
class DenseRegistration:
    """A smooth, invertible map between two brains.

    `matrix` (4, 4) is the affine part, from the fixed to the moving brain in mm (L, P, S), `half`
    its square root. `velocity` is float32 (3, S, P, L), in mm along L, P, S, on a grid between the
    two brains; `to_mm` (4, 4) takes an index of this grid to its place.
    """

    matrix: np.ndarray
    half: np.ndarray
    velocity: np.ndarray
    to_mm: np.ndarray

    def forward(self, places: np.ndarray) -> np.ndarray:
        """Places (n, 3) of the fixed brain, in mm, to those of the moving one."""
        return self._moved(places, 1.0, self.half)

    def backward(self, places: np.ndarray) -> np.ndarray:
        """Places (n, 3) of the moving brain, in mm, to those of the fixed one."""
        return self._moved(places, -1.0, np.linalg.inv(self.half))

    def inconsistency_mm(self, places: np.ndarray) -> tuple[float, float]:
        """How far from themselves places of the fixed brain come back: mean and largest, in mm."""
        away = np.linalg.norm(self.backward(self.forward(places)) - places, axis=1)
        return float(away.mean()), float(away.max())

    def _moved(self, places: np.ndarray, sign: float, half: np.ndarray) -> np.ndarray:
        shift = _exponential(torch.from_numpy(sign * self.velocity).float(), self.to_mm)
        middle = moved_points(half, places)
        moved = sample(shift, self.to_mm, torch.from_numpy(middle).float()).numpy().T
        return moved_points(half, middle + moved)


def register_dense(
    fixed: SoftAnatomy, moving: SoftAnatomy, matrix: np.ndarray | None = None
) -> DenseRegistration:
    """Find a diffeomorphism between two brains.

    Args:
        fixed: the tissues of one brain.
        moving: of the other.
        matrix: the affine registration, if it is known already.

    Raises:
        NotRegisteredError: the affine registration failed, or turns by nearly half a circle.
        ImageError: there is hardly a brain in one of them.
    """
    if matrix is None:
        matrix = register_linear(fixed, moving, "affine").matrix
    half = sqrtm(matrix)
    if np.iscomplexobj(half) or not np.isfinite(half).all():
        raise NotRegisteredError("lie half a turn apart: store them in the same orientation")
    to_mm, shape = _grid(fixed, moving, half)
    places = _places(to_mm, shape)
    velocity = torch.zeros((3, *shape))
    for mm, steps in _LEVELS:
        pair = (_Moved.of(fixed.coarse(mm), np.linalg.inv(half)),
                _Moved.of(moving.coarse(mm), half))  # fmt: skip
        for _ in range(steps):
            ours, theirs = (
                side.at(places + _exponential(sign * velocity / 2, to_mm).permute(1, 2, 3, 0))
                for side, sign in zip(pair, (-1, 1))
            )
            step = _step(ours, theirs)
            velocity = _smooth(velocity + step, _FIELD_SIGMA_MM) * _fading(shape)
            if float(_length(step).mean()) < _STILL_MM:
                break
    return DenseRegistration(matrix, np.asarray(half), velocity.numpy(), to_mm)


def jacobian_determinants(registration: DenseRegistration, fixed: SoftAnatomy) -> np.ndarray:
    """Determinant of the forward map's Jacobian in the voxels of the fixed brain, (n,)."""
    shape = fixed.probabilities.shape[1:]
    places = _places(fixed.to_mm, shape).numpy().astype(np.float64)
    moved = registration.forward(places.reshape(-1, 3)).reshape(places.shape)
    slopes = np.stack(np.gradient(moved, axis=(0, 1, 2)), axis=-1)  # d mm / d index
    determinants = np.linalg.det(slopes) / np.linalg.det(fixed.to_mm[:3, :3])
    return np.asarray(determinants[fixed.probabilities.sum(0) > 0.5])


@dataclass(frozen=True)
class _Moved:
    """The tissues of one brain, seen from the grid between both."""

    volume: Tensor
    to_mm: np.ndarray

    @classmethod
    def of(cls, anatomy: SoftAnatomy, from_middle: np.ndarray) -> _Moved:
        to_middle = np.linalg.inv(from_middle) @ anatomy.to_mm
        return cls(torch.from_numpy(anatomy.probabilities), to_middle)

    def at(self, places: Tensor) -> Tensor:
        return sample(self.volume, self.to_mm, places)


def _grid(
    fixed: SoftAnatomy, moving: SoftAnatomy, half: np.ndarray
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """A grid around both brains where they meet halfway; the same if they are exchanged."""
    both = np.concatenate(
        [
            moved_points(half, fixed.coarse(8.0).places()),
            moved_points(np.linalg.inv(half), moving.coarse(8.0).places()),
        ]
    )
    low, high = both.min(0) - _BORDER_MM, both.max(0) + _BORDER_MM
    size = np.ceil((high - low) / _GRID_MM).astype(int) + 1
    to_mm = np.zeros((4, 4))
    to_mm[[0, 1, 2], [2, 1, 0]] = _GRID_MM
    to_mm[3, 3] = 1
    to_mm[:3, 3] = (low + high - (size - 1) * _GRID_MM) / 2
    return to_mm, (int(size[2]), int(size[1]), int(size[0]))


def _places(to_mm: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    """Where (mm) the voxels of a grid lie, (S, P, L, 3)."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return torch.from_numpy(moved_points(to_mm, index.reshape(-1, 3)).reshape(index.shape)).float()


def _exponential(velocity: Tensor, to_mm: np.ndarray) -> Tensor:
    """The displacement (3, S, P, L), in mm, of flowing along a velocity for one unit of time."""
    places = _places(to_mm, velocity.shape[1:])
    longest = float(_length(velocity).max())
    squarings = max(0, int(np.ceil(np.log2(max(longest, 1e-6) / _FIRST_MM))))
    shift = velocity / 2**squarings
    for _ in range(squarings):
        shift = shift + sample(shift, to_mm, places + shift.permute(1, 2, 3, 0))
    return shift


def _step(ours: Tensor, theirs: Tensor) -> Tensor:
    """How much further to move, (3, S, P, L): weighted least squares around each place."""
    difference = theirs - ours
    slopes = torch.stack(torch.gradient((ours + theirs) / 2, dim=(1, 2, 3)), dim=1) / _GRID_MM
    slopes = slopes.flip(1)  # along L, P, S
    pull = _smooth((slopes * difference[:, None]).sum(0), _STEP_SIGMA_MM)
    pairs = [(i, j) for i in range(3) for j in range(i, 3)]
    upper = _smooth(
        torch.stack([(slopes[:, i] * slopes[:, j]).sum(0) for i, j in pairs]), _STEP_SIGMA_MM
    )
    curvature = torch.zeros((*pull.shape[1:], 3, 3))
    for (i, j), value in zip(pairs, upper):
        curvature[..., i, j] = curvature[..., j, i] = value
    curvature += _DAMPING * torch.eye(3)
    step = -torch.linalg.solve(curvature, pull.permute(1, 2, 3, 0)).permute(3, 0, 1, 2)
    return step * (_LONGEST_MM / _length(step).clamp_min(_LONGEST_MM))


def _length(field: Tensor) -> Tensor:
    return (field * field).sum(0).sqrt()  # torch's norm over a first axis is slow


def _smooth(field: Tensor, sigma_mm: float) -> Tensor:
    """A Gaussian over the last three axes."""
    sigma = sigma_mm / _GRID_MM
    reach = int(np.ceil(3 * sigma))
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel /= kernel.sum()
    smooth = field[:, None]
    for axis in range(3):
        size = [1, 1, 1]
        size[axis] = len(kernel)
        padding = [reach if n == axis else 0 for n in range(3)]
        smooth = functional.conv3d(smooth, kernel.reshape(1, 1, *size), padding=padding)
    return smooth[:, 0]


def _fading(shape: tuple[int, int, int]) -> Tensor:
    """1 inside, 0 at the rim of a grid, so that nothing is moved out of it."""
    ramps = []
    for n in shape:
        at = torch.arange(n, dtype=torch.float32)
        ramps.append((torch.minimum(at, n - 1 - at) / 3).clamp(max=1))
    return ramps[0][:, None, None] * ramps[1][:, None] * ramps[2]
