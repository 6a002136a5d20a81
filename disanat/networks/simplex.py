"""Simplex noise: gradient noise on a grid of triangles (2D) or tetrahedra (3D), in octaves.

The algorithm is Perlin's ("Noise hardware", SIGGRAPH course notes, 2001) as Gustavson explains it
("Simplex noise demystified", 2005). Fields of one call share the grid, whose place is random, and
have gradients of their own. So a field is a sum over corners with the same weights for all, which
`embedding_bag` calculates for all at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["simplex_noise"]

_WAVELENGTHS = (64, 32, 16, 8, 4, 2)
_PERSISTENCE = 0.8
_REACH = 0.5
"""Square of the distance from which on a corner has no say."""
_FALLOFF = 4
"""Power with which a corner's say falls with distance: the square of a square."""


def simplex_noise(count: int, shape: Sequence[int], device: torch.device | None = None) -> Tensor:
    """Independent random fields of zero mean and unit variance, from torch's generator.

    Six octaves with wavelengths of 64 to 2 voxels, each of 0.8 times the amplitude of the one
    before, as AnoDDPM uses (Wyatt et al., CVPR workshops 2022).

    Args:
        count: how many.
        shape: of one field in voxels, two axes or three.

    Returns:
        float32, (count, 1, *shape).
    """
    total = torch.zeros(count, *shape, device=device)
    power = 0.0
    for octave, wavelength in enumerate(_WAVELENGTHS):
        amplitude = _PERSISTENCE**octave
        total += amplitude * _octave(count, shape, wavelength, device)
        power += amplitude**2
    return total[:, None] / math.sqrt(power)


def _octave(
    count: int, shape: Sequence[int], wavelength: float, device: torch.device | None
) -> Tensor:
    """Fields of unit variance on average over the grid's places; (count, *shape)."""
    dimension = len(shape)
    start = torch.rand(dimension).tolist()
    axes = [torch.arange(n, device=device) / wavelength + s for n, s in zip(shape, start)]
    points = torch.stack([one.flatten() for one in torch.meshgrid(*axes, indexing="ij")])
    back = (1 - 1 / math.sqrt(dimension + 1)) / dimension
    cells = (points + (math.sqrt(dimension + 1) - 1) / dimension * points.sum(0)).floor()
    inside = points - cells + back * cells.sum(0)
    rank = torch.stack([_before(inside, axis) for axis in range(dimension)])
    cells = cells.int()
    cells -= cells.amin(1, keepdim=True)
    sizes = (cells.amax(1) + 2).tolist()
    strides = [math.prod(sizes[axis + 1 :]) for axis in range(dimension)]
    rows, weights = [], []
    for corner in range(dimension + 1):
        step = (rank < corner).int()
        away = inside - step + corner * back
        weight = (_REACH - away.square().sum(0)).clamp_min(0).square().square()
        lattice = cells + step
        place = sum(s * index for s, index in zip(strides, lattice)) * dimension
        for axis in range(dimension):
            rows.append(place + axis)
            weights.append(weight * away[axis])
    signs = torch.randint(2, (math.prod(sizes) * dimension, count), device=device)
    gradients = (2 * signs - 1) / math.sqrt(dimension)
    fields = functional.embedding_bag(
        torch.stack(rows, 1), gradients, mode="sum", per_sample_weights=torch.stack(weights, 1)
    )
    return fields.T.reshape(count, *shape) / _deviation(dimension)


def _before(values: Tensor, axis: int) -> Tensor:
    """How many of a point's values, (axes, points), come before one by size, ties in order."""
    earlier = (values[:axis] >= values[axis]).sum(0)
    return earlier + (values[axis + 1 :] > values[axis]).sum(0)


def _deviation(dimension: int) -> float:
    """Standard deviation of simplex noise with random gradients of length 1, over all places.

    A corner at distance r adds (reach - r^2)^(2 falloff) r^2 / dimension to the variance. The
    integral of it over space, times the corners in a unit of volume, is a beta function.
    """
    half = dimension / 2
    sphere = 2 * math.pi**half / math.gamma(half)
    power = 2 * _FALLOFF + 1
    beta = math.gamma(power) * math.gamma(half + 1) / math.gamma(power + half + 1)
    integral = sphere / 2 * _REACH ** (power + half) * beta / dimension
    return math.sqrt(math.sqrt(dimension + 1) * integral)
