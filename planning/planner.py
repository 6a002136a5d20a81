"""From a fingerprint to a plan: pure functions, so that the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from disanat.errors import PlanError
from disanat.plans import (
    AXES,
    AtlasRoute,
    BrainMaskTool,
    Configuration,
    Decision,
    Fingerprint,
    Norm,
    NumberFormat,
    Plans,
    Triple,
)
from planning.augmentation import plan_augmentation
from planning.lowres import lowres_spacing
from planning.preparation import plan_preparation
from planning.prior import (
    Encoder,
    Prior,
    about_label_maps,
    plan_tissues,
    usable_label_maps,
)
from planning.reasons import (
    about_bias,
    about_brain_masks,
    about_device,
    about_intensities,
    about_ladder,
    about_recommendation,
    about_resampling,
    about_sizes,
    about_skull,
)
from planning.sizing import Device, Frame, check_overrides, configure, fit, ladder
from planning.spacing import (
    context_slices,
    describe_spacing,
    median_crop,
    slice_axis,
    target_spacing,
)

__all__ = ["CONFIGURATIONS", "Overrides", "plan"]

CONFIGURATIONS = ("2d", "3d_fullres", "3d_lowres")


@dataclass(frozen=True)
class Overrides:
    """What the user has decided himself; None leaves it to the planner."""

    memory_given: bool = False
    target_spacing: Triple | None = None
    """In mm, axes S, P, L."""
    patch_size: tuple[int, ...] | None = None
    """For the configurations that have as many axes."""
    batch_size: int | None = None
    prior: Prior | None = None
    brain_mask_tool: BrainMaskTool | None = None
    norm: Norm | None = None
    bias_correction: bool = False
    """Whether N4 takes the bias field out first."""
    one_scale: bool = False
    """Whether the dataset gives one scale of intensities for all scans."""
    resampling: bool = True
    atlas_registration: AtlasRoute | None = None

    def described(self, memory_gb: float) -> tuple[str, ...]:
        """One entry for each setting, as kept in the plan."""
        entries = [f"gpu_memory_gb {memory_gb:g}"] if self.memory_given else []
        if self.target_spacing:
            entries.append(f"target_spacing {' '.join(f'{v:g}' for v in self.target_spacing)}")
        if self.patch_size:
            entries.append(f"patch_size {' '.join(map(str, self.patch_size))}")
        if self.batch_size:
            entries.append(f"batch_size {self.batch_size}")
        if self.norm:
            entries.append(f"norm {self.norm}")
        if self.prior:
            entries.append(f"prior {self.prior}")
        if self.brain_mask_tool:
            entries.append(f"brain_mask_tool {self.brain_mask_tool}")
        if self.bias_correction:
            entries.append("bias_correction n4")
        if self.one_scale:
            entries.append("standardisation dataset")
        if not self.resampling:
            entries.append("resampling none")
        if self.atlas_registration:
            entries.append(f"atlas_registration {self.atlas_registration}")
        return tuple(entries)


def plan(
    fingerprint: Fingerprint,
    label_mapping: Mapping[str, Sequence[int]],
    *,
    device: Device,
    memory_gb: float,
    number_format: NumberFormat = "float32",
    configurations: Sequence[str] = ("2d",),
    overrides: Overrides | None = None,
    name: str = "",
    encoder: Encoder | None = None,
) -> Plans:
    """Plan every wanted configuration of a dataset.

    Args:
        fingerprint: of the dataset.
        label_mapping: class name -> numbers of its label maps; empty without any.
        device: what the training runs on.
        memory_gb: its memory.
        number_format: what the networks calculate in on this device.
        configurations: of `CONFIGURATIONS`; the first planned one is recommended, but 2d before
            all others.
        overrides: what the user has decided himself; kept in the plan.
        name: of the plan, where a dataset has several.
        encoder: the anatomy encoder that ships with disanat, for datasets without label maps; None
            without one.

    Raises:
        PlanError: unknown configuration, one that does not pay, settings that cannot be, or too
            little memory even for the smallest plan.
    """
    overrides = overrides or Overrides()
    _check_names(configurations)
    _check_axes(configurations, overrides)
    tissues = plan_tissues(
        fingerprint, label_mapping, encoder, overrides.prior, overrides.atlas_registration
    )
    classes = tuple(tissue.name for tissue in tissues.scheme)
    spacing, about_spacing = _spacing(fingerprint, overrides, device)
    steps = plan_preparation(
        fingerprint, overrides.bias_correction, overrides.one_scale, overrides.resampling
    )
    decisions = [
        about_device(device, memory_gb, number_format, overrides.memory_given),
        tissues.decision,
        *about_label_maps(fingerprint, tissues.scheme),
        about_skull(fingerprint),
        about_brain_masks(fingerprint, overrides.brain_mask_tool),
        about_spacing,
        about_bias(fingerprint, steps),
        *about_intensities(fingerprint, steps),
        about_resampling(fingerprint, spacing, steps),
    ]
    planned: dict[str, Configuration] = {}
    rungs: tuple[Configuration, ...] = ()
    recommended = "2d" if "2d" in configurations else configurations[0]
    for kind in dict.fromkeys(configurations):
        frame, reasons = _frame(
            kind, fingerprint, spacing, len(classes), device, number_format, memory_gb
        )
        augmentation, about = plan_augmentation(fingerprint, frame.spacing)
        frame = replace(_overridden(frame, overrides), augmentation=augmentation)
        sizes = fit(frame, memory_gb)
        planned[kind] = configure(frame, sizes)
        decisions += reasons + about_sizes(frame, sizes, planned[kind], memory_gb)
        decisions.append(replace(about, name=f"{kind}: {about.name}"))
        if kind == recommended:
            rungs = ladder(frame, sizes)
            decisions.append(about_ladder(kind, rungs))
    decisions.append(about_recommendation(recommended, planned, len(classes)))
    return Plans(
        dataset=fingerprint.dataset,
        channel_names=fingerprint.channel_names,
        classes=classes,
        prior=tissues.prior,
        label_mapping=tissues.mapping,
        skull_stripped=fingerprint.skull_stripped,
        device=device,
        memory_gb=memory_gb,
        number_format=number_format,
        configurations=planned,
        recommended=recommended,
        ladder=rungs,
        decisions=tuple(decisions),
        overridden=overrides.described(memory_gb),
        name=name,
        brain_mask_tool=overrides.brain_mask_tool or "extractor",
        label_maps=usable_label_maps(fingerprint, tissues.scheme),
        preparation=steps,
        atlas_registration=tissues.atlas_registration,
    )


def _check_names(configurations: Sequence[str]) -> None:
    unknown = [name for name in configurations if name not in CONFIGURATIONS]
    if unknown or not configurations:
        raise PlanError(
            f"There is no configuration '{', '.join(unknown)}': use {', '.join(CONFIGURATIONS)}."
        )


def _check_axes(configurations: Sequence[str], overrides: Overrides) -> None:
    patch = overrides.patch_size
    axes = {2 if name == "2d" else 3 for name in configurations}
    if patch is not None and len(patch) not in axes:
        raise PlanError(
            f"--patch_size has {len(patch)} numbers, but {', '.join(configurations)} has "
            f"{' or '.join(map(str, sorted(axes)))} axes: give one number for each axis."
        )


def _spacing(
    fingerprint: Fingerprint, overrides: Overrides, device: Device
) -> tuple[Triple, Decision]:
    if overrides.target_spacing is None:
        return target_spacing(fingerprint, device)
    spacing = overrides.target_spacing
    value = describe_spacing(spacing) + " (S, P, L)"
    return spacing, Decision("voxel size", value, "It was set by you.")


def _overridden(frame: Frame, overrides: Overrides) -> Frame:
    patch = overrides.patch_size
    chosen = patch if patch is not None and len(patch) == frame.dimension else None
    norm = overrides.norm or frame.norm
    changed = replace(frame, patch=chosen, batch=overrides.batch_size, norm=norm)
    check_overrides(changed)
    return changed


def _frame(
    name: str,
    fingerprint: Fingerprint,
    spacing: Triple,
    classes: int,
    device: Device,
    number_format: NumberFormat,
    memory_gb: float,
) -> tuple[Frame, list[Decision]]:
    crop, cases = median_crop(fingerprint, spacing), len(fingerprint.cases)
    if name != "2d":
        full = Frame(
            "3d_fullres", 3, spacing, "S", 0, crop, cases, classes, device, number_format
        )
        coarse, why = lowres_spacing(full, memory_gb)
        if name == "3d_fullres":
            return full, [Decision("3d_lowres", "would pay" if coarse else "not needed", why)]
        if coarse is None:
            raise PlanError(f"3d_lowres is not planned. {why} Use 3d_fullres.")
        crop = median_crop(fingerprint, coarse)
        value = describe_spacing(coarse) + " (S, P, L)"
        low = replace(full, name=name, spacing=coarse, crop=crop)
        return low, [Decision("3d_lowres: voxel size", value, why)]
    axis, why_axis = slice_axis(spacing)
    context, why_context = context_slices(spacing[AXES.index(axis)])
    decisions = [
        Decision("2d: slices across", axis, why_axis),
        Decision("2d: neighbouring slices on each side", str(context), why_context),
    ]
    frame = Frame(name, 2, spacing, axis, context, crop, cases, classes, device, number_format)
    return frame, decisions
