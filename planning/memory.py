"""How much memory a training needs, by arithmetic alone, and how much this machine has.

Nothing is allocated: the sizes of all tensors that the backward pass must keep follow from the
topology. In bfloat16 the networks' own maps take half the bytes, but autograd also keeps a copy of
each weight in that format; everything around the networks stays in float32.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

from disanat.plans import Configuration, NetworkPlan, NumberFormat

__all__ = [
    "default_memory",
    "estimate_gb",
    "kept_bytes",
    "parameters",
    "runtime_gb",
    "training_operations",
]

GB = 1024**3
_BYTES = 4
_COPIES_OF_WEIGHTS = 5
"""Weights, gradients, AdamW's two moments, and the averaged copy (EMA)."""
_WORKSPACE_TENSORS = 4
"""Gradients in flight and the convolutions' workspace, in units of the largest tensor."""
_ALLOCATOR = 1.1
"""What fragmentation adds."""
_RUNTIME_GB = {"cpu": 1.5, "cuda": 1.0}
"""torch itself, and the loaders' patches (cpu) or the CUDA context (cuda)."""
_MAPS_PER_CLASS = 13
"""Kept around the networks for each class of the anatomy, in float32 maps: softmax, one-hot and its
straight-through copy, edges and where they were found (int64), restored classes, the same painted,
and the terms of the losses; the agreement of pairs needs half a map."""
_SINGLE_MAPS = 14
"""Labels (int64), lesion logit and mask, painted and healthy image, and their losses."""


@dataclass(frozen=True)
class _Cost:
    """Of one network and one sample: numbers of elements, not bytes."""

    activations: int
    """Kept for the backward pass."""
    largest: int
    parameters: int
    operations: int
    """Multiply-adds of all convolutions, once forwards."""


def _unet_cost(plan: NetworkPlan, inputs: int, outputs: int, patch: Sequence[int]) -> _Cost:
    """What a PlainConvUNet keeps: two convolutions a stage down, one a stage up.

    A convolution block (convolution, instance norm, LeakyReLU in place) keeps the outputs of the
    convolution and of the norm. Going up, the concatenation with the skip is kept too.
    """
    activations, parameters, largest, operations = 0, 0, 0, 0
    sizes: list[int] = []
    edge, before = tuple(patch), inputs
    for features, stride, kernel in zip(
        plan.features, plan.strides, plan.kernel_sizes, strict=True
    ):
        edge = tuple(size // step for size, step in zip(edge, stride, strict=True))
        sizes.append(prod(edge))
        activations += 2 * plan.convs_per_stage * features * sizes[-1]
        for _ in range(plan.convs_per_stage):
            parameters += prod(kernel) * before * features + 3 * features
            operations += prod(kernel) * before * features * sizes[-1]
            before = features
        largest = max(largest, features * sizes[-1])
    for stage in reversed(range(len(plan.features) - 1)):
        features, below = plan.features[stage], plan.features[stage + 1]
        voxels = sizes[stage]
        activations += (2 * features + 2 * features) * voxels
        parameters += prod(plan.strides[stage + 1]) * below * features + features
        parameters += prod(plan.kernel_sizes[stage]) * 2 * features * features + 3 * features
        parameters += (features + 1) * outputs
        operations += below * features * voxels
        operations += prod(plan.kernel_sizes[stage]) * 2 * features * features * voxels
        largest = max(largest, 2 * features * voxels)
    operations += plan.features[0] * outputs * sizes[0]
    return _Cost(activations + inputs * prod(patch), largest, parameters, operations)


def _decoder_cost(features: int, classes: int, patch: Sequence[int]) -> _Cost:
    """What the image decoder keeps: what goes in, two hidden layers, each before and after FiLM."""
    voxels, kernel = prod(patch), 3 ** len(patch)
    painting = kernel * ((classes + 2) * features + features * features + features)
    film = 64 * (classes + 1) + 4 * features * (64 + 1)
    kept = (classes + 2 + 4 * features) * voxels
    return _Cost(kept, features * voxels, painting + 2 * features + 1 + film, painting * voxels)


def kept_bytes(configuration: Configuration, classes: int, number_format: NumberFormat) -> int:
    """Bytes that autograd keeps for one training step of all networks together."""
    patch, maps = configuration.patch_size, classes + 1
    around = (_MAPS_PER_CLASS * maps + _SINGLE_MAPS) * prod(patch)
    costs = _costs(configuration, classes)
    kept = configuration.batch_size * sum(cost.activations for cost in costs)
    if number_format == "bfloat16":
        twice = configuration.batch_size * 2 * maps * prod(patch)  # anatomies, once more as input
        inside = 2 * (kept + twice + sum(cost.parameters for cost in costs))
    else:
        inside = _BYTES * kept
    return inside + _BYTES * configuration.batch_size * around


def _costs(configuration: Configuration, classes: int) -> tuple[_Cost, ...]:
    """Of encoder, restoration network, decoder and comparator."""
    patch, maps = configuration.patch_size, classes + 1
    slices = 2 * configuration.context_slices + 1 if configuration.dimension == 2 else 1
    return (
        _unet_cost(configuration.encoder, slices, maps + 1, patch),
        _unet_cost(configuration.restorer, maps, maps, patch),
        _decoder_cost(configuration.decoder_features, classes, patch),
        _unet_cost(configuration.comparator, slices + 1 + 2 * maps, 1, patch),
    )


def parameters(configuration: Configuration, classes: int) -> int:
    """Weights of all networks together."""
    direct = (classes + 1) ** 2  # the restoration network's path from edges to classes
    return direct + sum(cost.parameters for cost in _costs(configuration, classes))


def training_operations(configuration: Configuration, classes: int) -> float:
    """Floating-point operations of a whole training, all networks together.

    A multiply-add counts as two; going backwards costs twice as much as going forwards. The
    decoder paints a second time, forwards only, for the comparator.
    """
    encoder, restorer, decoder, comparator = _costs(configuration, classes)
    trained = encoder.operations + restorer.operations + decoder.operations + comparator.operations
    steps = configuration.epochs * configuration.iterations_per_epoch
    return 2.0 * (3 * trained + decoder.operations) * configuration.batch_size * steps


def runtime_gb(device: str) -> float:
    """What is needed beside the tensors of a training."""
    return _RUNTIME_GB[device]


def estimate_gb(
    configuration: Configuration, classes: int, device: str, number_format: NumberFormat
) -> float:
    """Memory in GB for one training step of all networks together, and for what surrounds it.

    Args:
        configuration: its `estimated_memory_gb` is not looked at.
        classes: tissue classes without background.
        device: `cpu` or `cuda`.
        number_format: what the networks calculate in.
    """
    costs = _costs(configuration, classes)
    kept = kept_bytes(configuration, classes, number_format)
    largest = max(cost.largest for cost in costs)
    each = 2 if number_format == "bfloat16" else _BYTES
    workspace = each * configuration.batch_size * _WORKSPACE_TENSORS * largest
    weights = _BYTES * _COPIES_OF_WEIGHTS * parameters(configuration, classes)
    return runtime_gb(device) + _ALLOCATOR * (kept + workspace + weights) / GB


def default_memory() -> tuple[Literal["cpu", "cuda"], float]:
    """The device to plan for, and its memory in GB: a GPU if torch sees one, else main memory.

    In a container, main memory is what its cgroup allows.
    """
    import torch  # only here: planning must not wait for torch when the memory is given

    if torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        return "cuda", float(max(1, round(total / GB)))
    return "cpu", float(max(1, _main_memory() // GB))


def _main_memory() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    )
    for path in limits:
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            return min(int(text), physical)
    return physical
