"""What planning decides and everything else obeys: frozen dataclasses, kept as readable JSON.

Axes are anatomical and always in the order S, P, L (towards superior, posterior, left): the order
of every array inside disanat, whatever the orientation of the file it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import cattrs

from disanat.ablations import Ablation
from disanat.errors import DisanatError, PlanError
from disanat.home import read_json, write_json
from disanat.plan_values import check_values, strict_converter
from disanat.preparation import USUAL, Preparation

__all__ = [
    "ATLAS_ROUTES",
    "AXES",
    "BRAIN_MASK_TOOLS",
    "NORMS",
    "AtlasRoute",
    "Augmentation",
    "BrainMaskTool",
    "BrainSource",
    "CaseFingerprint",
    "ChannelFingerprint",
    "Configuration",
    "Decision",
    "Fingerprint",
    "NetworkPlan",
    "Norm",
    "NumberFormat",
    "Plans",
    "load_json",
    "save_json",
]

FINGERPRINT_SCHEMA = 3
PLANS_SCHEMA = 2
AXES = ("S", "P", "L")
Triple = tuple[float, float, float]
IntTriple = tuple[int, int, int]
NumberFormat = Literal["float32", "bfloat16"]
T = TypeVar("T")

BrainMaskTool = Literal["extractor", "hd-bet", "synthstrip"]
"""What finds the brain in a whole head: our own network, or a program that the user installs."""
BRAIN_MASK_TOOLS: tuple[BrainMaskTool, ...] = get_args(BrainMaskTool)
Norm = Literal["instance", "group", "layer"]
"""What normalises the features of a U-Net: each by itself, in groups, or all together."""
NORMS: tuple[Norm, ...] = get_args(Norm)
AtlasRoute = Literal["anatomy", "both", "intensity"]
"""How the atlas is registered: by tissues, by mutual information from there, or by that alone."""
ATLAS_ROUTES: tuple[AtlasRoute, ...] = get_args(AtlasRoute)
BrainSource = Literal["user", "background", "labels", "atlas", "extractor", "hd-bet", "synthstrip"]
"""Where the brain mask of one case comes from."""

_converter = strict_converter()


@dataclass(frozen=True)
class CaseFingerprint:
    """What one healthy case looks like. Spacing in mm, shapes in voxels, axes S, P, L."""

    case: str
    channels: tuple[int, ...]
    spacing: Triple
    shape: IntTriple
    shape_after_crop: IntTriple
    orientation: str
    skull_stripped: bool
    background: tuple[float, ...]
    brain_volume_ml: float
    intensity_percentiles: tuple[tuple[float, ...], ...]
    """Per channel present: percentiles 0.5, 25, 50, 75, 99.5 inside the brain."""
    prior_labels: tuple[int, ...]
    """Numbers found in the case's label map; empty without one."""
    noise: tuple[float, ...]
    """Per channel present: SD of the noise over the SD of the intensities inside the brain."""
    bias: tuple[float, ...]
    """Per channel present: SD of the logarithm of the smooth field inside the brain."""
    resolution: tuple[Triple, ...]
    """Per channel present: effective resolution in mm, never finer than the spacing."""
    slice_thickness: float
    """Coarsest effective resolution of the first channel present, in mm."""
    content: str
    """SHA-256 (hex) of all that the case was measured from; the same content measures the same."""
    brain_from: BrainSource
    """Where its brain mask comes from."""


@dataclass(frozen=True)
class ChannelFingerprint:
    """What one declared channel looks like over the cases that have it.

    Without such a case there are no percentiles, and the measures are None.
    """

    name: str
    cases: int
    """How many cases have it."""
    intensity_percentiles: tuple[float, ...]
    """Medians of the cases' percentiles 0.5, 25, 50, 75, 99.5."""
    noise_median: float | None
    noise_90th: float | None
    bias_median: float | None
    bias_90th: float | None
    resolution: Triple | None
    """Median effective resolution in mm, axes S, P, L."""
    background_differs: bool
    """Whether a case has another background than 0."""


@dataclass(frozen=True)
class Fingerprint:
    """What a healthy dataset looks like as a whole."""

    dataset: str
    channel_names: tuple[str, ...]
    cases: tuple[CaseFingerprint, ...]
    median_spacing: Triple
    median_shape: IntTriple
    """Median shape after the crop."""
    skull_stripped: bool
    prior_available: bool
    channels: tuple[ChannelFingerprint, ...] = ()
    """One for each declared channel, in their order."""
    median_brain_volume_ml: float = 0.0
    orientations: dict[str, int] = field(default_factory=dict)
    """Orientation of the files -> number of cases."""
    prior_labels: dict[str, int] = field(default_factory=dict)
    """Number in the label maps -> number of cases that have it; empty without label maps."""
    label_maps: int = 0
    """How many label maps without a scan there are."""
    label_map_spacing: Triple | None = None
    """Their median voxel size in mm; None without any."""
    schema_version: int = FINGERPRINT_SCHEMA


@dataclass(frozen=True)
class NetworkPlan:
    """One U-Net: a stage per entry; strides and kernels per axis of the network."""

    features: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    convs_per_stage: int = 2


