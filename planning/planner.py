"""From a fingerprint to a plan: pure functions, so that the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from disanat.errors import PlanError
from disanat.io.dataset import mapping_scheme
from disanat.plans import AXES, Configuration, Decision, Fingerprint, Plans, Triple
from disanat.tissues import THREE_CLASSES, TissueClass
from planning.sizing import (
    FIRST_FEATURES,
    MAX_STAGES,
    Device,
    Frame,
    Sizes,
    configure,
    fit,
    ladder,
    largest_batch,
    schedule_of,
    topology_of,
    training_samples,
    wanted_patch,
)
from planning.spacing import (
    context_slices,
    describe_spacing,
    median_crop,
    slice_axis,
    target_spacing,
)

__all__ = ["CONFIGURATIONS", "plan"]

CONFIGURATIONS = ("2d", "3d_fullres")


def plan(
    fingerprint: Fingerprint,
    label_mapping: Mapping[str, Sequence[int]],
    *,
    device: Device,
    memory_gb: float,
    configurations: Sequence[str] = ("2d",),
    overridden: Sequence[str] = (),
) -> Plans:
    """Plan every wanted configuration of a dataset.

    Args:
        fingerprint: of the dataset.
        label_mapping: class name -> numbers of its label maps; empty without any.
        device: what the training runs on.
        memory_gb: its memory.
        configurations: of `CONFIGURATIONS`; the first planned one is recommended, but 2d before
            all others.
        overridden: names of settings the user has made himself; kept in the plan.

    Raises:
        PlanError: unknown configuration, or too little memory even for the smallest plan.
    """
    _check_names(configurations)
    scheme, mapping, about_classes = _classes(fingerprint, label_mapping)
    spacing, about_spacing = target_spacing(fingerprint)
    about_device = Decision(
        "device",
        f"{device}, {memory_gb:g} GB",
        "The memory was given."
        if "gpu_memory_gb" in overridden
        else "This is what was found on this machine.",
    )
    decisions = [about_device, about_classes, _about_skull(fingerprint), about_spacing]
    planned: dict[str, Configuration] = {}
    rungs: tuple[Configuration, ...] = ()
    recommended = "2d" if "2d" in configurations else configurations[0]
    for name in dict.fromkeys(configurations):
        frame, reasons = _frame(name, fingerprint, spacing, len(scheme), device)
        sizes = fit(frame, memory_gb)
        planned[name] = configure(frame, sizes)
        decisions += reasons + _explain(frame, sizes, planned[name], memory_gb)
        if name == recommended:
            rungs = ladder(frame, sizes)
            decisions.append(_about_ladder(name, rungs))
    decisions.append(_about_recommendation(recommended))
    return Plans(
        dataset=fingerprint.dataset,
        channel_names=fingerprint.channel_names,
        classes=tuple(tissue.name for tissue in scheme),
        prior="labels" if mapping else "atlas",
        label_mapping=mapping,
        skull_stripped=fingerprint.skull_stripped,
        device=device,
        memory_gb=memory_gb,
        configurations=planned,
        recommended=recommended,
        ladder=rungs,
        decisions=tuple(decisions),
        overridden=tuple(overridden),
    )


def _check_names(configurations: Sequence[str]) -> None:
    unknown = [name for name in configurations if name not in CONFIGURATIONS]
    if unknown or not configurations:
        raise PlanError(
            f"There is no configuration '{', '.join(unknown)}': use {' or '.join(CONFIGURATIONS)}."
        )


def _classes(
    fingerprint: Fingerprint, label_mapping: Mapping[str, Sequence[int]]
) -> tuple[tuple[TissueClass, ...], dict[str, tuple[int, ...]], Decision]:
    scheme = mapping_scheme(label_mapping) if fingerprint.prior_available else None
    if scheme is None:
        reason = (
            "The dataset has no label maps, so the anatomy comes from the atlas by registration, "
            f"which knows {len(THREE_CLASSES)} tissues."
        )
        names = ", ".join(tissue.name for tissue in THREE_CLASSES)
        return THREE_CLASSES, {}, Decision("tissue classes", f"{names} (atlas)", reason)
    mapping = {name: tuple(numbers) for name, numbers in label_mapping.items()}
    numbers = len({label for numbers in mapping.values() for label in numbers})
    reason = (
        f"Label maps come with all {len(fingerprint.cases)} cases, and {numbers} of their numbers "
        f"belong to {len(mapping)} of the {len(scheme)} tissues."
    )
    names = ", ".join(tissue.name for tissue in scheme)
    return scheme, mapping, Decision("tissue classes", f"{names} (label maps)", reason)


def _about_skull(fingerprint: Fingerprint) -> Decision:
    stripped = sum(case.skull_stripped for case in fingerprint.cases)
    return Decision(
        "skull",
        "stripped" if fingerprint.skull_stripped else "in the scans",
        f"{stripped} of {len(fingerprint.cases)} cases have one constant value around the brain.",
    )


def _frame(
    name: str, fingerprint: Fingerprint, spacing: Triple, classes: int, device: Device
) -> tuple[Frame, list[Decision]]:
    crop, cases = median_crop(fingerprint, spacing), len(fingerprint.cases)
    if name != "2d":
        return Frame(name, 3, spacing, "S", 0, crop, cases, classes, device), []
    axis, why_axis = slice_axis(spacing)
    context, why_context = context_slices(spacing[AXES.index(axis)])
    decisions = [
        Decision("2d: slices across", axis, why_axis),
        Decision("2d: neighbouring slices on each side", str(context), why_context),
    ]
    return Frame(name, 2, spacing, axis, context, crop, cases, classes, device), decisions


def _explain(frame: Frame, sizes: Sizes, made: Configuration, memory_gb: float) -> list[Decision]:
    name, axes = frame.name, "".join(AXES[axis] for axis in frame.patch_axes)
    crop = " x ".join(f"{frame.crop[axis]:.0f}" for axis in frame.patch_axes)
    patch = " x ".join(map(str, made.patch_size))
    divisors = " x ".join(map(str, topology_of(frame, sizes.patch).divisors))
    whole = all(
        have >= want for have, want in zip(made.patch_size, wanted_patch(frame), strict=True)
    )
    first, most = made.encoder.features[0], made.encoder.features[-1]
    shortest = describe_spacing([frame.spacing[axis] for axis in frame.patch_axes])
    covers = (
        f"the median brain is {crop} voxels; with 8% more on each axis, and multiples of "
        f"{divisors} for the network, it is seen whole"
        if whole
        else f"the median brain is {crop} voxels, but only this much of it fits {memory_gb:g} GB"
    )
    schedule = schedule_of(frame, sizes)
    return [
        Decision(
            f"{name}: patch ({axes})", f"{patch} voxels", covers[0].upper() + covers[1:] + "."
        ),
        Decision(
            f"{name}: networks",
            f"{len(made.encoder.features)} stages, {first} to {most} features",
            f"At {shortest} the patch can be halved until an edge would be below 6 voxels or the "
            f"{MAX_STAGES[frame.device, frame.dimension]} stages allowed are used up; "
            f"{FIRST_FEATURES[frame.device]} first features are usual on {frame.device}"
            f"{_about_width(frame, sizes)}, and the restoration network has three quarters as many.",
        ),
        Decision(
            f"{name}: batch",
            f"{sizes.batch}",
            "It is even because samples come as pairs, two contrasts of one brain; "
            f"{_about_batch(frame, sizes, memory_gb)}.",
        ),
        Decision(
            f"{name}: training",
            f"{made.epochs} epochs of {made.iterations_per_epoch} iterations, learning rate "
            f"{made.learning_rate:g}",
            schedule.reason,
        ),
        Decision(
            f"{name}: memory",
            f"{made.estimated_memory_gb:.1f} GB",
            f"The estimate for all networks together stays within {memory_gb:g} GB.",
        ),
    ]


def _about_batch(frame: Frame, sizes: Sizes, memory_gb: float) -> str:
    if frame.batch is not None:
        return "it was set by you"
    if sizes.batch < largest_batch(frame):
        return f"the next larger one does not fit {memory_gb:g} GB"
    if frame.device == "cpu":
        return f"{sizes.batch} is the most on a CPU, whose limit is time before it is memory"
    what = "slices" if frame.dimension == 2 else "brains"
    return f"{sizes.batch} is a twentieth of the {training_samples(frame):.0f} {what} to train on"


def _about_width(frame: Frame, sizes: Sizes) -> str:
    usual = FIRST_FEATURES[frame.device]
    if sizes.features == usual:
        return ""
    why = "memory was left for more" if sizes.features > usual else "memory allows no more"
    return f", but {why}: {sizes.features}"


def _about_ladder(name: str, rungs: Sequence[Configuration]) -> Decision:
    steps = ", ".join(
        f"{rung.name} (batch {rung.batch_size}, {rung.encoder.features[0]} features, "
        f"{rung.estimated_memory_gb:.1f} GB)"
        for rung in rungs
    )
    return Decision(
        f"{name}: smaller plans",
        steps or "none",
        f"Should memory run out all the same, training can go on with one of these {len(rungs)}.",
    )


def _about_recommendation(name: str) -> Decision:
    reason = (
        "It needs the least time and memory of all configurations."
        if name == "2d"
        else "2d was not planned, and this configuration was named first."
    )
    return Decision("recommended configuration", name, reason)
