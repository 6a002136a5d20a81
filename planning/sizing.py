"""How large patches, batches and networks may be: the first sizes, in a fixed order, that fit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Literal

from disanat.errors import PlanError
from disanat.plans import AXES, Augmentation, Configuration, Norm, NumberFormat, Triple
from planning.memory import estimate_gb
from planning.schedule import TRAINING_SHARE, Schedule, plan_schedule
from planning.topology import Topology, network_plan, plan_topology

__all__ = [
    "FIRST_FEATURES",
    "LARGEST_CPU_BLOCK",
    "MAX_STAGES",
    "Device",
    "Frame",
    "Sizes",
    "check_overrides",
    "configure",
    "fit",
    "ladder",
    "largest_batch",
    "schedule_of",
    "too_slow",
    "topology_of",
    "training_samples",
    "wanted_patch",
]

Device = Literal["cpu", "cuda"]
_MARGIN = 1.08
FIRST_FEATURES = {"cpu": 16, "cuda": 32}
_MOST_FEATURES = {"cpu": 128, "cuda": 320}
MAX_STAGES = {("cpu", 2): 5, ("cpu", 3): 5, ("cuda", 2): 7, ("cuda", 3): 6}
_LARGEST_CPU_BATCH = {2: 8, 3: 2}
LARGEST_CPU_BLOCK = 150_000
"""Voxels of a 3D patch on a CPU: a step takes about ten times as long as one of 2d there."""
_BATCH_SHARE = 0.05
_SMALLEST_EDGE = {2: 64, 3: 32}
_FEWEST_FEATURES = 8
_FEATURE_STEP = 4
_SMALLEST_GIVEN_EDGE = 16
_RUNGS = 3


@dataclass(frozen=True)
class Frame:
    """What stays the same while sizes are tried."""

    name: str
    dimension: Literal[2, 3]
    spacing: Triple
    axis: Literal["S", "P", "L"]
    context: int
    crop: tuple[float, ...]
    """Median brain crop in voxels, S, P, L."""
    cases: int
    classes: int
    device: Device
    number_format: NumberFormat = "float32"
    augmentation: Augmentation = Augmentation()
    patch: tuple[int, ...] | None = None
    """Set by the user; so is the batch."""
    batch: int | None = None
    norm: Norm = "instance"

    @property
    def patch_axes(self) -> tuple[int, ...]:
        return tuple(i for i in range(3) if self.dimension == 3 or AXES[i] != self.axis)


@dataclass(frozen=True)
class Sizes:
    """What is made smaller until the training fits."""

    patch: tuple[int, ...]
    batch: int
    features: int


def topology_of(frame: Frame, patch: Sequence[int]) -> Topology:
    """The U-Net's depth for a patch of this size."""
    spacing = [frame.spacing[axis] for axis in frame.patch_axes]
    return plan_topology(patch, spacing, MAX_STAGES[frame.device, frame.dimension])


def schedule_of(frame: Frame, sizes: Sizes) -> Schedule:
    """The length of the training with these sizes."""
    if frame.dimension == 2:
        samples = frame.crop[AXES.index(frame.axis)]
    else:
        samples = max(1.0, prod(frame.crop) / prod(sizes.patch))
    return plan_schedule(frame.cases, samples, sizes.batch, frame.device, frame.dimension)


