"""Weights of a trained network as the start of another one whose classes may be split or fewer.

Channels are matched by name. A class that has been split is inherited by all its parts, so that the
network goes on saying what it said before: of an input each part inherits the weights, an output is
shared out equally. (The idea of starting a larger network from a smaller one
without changing its function: Net2Net, Chen et al., ICLR 2016.)
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from disanat.errors import ModelError

__all__ = ["Channels", "inherited"]


@dataclass(frozen=True)
class Channels:
    """The names of the inputs and outputs of some layers, those that depend on the classes.

    `layers` is a regular expression for the names of parameters; empty `inputs` or `outputs` do not
    depend on the classes. With `logits` the outputs go into a softmax. With `shared` the inputs are
    shares of a voxel, so that each part of a split class inherits the weights; without, the parts
    start at 0. A name ends in that of the class, after a space where something precedes it.
    """

    layers: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    logits: bool = False
    shared: bool = True


def inherited(
    new: Mapping[str, Tensor],
    old: Mapping[str, Tensor],
    new_channels: Sequence[Channels],
    old_channels: Sequence[Channels],
    part_of: Mapping[str, str],
) -> dict[str, Tensor]:
    """Weights for a network, taken from a trained one.

    Args:
        new: state of the network that is to start; its shapes are kept.
        old: state of the trained network.
        new_channels: the layers of the new network that depend on its classes.
        old_channels: the same layers of the trained one, in the same order.
        part_of: for each class that may have been split off, the class it was part of.

    Raises:
        ModelError: layers are missing or have other widths, or a class is unknown to the old one.
    """
    state = {}
    for name, start in new.items():
        if name not in old:
            raise ModelError(f"they have no layer {name}")
        value = old[name]
        for wanted, there in zip(new_channels, old_channels, strict=True):
            if re.search(wanted.layers, name):
                value = _along(value, 0, wanted.outputs, there.outputs, part_of, wanted)
                if value.ndim > 1:
                    value = _along(value, 1, wanted.inputs, there.inputs, part_of, wanted)
        if value.shape != start.shape:
            raise ModelError(
                f"their layer {name} has shape {tuple(value.shape)}, not {tuple(start.shape)}"
            )
        state[name] = value.to(start.dtype)
    return state


def _along(
    value: Tensor,
    axis: int,
    wanted: Sequence[str],
    there: Sequence[str],
    part_of: Mapping[str, str],
    layer: Channels,
) -> Tensor:
    """The channels of one axis, in the order and number wanted."""
    if not wanted:
        return value
    sources = [_source(name, there, part_of) for name in wanted]
    value = value.index_select(axis, torch.tensor(sources, device=value.device))
    if axis == 0 and value.ndim == 1 and layer.logits:
        copies = Counter(sources)
        value = value - value.new_tensor([math.log(copies[source]) for source in sources])
    if axis == 1 and not layer.shared:
        own = value.new_tensor([float(name in there) for name in wanted])
        value = value * own.reshape(1, -1, *(1,) * (value.ndim - 2))
    return value


def _source(name: str, there: Sequence[str], part_of: Mapping[str, str]) -> int:
    """Which of the old channels a new one continues; a class is the last word of a name."""
    *before, last = name.split(" ")
    for candidate in (name, " ".join([*before, part_of.get(last, "")])):
        if candidate in there:
            return there.index(candidate)
    raise ModelError(f"they know nothing of {name}")
