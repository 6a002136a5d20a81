"""Depth, strides and kernels of a U-Net from a patch's size and voxel spacing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from disanat.plans import NetworkPlan

__all__ = ["Topology", "network_plan", "plan_topology"]

MINIMUM_EDGE = 6
_COMPARABLE = 2.0
CONVS_PER_STAGE = 2


@dataclass(frozen=True)
class Topology:
    """Strides and kernels of each stage, and the patch rounded up so that they divide it."""

    strides: tuple[tuple[int, ...], ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    patch_size: tuple[int, ...]

    @property
    def divisors(self) -> tuple[int, ...]:
        """The product of all strides, per axis."""
        return tuple(_product(axis) for axis in zip(*self.strides, strict=True))


def _product(values: Sequence[int]) -> int:
    result = 1
    for value in values:
        result *= value
    return result


def plan_topology(patch: Sequence[int], spacing: Sequence[float], max_stages: int) -> Topology:
    """Halve the axes of comparable spacing, again and again, while there is room.

    An axis has room while half of it is at least six voxels. Of the axes with room, those are
    halved whose voxels are less than twice as long as the shortest. This ends when fewer than two
    axes have room, or at `max_stages`. In 3D a kernel spans 3 voxels along an axis, but 1 while
    the voxels there are at least twice as long as the shortest; in 2D always 3.

    Args:
        patch: wished size in voxels, two or three axes.
        spacing: mm, for the same axes.
        max_stages: stages of the network, counting the one at full resolution.
    """
    sizes, current = [float(edge) for edge in patch], [float(mm) for mm in spacing]
    strides = [(1,) * len(sizes)]
    kernels = [_kernels(current)]
    while len(strides) < max_stages:
        room = [axis for axis, size in enumerate(sizes) if size / 2 >= MINIMUM_EDGE]
        if len(room) < 2:
            break
        shortest = min(current[axis] for axis in room)
        halved = [axis for axis in room if current[axis] < _COMPARABLE * shortest]
        stride = tuple(2 if axis in halved else 1 for axis in range(len(sizes)))
        sizes = [size / step for size, step in zip(sizes, stride, strict=True)]
        current = [mm * step for mm, step in zip(current, stride, strict=True)]
        strides.append(stride)
        kernels.append(_kernels(current))
    divisors = [_product(axis) for axis in zip(*strides, strict=True)]
    rounded = tuple(
        ceil(edge / divisor) * divisor for edge, divisor in zip(patch, divisors, strict=True)
    )
    return Topology(tuple(strides), tuple(kernels), rounded)


def _kernels(spacing: Sequence[float]) -> tuple[int, ...]:
    if len(spacing) == 2:
        return (3, 3)
    return tuple(1 if mm >= _COMPARABLE * min(spacing) else 3 for mm in spacing)


def network_plan(topology: Topology, first: int, most: int) -> NetworkPlan:
    """A U-Net whose features double at every stage, from `first` up to `most`."""
    stages = len(topology.strides)
    return NetworkPlan(
        features=tuple(min(first * 2**stage, most) for stage in range(stages)),
        strides=topology.strides,
        kernel_sizes=topology.kernel_sizes,
        convs_per_stage=CONVS_PER_STAGE,
    )
