"""Applying a network that was trained on slices or patches to a whole volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from disanat.networks.precision import calculating, native_format
from disanat.networks.turns import check_stopped, network_turns
from disanat.plans import AXES, Configuration

__all__ = ["FAST", "THOROUGH", "Tiling", "apply_to_volume"]

Network = Callable[[Tensor], Tensor]
_SLICES_AT_ONCE = 16


@dataclass(frozen=True)
class Tiling:
    """How often a network looks at a voxel, and how closely: slower, and a little better."""

    mirror: bool
    """Average with the result of the volume mirrored left to right, where the caller agrees."""
    step: float
    """Distance of 3D patches, as a share of their edge."""
    short: bool = False
    """Calculate in bfloat16 where the device has instructions for it."""


THOROUGH = Tiling(mirror=True, step=0.5)
FAST = Tiling(mirror=False, step=0.75, short=True)


def apply_to_volume(
    network: Network,
    volume: Tensor,
    configuration: Configuration,
    fill: float,
    context: bool = True,
    mirror: bool = True,
    beside: Tensor | None = None,
    tiling: Tiling = THOROUGH,
) -> Tensor:
    """Run a network over a volume and assemble its output.

    2D configurations go slice by slice along the plan's slice axis; 3D ones in overlapping
    patches, weighted by a Gaussian. In a process one volume is worked on at a time.

    Args:
        network: maps (batch, channels, ...) to (batch, channels_out, ...).
        volume: shape (channels, S, P, L).
        configuration: the plan's configuration.
        fill: value beyond the volume's border.
        context: 2D, one channel: give neighbouring slices as further channels.
        mirror: average with the result of the volume mirrored left to right, if `tiling` allows.
        beside: further channels, (any number, S, P, L), given without neighbouring slices.
        tiling: how often to look at a voxel, and how closely.

    Returns:
        float32 tensor of shape (channels_out, S, P, L).
    """
    number_format = native_format(volume.device.type) if tiling.short else "float32"
    with network_turns.one(), calculating(number_format, volume.device):
        result = _once(network, volume, configuration, fill, context, beside, tiling.step)
        if not (mirror and tiling.mirror):
            return result
        other = None if beside is None else beside.flip(3)
        flipped = volume.flip(3)
        again = _once(network, flipped, configuration, fill, context, other, tiling.step)
        return (result + again.flip(3)) / 2


def _once(
    network: Network,
    volume: Tensor,
    configuration: Configuration,
    fill: float,
    context: bool,
    beside: Tensor | None,
    step: float,
) -> Tensor:
    if configuration.dimension == 3:
        whole = volume if beside is None else torch.cat([volume, beside])
        return _tiled(network, whole, configuration.patch_size, fill, step)
    return _slicewise(network, volume, configuration, fill, context, beside)


def _divisor(configuration: Configuration) -> int:
    return int(np.prod([max(s) for s in configuration.encoder.strides]))


def _slicewise(
    network: Network,
    volume: Tensor,
    configuration: Configuration,
    fill: float,
    context: bool,
    beside: Tensor | None,
) -> Tensor:
    axis = AXES.index(configuration.slice_axis) + 1
    stack = volume.movedim(axis, 1)
    reach = configuration.context_slices if context else 0
    divisor = _divisor(configuration)
    height, width = stack.shape[2:]
    padding = (0, -width % divisor, 0, -height % divisor, reach, reach)
    padded = functional.pad(stack, padding, value=fill)
    more = None
    if beside is not None:
        more = functional.pad(beside.movedim(axis, 1), padding[:4], mode="replicate")
    depth = stack.shape[1]
    parts = []
    for start in range(0, depth, _SLICES_AT_ONCE):
        check_stopped()
        stop = min(start + _SLICES_AT_ONCE, depth)
        batch = torch.stack(
            [padded[:, i : i + 2 * reach + 1].flatten(0, 1) for i in range(start, stop)]
        )
        if more is not None:
            batch = torch.cat([batch, more[:, start:stop].movedim(1, 0)], 1)
        parts.append(network(batch)[:, :, :height, :width].float())
    return torch.cat(parts).movedim(0, 1).movedim(1, axis)


def _tiled(
    network: Network, volume: Tensor, patch: Sequence[int], fill: float, step: float
) -> Tensor:
    shape = volume.shape[1:]
    missing = [max(0, p - n) for p, n in zip(patch, shape, strict=True)]
    padding = [side for m in reversed(missing) for side in (m // 2, m - m // 2)]
    padded = functional.pad(volume, padding, value=fill)
    weight = _gaussian(patch).to(volume.device)
    total: Tensor | None = None
    weights = torch.zeros(padded.shape[1:], device=volume.device)
    for corner in _corners(padded.shape[1:], patch, step):
        check_stopped()
        place = tuple(slice(c, c + p) for c, p in zip(corner, patch, strict=True))
        output = network(padded[(slice(None), *place)][None])[0].float()
        if total is None:
            total = output.new_zeros((len(output), *padded.shape[1:]))
        total[(slice(None), *place)] += output * weight
        weights[place] += weight
    if total is None:
        raise ValueError("a volume has at least one patch")
    inside = tuple(slice(m // 2, m // 2 + n) for m, n in zip(missing, shape, strict=True))
    return (total / weights)[(slice(None), *inside)]


def _corners(
    shape: Sequence[int], patch: Sequence[int], step: float
) -> Iterator[tuple[int, ...]]:
    starts = []
    for n, p in zip(shape, patch, strict=True):
        steps = max(1, int(np.ceil((n - p) / (p * step))) + 1) if n > p else 1
        starts.append([round(s) for s in np.linspace(0, n - p, steps)])
    return product(*starts)


def _gaussian(patch: Sequence[int]) -> Tensor:
    axes = [
        torch.exp(-0.5 * ((torch.arange(p) - (p - 1) / 2) / (p / 8)) ** 2).clamp_min(1e-3)
        for p in patch
    ]
    return axes[0][:, None, None] * axes[1][None, :, None] * axes[2][None, None, :]
