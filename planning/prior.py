"""Where the tissues of healthy scans come from: label maps, the shipped encoder, or the atlas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from disanat.errors import PlanError
from disanat.io.dataset import mapping_scheme
from disanat.plans import AtlasRoute, Decision, Fingerprint
from disanat.tissues import (
    EIGHT_CLASSES,
    THREE_CLASSES,
    TissueClass,
    scheme_by_names,
    with_partial_volume,
)

__all__ = [
    "PRIORS",
    "Encoder",
    "Prior",
    "TissuePlan",
    "about_label_maps",
    "plan_tissues",
    "usable_label_maps",
]

Prior = Literal["labels", "encoder", "atlas"]
PRIORS: tuple[Prior, ...] = ("labels", "encoder", "atlas")
"""Best first."""
_USUAL_ROUTE: AtlasRoute = "anatomy"
"""benchmarks/atlas_tissues.md measures the routes."""


@dataclass(frozen=True)
class Encoder:
    """The anatomy encoder that ships with disanat: its tissue classes, and what it is in words."""

    classes: tuple[str, ...]
    described: str


@dataclass(frozen=True)
class TissuePlan:
    """The tissue classes of a plan, where they come from, and why."""

    scheme: tuple[TissueClass, ...]
    prior: Prior
    mapping: dict[str, tuple[int, ...]]
    """Class name -> numbers of the label maps; empty for the other priors."""
    decision: Decision
    atlas_registration: AtlasRoute = "intensity"
    """Where the prior is the atlas."""


def plan_tissues(
    fingerprint: Fingerprint,
    label_mapping: Mapping[str, Sequence[int]],
    encoder: Encoder | None,
    wanted: Prior | None,
    route: AtlasRoute | None = None,
) -> TissuePlan:
    """Choose the prior: the one wanted, else the best there is.

    Args:
        fingerprint: of the dataset.
        label_mapping: class name -> numbers of its label maps; empty without any.
        encoder: the one that ships with disanat; None without one.
        wanted: by the user; None leaves it to the planner.
        route: how the user wants the atlas to be registered; None leaves it to the planner.

    Raises:
        PlanError: what is wanted is not there.
    """
    labelled = mapping_scheme(label_mapping) if fingerprint.prior_available else None
    if wanted == "labels" and labelled is None:
        raise PlanError(
            f"--prior labels is not possible: {fingerprint.dataset} has no label maps in priorsTr; "
            "leave out --prior."
        )
    if wanted == "encoder" and encoder is None:
        raise PlanError(
            "--prior encoder is not possible: this disanat was installed without a trained model; "
            "leave out --prior."
        )
    if labelled is not None and wanted in (None, "labels"):
        _check_no_route(route, "label maps")
        return _from_labels(fingerprint, labelled, label_mapping)
    absent = "It was set by you." if wanted else "The dataset has no label maps."
    if encoder is not None and wanted in (None, "encoder"):
        _check_no_route(route, "the shipped encoder")
        return _from_encoder(encoder, absent)
    return _from_atlas(encoder, absent, route)


def _check_no_route(route: AtlasRoute | None, source: str) -> None:
    if route is not None:
        raise PlanError(
            f"--atlas_registration {route} is of no use where the tissues come from {source}: add "
            "--prior atlas, or leave it out."
        )


def _from_atlas(encoder: Encoder | None, absent: str, route: AtlasRoute | None) -> TissuePlan:
    if encoder is None and route in ("anatomy", "both"):
        raise PlanError(
            f"--atlas_registration {route} is not possible: this disanat was installed without a "
            "trained model; leave it out."
        )
    chosen: AtlasRoute = route or ("intensity" if encoder is None else _USUAL_ROUTE)
    seen = "the tissues that the shipped encoder sees in scan and atlas, whatever the contrast"
    how = {
        "anatomy": f"by {seen}",
        "both": f"by {seen}, then by mutual information, then by the tissues densely",
        "intensity": "by mutual information"
        + ("" if route else ", as no model ships that sees tissues"),
    }
    reason = (
        f"{absent} The atlas finds tissues by registration, and knows {len(THREE_CLASSES)} of "
        f"them. It is registered {how[chosen]}{' (set by you)' if route else ''}."
    )
    decision = _decision(THREE_CLASSES, "atlas", reason)
    return TissuePlan(THREE_CLASSES, "atlas", {}, decision, chosen)


def _from_labels(
    fingerprint: Fingerprint,
    scheme: tuple[TissueClass, ...],
    label_mapping: Mapping[str, Sequence[int]],
) -> TissuePlan:
    mapping = {name: tuple(numbers) for name, numbers in label_mapping.items()}
    numbers = len({label for numbers in mapping.values() for label in numbers})
    reason = (
        f"Label maps come with all {len(fingerprint.cases)} cases, and {numbers} of their numbers "
        f"belong to {len(mapping)} of {len(scheme)} tissues.{_apart(scheme)}"
    )
    finer = with_partial_volume(scheme)
    return TissuePlan(finer, "labels", mapping, _decision(finer, "label maps", reason))


def _from_encoder(encoder: Encoder, absent: str) -> TissuePlan:
    scheme = scheme_by_names(encoder.classes)
    whole = [tissue for tissue in scheme if not tissue.part_of]
    reason = (
        f"{absent} The anatomy encoder that ships with disanat ({encoder.described}) names "
        f"{len(whole)} tissues in scans of any contrast; an atlas knows no more than "
        f"{len(THREE_CLASSES)}.{_apart(whole)}"
    )
    finer = with_partial_volume(whole)
    return TissuePlan(finer, "encoder", {}, _decision(finer, "shipped encoder", reason))


def _apart(scheme: Sequence[TissueClass]) -> str:
    parts = [tissue.name for tissue in with_partial_volume(scheme) if tissue.part_of]
    if not parts:
        return ""
    return (
        f" Partial volume ({', '.join(parts)}) is set apart by the scans' own intensities: label "
        "maps draw cortex as one band, and every sulcus in it would look like a lesion."
    )


def _decision(scheme: Sequence[TissueClass], source: str, reason: str) -> Decision:
    names = ", ".join(tissue.name for tissue in scheme)
    return Decision("tissue classes", f"{names} ({source})", reason)


def usable_label_maps(fingerprint: Fingerprint, scheme: Sequence[TissueClass]) -> int:
    """How many label maps without scans can be rendered: all, or none with an atlas' classes."""
    return fingerprint.label_maps if with_partial_volume(EIGHT_CLASSES) == tuple(scheme) else 0


def about_label_maps(
    fingerprint: Fingerprint, scheme: Sequence[TissueClass]
) -> tuple[Decision, ...]:
    """Whether the label maps without scans are used, if there are any."""
    if not fingerprint.label_maps:
        return ()
    used = usable_label_maps(fingerprint, scheme)
    reason = (
        "They are brains in contrasts from signal equations for training, beside the scans; none "
        "has a part in calibration."
        if used
        else f"They name other tissues than the {len(scheme)} of this plan."
    )
    value = f"{used} of {fingerprint.label_maps} used"
    return (Decision("label maps without scans", value, reason),)