@dataclass(frozen=True)
class Augmentation:
    """How much rendered training data are worsened, at most."""

    noise: float = 0.2
    """Standard deviation, in units of that of the brain's intensities."""
    bias: float = 0.2
    """Standard deviation of the logarithm of the smooth field."""
    blur_mm: float = 2.4
    """Standard deviation of a Gaussian, in mm."""


@dataclass(frozen=True)
class Configuration:
    """Everything that one training needs to know about its networks and data."""

    name: str
    dimension: Literal[2, 3]
    spacing: Triple
    """Target spacing in mm, axes S, P, L."""
    slice_axis: Literal["S", "P", "L"]
    """2D: the axis across which slices are cut. 3D: the first axis of a patch (always "S")."""
    context_slices: int
    """2D: neighbouring slices given on each side of a slice. 3D: 0."""
    patch_size: tuple[int, ...]
    """In voxels; 2D: the two axes left after `slice_axis` is taken away; 3D: S, P, L."""
    batch_size: int
    encoder: NetworkPlan
    restorer: NetworkPlan
    comparator: NetworkPlan
    decoder_features: int
    edge_mm: float
    epochs: int
    iterations_per_epoch: int
    learning_rate: float
    estimated_memory_gb: float
    augmentation: Augmentation = Augmentation()
    ablations: tuple[Ablation, ...] = ()
    """Parts that the method goes without, to see what each is worth; none in any plan."""
    norm: Norm = "instance"
    """Of the U-Nets of the plan."""


@dataclass(frozen=True)
class Decision:
    """One choice of the planner, its value in words, and the reason with its numbers."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True)
class Plans:
    """The plan for one dataset."""

    dataset: str
    channel_names: tuple[str, ...]
    classes: tuple[str, ...]
    """Names of the tissue classes, in the order of the anatomy's channels after background."""
    prior: Literal["labels", "atlas", "encoder"]
    """Where the tissues of the healthy scans come from: the dataset's own label maps, the atlas by
    registration, or the encoder of the model that ships with the package."""
    label_mapping: dict[str, tuple[int, ...]]
    """Class name -> numbers of the dataset's own label maps; empty without them."""
    skull_stripped: bool
    device: Literal["cpu", "cuda"]
    memory_gb: float
    number_format: NumberFormat
    """What the networks calculate in during training; weights are kept in float32."""
    configurations: dict[str, Configuration]
    recommended: str
    ladder: tuple[Configuration, ...] = ()
    """Smaller plans of the recommended configuration, largest first, for when memory runs out."""
    decisions: tuple[Decision, ...] = ()
    overridden: tuple[str, ...] = ()
    """What the user has set, such as `batch_size 4`."""
    name: str = ""
    """Of the plan, where a dataset has several; empty for the usual one."""
    brain_mask_tool: BrainMaskTool = "extractor"
    """What finds the brain in whole heads, in preprocessing and at prediction alike."""
    label_maps: int = 0
    """How many label maps without a scan training renders beside the scans."""
    preparation: Preparation = USUAL
    atlas_registration: AtlasRoute = "intensity"
    """Where the tissues come from the atlas."""
    schema_version: int = field(default=PLANS_SCHEMA)

    def configuration(self, name: str | None = None) -> Configuration:
        """The configuration of that name, or the recommended one.

        Raises:
            PlanError: the plan has no such configuration.
        """
        wanted = name or self.recommended
        for rung in (*self.configurations.values(), *self.ladder):
            if rung.name == wanted:
                return rung
        allowed = ", ".join((*self.configurations, *(c.name for c in self.ladder)))
        raise PlanError(
            f"The plan of {self.dataset} has no configuration '{wanted}': use {allowed}, or plan "
            f"it with disanat_plan_and_preprocess -d {self.dataset} -c {wanted}."
        )


def to_dict(value: Any) -> Any:
    """A frozen dataclass of this module as plain JSON data."""
    return _converter.unstructure(value)


def from_dict(data: Any, kind: type[T]) -> T:
    """The inverse of `to_dict`; raises cattrs' errors or ValueError."""
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    expected = getattr(kind, "schema_version", None)
    version = data.get("schema_version", expected)
    if version != expected:
        raise ValueError(f"schema version {version}, but this disanat reads {expected}")
    value = _converter.structure(data, kind)
    check_values(value)
    return value


def save_json(value: Any, target: Path) -> None:
    """Write a dataclass of this module as JSON, in one piece."""
    write_json(to_dict(value), target)


def load_json(
    source: Path,
    kind: type[T],
    error: type[DisanatError] = PlanError,
    remedy: str = "run disanat_plan_and_preprocess again",
) -> T:
    """Read a dataclass back from JSON.

    Raises:
        error: the file is absent, damaged or of another schema version; the message says which.
    """
    data = read_json(source, error, remedy)
    try:
        return from_dict(data, kind)
    except (cattrs.BaseValidationError, ValueError, TypeError, KeyError, OverflowError) as cause:
        details = " ".join(fault_in(cause).split())[:240]
        raise error(f"{source} is not a valid {kind.__name__} ({details}): {remedy}.") from cause


def fault_in(cause: Exception) -> str:
    """What `from_dict` found wrong, in a few words."""
    known = isinstance(cause, cattrs.BaseValidationError)
    return "; ".join(cattrs.transform_error(cause)[:2]) if known else str(cause)
