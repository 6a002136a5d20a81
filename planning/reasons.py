"""The sentences that go with the planner's decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from disanat.plans import (
    AXES,
    BrainMaskTool,
    BrainSource,
    ChannelFingerprint,
    Configuration,
    Decision,
    Fingerprint,
)
from disanat.preparation import Preparation
from planning.memory import training_operations
from planning.sizing import (
    FIRST_FEATURES,
    LARGEST_CPU_BLOCK,
    MAX_STAGES,
    Frame,
    Sizes,
    largest_batch,
    schedule_of,
    too_slow,
    topology_of,
    training_samples,
    wanted_patch,
)
from planning.spacing import describe_spacing

__all__ = [
    "about_bias",
    "about_brain_masks",
    "about_device",
    "about_intensities",
    "about_ladder",
    "about_recommendation",
    "about_resampling",
    "about_sizes",
    "about_skull",
]


def about_device(device: str, memory_gb: float, number_format: str, given: bool) -> Decision:
    """What the plan is for."""
    found = "The memory was given" if given else "This is what was found on this machine"
    why = (
        "the networks' maps take half the bytes in bfloat16"
        if number_format == "bfloat16"
        else "it has no instructions for bfloat16"
    )
    return Decision("device", f"{device}, {memory_gb:g} GB, {number_format}", f"{found}; {why}.")


def about_skull(fingerprint: Fingerprint) -> Decision:
    """Whether the skull is on."""
    stripped = sum(case.skull_stripped for case in fingerprint.cases)
    return Decision(
        "skull",
        "stripped" if fingerprint.skull_stripped else "in the scans",
        f"{stripped} of {len(fingerprint.cases)} cases have one constant value around the brain.",
    )


_SOURCES: dict[BrainSource, str] = {
    "user": "your own masks",
    "background": "the constant background",
    "labels": "the label maps",
    "extractor": "the extractor",
    "atlas": "the atlas, as the extractor found nothing plausible",
    "hd-bet": "hd-bet",
    "synthstrip": "synthstrip",
}


def about_brain_masks(fingerprint: Fingerprint, chosen: BrainMaskTool | None) -> Decision:
    """What finds the brain in whole heads, and where the masks of the cases come from."""
    counts = Counter(case.brain_from for case in fingerprint.cases)
    where = ", ".join(f"{_SOURCES[s]} ({counts[s]})" for s in _SOURCES if counts[s])
    why = (
        "The extractor comes with disanat and takes every contrast, here and at prediction."
        if chosen is None
        else "It was set by you."
        if chosen == "extractor"
        else "It was set by you, and must be installed wherever the model predicts whole heads."
    )
    value = "the brain extractor" if chosen in (None, "extractor") else str(chosen)
    reason = f"{why} The masks of the {len(fingerprint.cases)} cases come from {where}."
    return Decision("brain in whole heads", value, reason)


def about_bias(fingerprint: Fingerprint, steps: Preparation) -> Decision:
    """Whether the bias field is taken out."""
    strengths = [c.bias_median for c in fingerprint.channels if c.bias_median is not None]
    found = f" The scans' fields vary by {max(strengths):.2f} in log." if strengths else ""
    if steps.bias_correction:
        return Decision("bias field", "taken out by N4", f"It was set by you.{found}")
    return Decision(
        "bias field",
        "left in",
        "Training draws fields of its own, and prediction fits each scan's; N4 may take a large "
        f"lesion for a field.{found}",
    )


def about_intensities(fingerprint: Fingerprint, steps: Preparation) -> list[Decision]:
    """How each channel is standardised."""
    if steps.fixed_scale:
        mean, deviation = steps.fixed_scale
        value = f"minus {mean:.4g}, over {deviation:.4g}, for all scans"
        return [Decision("normalisation", value, "It was set by you.")]
    return [
        Decision(
            f"normalisation of {channel.name}",
            "mean 0, deviation 1 between the 1st and 99th percentile in the brain",
            _spread(channel),
        )
        for channel in fingerprint.channels
    ]


def _spread(channel: ChannelFingerprint) -> str:
    if not channel.cases:
        return "No healthy case has this channel; it is standardised like the others."
    low, _, middle, _, high = channel.intensity_percentiles
    zero = " Backgrounds other than 0 are left out." if channel.background_differs else ""
    return (
        f"MRI has no units: in the brains of {channel.cases} cases the scale goes from {low:.4g} "
        f"to {high:.4g} around {middle:.4g} (medians of the percentiles 0.5, 99.5 and 50), and "
        f"another scanner's will not.{zero}"
    )


def about_resampling(
    fingerprint: Fingerprint, spacing: Sequence[float], steps: Preparation
) -> Decision:
    """How scans and label maps get to the target voxel size."""
    if not steps.resampling:
        return Decision("resampling", "none: each scan keeps its voxels", "It was set by you.")
    changed = sum(
        max(abs(a / b - 1) for a, b in zip(case.spacing, spacing, strict=True)) > 0.01
        for case in fingerprint.cases
    )
    return Decision(
        "resampling",
        "scans by cubic splines, label maps by nearest neighbours",
        f"{changed} of {len(fingerprint.cases)} cases have another voxel size than "
        f"{describe_spacing(spacing)}; splines keep fine detail, and labels must not be mixed.",
    )


def about_sizes(
    frame: Frame, sizes: Sizes, made: Configuration, memory_gb: float
) -> list[Decision]:
    """Patch, networks, batch, length and memory of one configuration."""
    name, axes = frame.name, "".join(AXES[axis] for axis in frame.patch_axes)
    patch = " x ".join(map(str, made.patch_size))
    first, most = made.encoder.features[0], made.encoder.features[-1]
    shortest = describe_spacing([frame.spacing[axis] for axis in frame.patch_axes])
    schedule = schedule_of(frame, sizes)
    return [
        Decision(
            f"{name}: patch ({axes})", f"{patch} voxels", _about_patch(frame, sizes, memory_gb)
        ),
        Decision(
            f"{name}: networks",
            f"{len(made.encoder.features)} stages, {first} to {most} features",
            f"At {shortest} the patch can be halved until an edge would be below 6 voxels or the "
            f"{MAX_STAGES[frame.device, frame.dimension]} stages allowed are used up; "
            f"{FIRST_FEATURES[frame.device]} first features are usual on {frame.device}"
            f"{_about_width(frame, sizes)}, and the restoration network and the comparator have "
            "three quarters of them.",
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


def _about_patch(frame: Frame, sizes: Sizes, memory_gb: float) -> str:
    if frame.patch is not None:
        return "It was set by you."
    crop = " x ".join(f"{frame.crop[axis]:.0f}" for axis in frame.patch_axes)
    topology = topology_of(frame, sizes.patch)
    wanted = wanted_patch(frame)
    if all(have >= want for have, want in zip(topology.patch_size, wanted, strict=True)):
        divisors = " x ".join(map(str, topology.divisors))
        return (
            f"The median brain is {crop} voxels; with 8% more on each axis, and multiples of "
            f"{divisors} for the network, it is seen whole."
        )
    limit = f"but only this much of it fits {memory_gb:g} GB"
    if too_slow(frame, topology_of(frame, wanted).patch_size):
        limit = f"but a block of more than {LARGEST_CPU_BLOCK} voxels takes a CPU too long"
    return f"The median brain is {crop} voxels, {limit}."


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


def about_ladder(name: str, rungs: Sequence[Configuration]) -> Decision:
    """What there is if memory runs out all the same."""
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


def about_recommendation(
    name: str, planned: Mapping[str, Configuration], classes: int
) -> Decision:
    """What is trained when no configuration is named."""
    work = {k: training_operations(made, classes) / 1e15 for k, made in planned.items()}
    own = f"{work[name]:.3g} PFLOP (10^15 operations)"
    others = " and ".join(f"{k} {value:.3g}" for k, value in work.items() if k != name)
    if name != "2d":
        why = f"2d was not planned, and this configuration was named first; it takes {own}."
    elif others:
        why = f"Its training takes {own}, that of {others}."
    else:
        why = f"Its training takes {own}, and 2d is the only configuration that was planned."
    return Decision("recommended configuration", name, why)