def configure(frame: Frame, sizes: Sizes, name: str = "") -> Configuration:
    """The configuration with these sizes, its memory estimated."""
    topology, schedule = topology_of(frame, sizes.patch), schedule_of(frame, sizes)
    most = _MOST_FEATURES[frame.device]
    fewer = max(_FEWEST_FEATURES, sizes.features * 3 // 4)
    in_plane = sorted(frame.spacing[axis] for axis in frame.patch_axes)
    unmeasured = Configuration(
        name=name or frame.name,
        dimension=frame.dimension,
        spacing=frame.spacing,
        slice_axis=frame.axis,
        context_slices=frame.context,
        patch_size=topology.patch_size,
        batch_size=sizes.batch,
        encoder=network_plan(topology, sizes.features, most),
        restorer=network_plan(topology, fewer, max(fewer, most // 2)),
        comparator=network_plan(topology, fewer, max(fewer, most // 2)),
        decoder_features=sizes.features,
        edge_mm=in_plane[1],
        epochs=schedule.epochs,
        iterations_per_epoch=schedule.iterations_per_epoch,
        learning_rate=schedule.learning_rate,
        estimated_memory_gb=0.0,
        augmentation=frame.augmentation,
        norm=frame.norm,
    )
    memory = estimate_gb(unmeasured, frame.classes, frame.device, frame.number_format)
    return replace(unmeasured, estimated_memory_gb=ceil(memory * 1000) / 1000)


def check_overrides(frame: Frame) -> None:
    """Refuse a patch or batch set by the user that cannot be.

    Raises:
        PlanError: the sentence says what could be.
    """
    if frame.batch is not None and (frame.batch < 2 or frame.batch % 2):
        raise PlanError(
            f"A batch of {frame.batch} cannot be: samples come as pairs, give an even number."
        )
    if frame.patch is None:
        return
    named = " x ".join(map(str, frame.patch))
    if min(frame.patch) < _SMALLEST_GIVEN_EDGE:
        raise PlanError(
            f"A patch of {named} voxels is too small: give at least {_SMALLEST_GIVEN_EDGE} for "
            "each axis with --patch_size."
        )
    possible = topology_of(frame, frame.patch).patch_size
    if possible != frame.patch:
        nearest = " ".join(map(str, possible))
        raise PlanError(
            f"A {frame.name} patch of {named} voxels cannot be halved as often as the network "
            f"does: use --patch_size {nearest}."
        )


def wanted_patch(frame: Frame) -> tuple[int, ...]:
    """The median brain and a margin of 8%, in voxels."""
    return tuple(ceil(frame.crop[axis] * _MARGIN) for axis in frame.patch_axes)


def fit(frame: Frame, memory_gb: float) -> Sizes:
    """The largest sizes whose estimate stays within the memory.

    There is one order of sizes, each at least as large as the one before: the patch grows to the
    whole brain, then the batch. So more memory never gives a smaller patch, depth or batch. Where
    even the first does not fit, features are taken away; what memory is left makes the networks
    wider, up to twice: on a GPU, and on a CPU where it is memory that keeps the batch small.

    Raises:
        PlanError: even the smallest plan does not fit, or what the user has set does not.
    """

    def fits(sizes: Sizes) -> bool:
        return configure(frame, sizes).estimated_memory_gb <= memory_gb

    features = FIRST_FEATURES[frame.device]
    batches = _batches(frame)
    patches = _patches(frame, features)
    order = [Sizes(patch, batches[0], features) for patch in patches]
    order += [Sizes(patches[-1], batch, features) for batch in batches[1:]]
    sizes = order[0]
    while not fits(sizes):
        fewer = _fewer_features(sizes)
        if fewer is None:
            raise PlanError(_too_little(frame, sizes, memory_gb))
        sizes = fewer
    if sizes is not order[0]:
        return sizes
    largest = order[bisect_left(order, True, key=lambda sizes: not fits(sizes)) - 1]
    if frame.device == "cpu" and largest == order[-1]:
        return largest  # time is the limit here, and wider networks take more of it
    return _widened(largest, fits)


def _patches(frame: Frame, features: int) -> list[tuple[int, ...]]:
    """All patches from the smallest to the whole brain, or the one that the user has set."""
    if frame.patch is not None:
        return [frame.patch]
    patch = topology_of(frame, wanted_patch(frame)).patch_size
    found = [patch]
    while smaller := _smaller_patch(frame, Sizes(found[-1], 2, features)):
        found.append(smaller.patch)
    return [p for p in found[::-1] if not too_slow(frame, p)] or found[-1:]


def too_slow(frame: Frame, patch: Sequence[int]) -> bool:
    """Whether a step with this patch would take a CPU too long, whatever memory it has."""
    return frame.device == "cpu" and frame.dimension == 3 and prod(patch) > LARGEST_CPU_BLOCK


def _batches(frame: Frame) -> list[int]:
    """All batches from 2 to the largest, or the one that the user has set."""
    if frame.batch is not None:
        return [frame.batch]
    return list(range(2, largest_batch(frame) + 1, 2))


def largest_batch(frame: Frame) -> int:
    """On a GPU a twentieth of the samples to train on, as nnU-Net has it; a CPU's limit is time."""
    if frame.device == "cpu":
        return _LARGEST_CPU_BATCH[frame.dimension]
    return max(2, int(_BATCH_SHARE * training_samples(frame)) // 2 * 2)


def training_samples(frame: Frame) -> float:
    """Slices, or in 3D whole brains, of the cases that a fold trains on."""
    each = frame.crop[AXES.index(frame.axis)] if frame.dimension == 2 else 1.0
    return frame.cases * TRAINING_SHARE * each


def _widened(sizes: Sizes, fits: Callable[[Sizes], bool]) -> Sizes:
    wider = [
        replace(sizes, features=features)
        for features in range(sizes.features, 2 * sizes.features + 1, _FEATURE_STEP)
    ]
    return wider[bisect_left(wider, True, key=lambda sizes: not fits(sizes)) - 1]


def _too_little(frame: Frame, sizes: Sizes, memory_gb: float) -> str:
    needs = configure(frame, sizes).estimated_memory_gb
    if frame.patch is not None or frame.batch is not None:
        patch = " x ".join(map(str, sizes.patch))
        return (
            f"A {frame.name} patch of {patch} voxels and a batch of {sizes.batch} need "
            f"{needs:.1f} GB, but there are {memory_gb:g}: give a smaller --patch_size or "
            "--batch_size, or more with --gpu_memory_gb."
        )
    return (
        f"{memory_gb:g} GB of memory are too little for the smallest {frame.name} plan, which "
        f"needs {needs:.1f} GB: give more with --gpu_memory_gb, or plan on a larger machine."
    )


def _smaller_patch(frame: Frame, sizes: Sizes) -> Sizes | None:
    """Take one step off the axis that covers most of the brain; None where all are smallest."""
    divisors = topology_of(frame, sizes.patch).divisors
    floor = _SMALLEST_EDGE[frame.dimension]
    can = [i for i, edge in enumerate(sizes.patch) if edge - divisors[i] >= floor]
    if not can:
        return None
    crop = [frame.crop[axis] for axis in frame.patch_axes]
    longest = max(can, key=lambda i: sizes.patch[i] / crop[i])
    patch = tuple(
        edge - divisors[i] if i == longest else edge for i, edge in enumerate(sizes.patch)
    )
    return replace(sizes, patch=patch)


def _fewer_features(sizes: Sizes) -> Sizes | None:
    half = sizes.features // 2
    return replace(sizes, features=half) if half >= _FEWEST_FEATURES else None


def _half_batch(sizes: Sizes) -> Sizes | None:
    half = max(2, sizes.batch // 4 * 2)
    return replace(sizes, batch=half) if half < sizes.batch else None


def ladder(frame: Frame, sizes: Sizes) -> tuple[Configuration, ...]:
    """Smaller plans: half the batch, half of that, then half the features or a smaller patch."""
    rungs: list[Configuration] = []
    for number in range(1, _RUNGS + 1):
        smaller = _half_batch(sizes) if number < _RUNGS else None
        smaller = smaller or _fewer_features(sizes) or _smaller_patch(frame, sizes)
        smaller = smaller or _half_batch(sizes)
        if smaller is None:
            break
        rung = configure(frame, smaller, f"{frame.name}_rung{number}")
        if rung.estimated_memory_gb >= configure(frame, sizes).estimated_memory_gb:
            break  # for tiny brains a smaller plan saves nothing
        sizes = smaller
        rungs.append(rung)
    return tuple(rungs)
