"""Tissue probabilities in space: what a scan looks like to a registration that sees no contrast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from disanat.errors import ImageError

__all__ = ["SoftAnatomy", "centred_anatomy", "moved_points", "sample"]

_LEAST_ML = 100.0
_SIGMA = 0.5
"""Standard deviation of the smoothing, in voxels of the coarser grid."""


@dataclass(frozen=True)
class SoftAnatomy:
    """The tissues of one scan.

    `probabilities` is float32, (tissues, S, P, L), without the background, so that it is 0 outside
    the brain. `to_mm` (4, 4) takes an index (S, P, L, 1) to its place in mm along L, P, S (the
    patient's left, back and top). `view_to_mm` and `view_shape` are the same of the whole scan, of
    which the probabilities may be a part: beyond it nothing is known.
    """

    probabilities: np.ndarray
    to_mm: np.ndarray
    view_to_mm: np.ndarray
    view_shape: tuple[int, int, int]

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along S, P, L in mm."""
        s, p, l = np.linalg.norm(self.to_mm[:3, :3], axis=0)
        return float(s), float(p), float(l)

    @cached_property
    def volumes_ml(self) -> np.ndarray:
        """Volume of each tissue in mL."""
        voxel_ml = float(np.prod(self.spacing)) / 1000
        return np.asarray(self.probabilities.reshape(len(self.probabilities), -1).sum(1) * voxel_ml)

    @cached_property
    def centres(self) -> np.ndarray:
        """Centre of gravity of each tissue in mm, (tissues, 3); of the brain for one it lacks."""
        centres = np.array([ndimage.center_of_mass(p + 1e-12) for p in self.probabilities])
        places = moved_points(self.to_mm, centres)
        places[self.volumes_ml < 0.5] = self.centre
        return places

    @cached_property
    def centre(self) -> np.ndarray:
        """Centre of gravity of the brain in mm."""
        return moved_points(self.to_mm, [ndimage.center_of_mass(self.probabilities.sum(0))])[0]

    def check(self, name: str) -> None:
        """There is a brain to register.

        Raises:
            ImageError: there is hardly any; `name` says whose.
        """
        if self.volumes_ml.sum() < _LEAST_ML:
            raise ImageError(
                f"{name} shows only {self.volumes_ml.sum():.0f} mL of brain, too little to be "
                "registered by its anatomy: look at it, or register by intensity."
            )

    def coarse(self, mm: float) -> SoftAnatomy:
        """The same with voxels of about `mm` along each axis, smoothed accordingly; kept."""
        if mm not in self._coarser:
            self._coarser[mm] = self._at_size(mm)
        return self._coarser[mm]

    @cached_property
    def _coarser(self) -> dict[float, SoftAnatomy]:
        return {}

    def _at_size(self, mm: float) -> SoftAnatomy:
        steps = np.maximum(mm / np.array(self.spacing), 1.0)
        shape = np.ceil(np.array(self.probabilities.shape[1:]) / steps).astype(int) + 1
        first = (np.array(self.probabilities.shape[1:]) - 1 - (shape - 1) * steps) / 2
        smooth = self.probabilities
        for axis, (n, start, step) in enumerate(zip(shape, first, steps), start=1):
            weights = _weights(smooth.shape[axis], start + step * np.arange(n), _SIGMA * step)
            smooth = np.moveaxis(np.tensordot(weights, smooth, (1, axis)), 0, axis)
        scaled = np.diag([*steps, 1.0])
        scaled[:3, 3] = first
        return SoftAnatomy(
            np.ascontiguousarray(smooth, np.float32),
            self.to_mm @ scaled,
            self.view_to_mm,
            self.view_shape,
        )

    def places(self, margin_mm: float = 0.0) -> np.ndarray:
        """Where (mm) the voxels of the brain and of a margin around it lie, (n, 3)."""
        brain = self.probabilities.sum(0) > 0.05
        steps = [round(margin_mm / s) for s in self.spacing]
        near = ndimage.maximum_filter(np.pad(brain, [(n, n) for n in steps]),
                                      [2 * n + 1 for n in steps])  # fmt: skip
        return moved_points(self.to_mm, np.argwhere(near) - steps)

    def sees(self, places: np.ndarray) -> np.ndarray:
        """Which places (mm) lie within the scan; bool, (n,)."""
        index = moved_points(np.linalg.inv(self.view_to_mm), places)
        return np.asarray(((index > -0.5) & (index < np.array(self.view_shape) - 0.5)).all(1))

    def mirrored(self) -> SoftAnatomy:
        """Left and right exchanged, about the middle of the brain."""
        turn = np.diag([-1.0, 1.0, 1.0, 1.0])
        turn[0, 3] = 2 * self.centre[0]
        return SoftAnatomy(
            self.probabilities, turn @ self.to_mm, turn @ self.view_to_mm, self.view_shape
        )


def _weights(size: int, at: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian means of the samples 0 to size - 1 around places; beyond them lies 0."""
    reach = int(np.ceil(4 * sigma)) + 1
    first, last = min(0, int(at.min())), max(size, int(at.max()) + 1)
    every = np.arange(first - reach, last + reach)
    weights = np.exp(-0.5 * ((every - at[:, None]) / sigma) ** 2)
    weights /= weights.sum(1, keepdims=True)
    return weights[:, (every >= 0) & (every < size)].astype(np.float32)


def centred_anatomy(
    probabilities: np.ndarray, spacing: tuple[float, float, float]
) -> SoftAnatomy:
    """Probabilities (tissues, S, P, L) of a canonical array with its centre at 0 mm."""
    s, p, l = spacing
    to_mm = np.zeros((4, 4))
    to_mm[0, 2], to_mm[1, 1], to_mm[2, 0], to_mm[3, 3] = l, p, s, 1
    middle = (np.array(probabilities.shape[1:]) - 1) / 2
    to_mm[:3, 3] = -to_mm[:3, :3] @ middle
    shape = probabilities.shape[1], probabilities.shape[2], probabilities.shape[3]
    return SoftAnatomy(probabilities.astype(np.float32), to_mm, to_mm, shape)


def moved_points(matrix: np.ndarray, points: np.ndarray | list[tuple[float, ...]]) -> np.ndarray:
    """Points (n, 3) taken by an affine matrix (4, 4)."""
    return np.asarray(np.asarray(points) @ matrix[:3, :3].T + matrix[:3, 3])


def sample(volume: Tensor, to_mm: np.ndarray, places: Tensor) -> Tensor:
    """Linear interpolation, 0 outside.

    Args:
        volume: float32 (channels, S, P, L).
        to_mm: (4, 4), index to place in mm.
        places: (..., 3) in mm.

    Returns:
        (channels, ...).
    """
    matrix = torch.from_numpy(np.linalg.inv(to_mm)).to(places.dtype)
    index = places @ matrix[:3, :3].T + matrix[:3, 3]
    size = torch.tensor(volume.shape[1:], dtype=places.dtype)
    scaled = (2 * index + 1) / size - 1
    grid = scaled.flip(-1).reshape(1, 1, 1, -1, 3)
    values = functional.grid_sample(volume[None], grid, padding_mode="zeros", align_corners=False)
    return values.reshape(len(volume), *places.shape[:-1])
