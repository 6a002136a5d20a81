"""Where the tissues of a plan come from."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from disanat.errors import PlanError
from disanat.plans import AtlasRoute, CaseFingerprint, Fingerprint
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, THREE_CLASSES, TWELVE_CLASSES
from planning.planner import Overrides, plan
from planning.prior import PRIORS, Encoder, Prior, plan_tissues

MAPPING = NUMBERINGS["dlmuse"]
EIGHT = tuple(tissue.name for tissue in EIGHT_CLASSES)
TWELVE = tuple(tissue.name for tissue in TWELVE_CLASSES)
ENCODER = Encoder(EIGHT, "dal on Dataset005_IXI, 2026-11-24")


def fingerprint(labelled: bool) -> Fingerprint:
    spacing, shape = (2.0, 2.0, 2.0), (70, 92, 72)
    case = CaseFingerprint(
        "a", (0,), spacing, shape, shape, "LPS", False, (0.0,), 1400.0, ((0, 1, 2, 3, 4),), (1,),
        (0.1,), (0.1,), (spacing,), 2.0, "0" * 64, "labels",
    )  # fmt: skip
    return Fingerprint("Dataset005_IXI", ("T1",), (case,) * 4, spacing, shape, False, labelled)


@pytest.mark.parametrize(
    ("labelled", "encoder", "wanted", "prior", "classes"),
    [
        (True, ENCODER, None, "labels", 12),
        (False, ENCODER, None, "encoder", 12),
        (False, None, None, "atlas", 3),
        (True, ENCODER, "encoder", "encoder", 12),
        (True, ENCODER, "atlas", "atlas", 3),
        (False, ENCODER, "atlas", "atlas", 3),
        (True, None, "labels", "labels", 12),
    ],
)
def test_the_best_that_is_there_unless_one_is_wanted(
    labelled: bool, encoder: Encoder | None, wanted: Prior | None, prior: str, classes: int
) -> None:
    chosen = plan_tissues(fingerprint(labelled), MAPPING, encoder, wanted)
    assert (chosen.prior, len(chosen.scheme)) == (prior, classes)
    assert bool(chosen.mapping) == (prior == "labels")
    decision = chosen.decision
    assert decision.reason.endswith(".") and all(t.name in decision.value for t in chosen.scheme)
    assert ("set by you" in decision.reason) == (wanted in ("encoder", "atlas"))


def test_the_encoder_is_named_with_its_date() -> None:
    chosen = plan_tissues(fingerprint(False), {}, ENCODER, None)
    assert "(dal on Dataset005_IXI, 2026-11-24) names 8 tissues" in chosen.decision.reason


def test_an_encoder_that_tells_partial_volume_apart_gives_the_same_plan() -> None:
    finer = Encoder(TWELVE, ENCODER.described)
    assert plan_tissues(fingerprint(False), {}, finer, None) == plan_tissues(
        fingerprint(False), {}, ENCODER, None
    )


@pytest.mark.parametrize(("wanted", "used"), [(None, 7), ("encoder", 7), ("atlas", 0)])
def test_label_maps_without_scans_need_the_tissues_they_name(
    wanted: Prior | None, used: int
) -> None:
    maps = replace(fingerprint(True), label_maps=7, label_map_spacing=(1.0, 1.0, 1.0))
    settings = Overrides(prior=wanted)
    made = plan(
        maps, MAPPING, device="cpu", memory_gb=16, encoder=ENCODER, overrides=settings
    )
    assert made.label_maps == used
    decision = next(d for d in made.decisions if d.name == "label maps without scans")
    assert decision.value == f"{used} of 7 used"
    without = plan(fingerprint(True), MAPPING, device="cpu", memory_gb=16)
    assert without.label_maps == 0
    assert not any(d.name == "label maps without scans" for d in without.decisions)


@pytest.mark.parametrize(("wanted", "words"), [("labels", "no label maps"), ("encoder", "without")])
def test_what_is_not_there_is_refused(wanted: Prior, words: str) -> None:
    with pytest.raises(PlanError, match=f"--prior {wanted} is not possible: .*{words}.*leave out"):
        plan_tissues(fingerprint(False), {}, None, wanted)


def test_the_plan_keeps_it() -> None:
    given = fingerprint(False)
    usual = plan(given, {}, device="cpu", memory_gb=16, encoder=ENCODER)
    assert (usual.prior, usual.classes, usual.label_mapping) == ("encoder", TWELVE, {})
    assert usual.overridden == ()
    atlas = Overrides(prior="atlas")
    own = plan(given, {}, device="cpu", memory_gb=16, encoder=ENCODER, overrides=atlas)
    assert own.prior == "atlas" and own.classes == tuple(t.name for t in THREE_CLASSES)
    assert own.overridden == ("prior atlas",)
    assert PRIORS == ("labels", "encoder", "atlas")


@pytest.mark.parametrize(
    ("encoder", "route", "chosen", "words"),
    [
        (ENCODER, None, "anatomy", "registered by the tissues that the shipped encoder sees"),
        (None, None, "intensity", "by mutual information, as no model ships that sees tissues."),
        (ENCODER, "both", "both", r"then by mutual information, .* \(set by you\)\."),
        (ENCODER, "intensity", "intensity", r"by mutual information \(set by you\)\."),
    ],
)
def test_the_atlas_is_registered_by_the_best_there_is_unless_one_is_wanted(
    encoder: Encoder | None, route: AtlasRoute | None, chosen: str, words: str
) -> None:
    wanted = Overrides(prior="atlas", atlas_registration=route)
    made = plan(
        fingerprint(True), MAPPING, device="cpu", memory_gb=16, encoder=encoder, overrides=wanted
    )
    assert (made.prior, made.atlas_registration) == ("atlas", chosen)
    assert made.overridden == ("prior atlas", *((f"atlas_registration {route}",) if route else ()))
    [decision] = [d for d in made.decisions if d.name == "tissue classes"]
    assert re.search(words, decision.reason)


@pytest.mark.parametrize(
    ("labelled", "encoder", "wanted", "words"),
    [
        (True, ENCODER, None, "is of no use where the tissues come from label maps: add --prior"),
        (False, ENCODER, None, "come from the shipped encoder: add --prior atlas, or leave it out"),
        (False, None, "atlas", "is not possible: .* without a trained model; leave it out"),
    ],
)
def test_a_registration_that_cannot_be_is_refused(
    labelled: bool, encoder: Encoder | None, wanted: Prior | None, words: str
) -> None:
    with pytest.raises(PlanError, match=f"--atlas_registration both .*{words}"):
        plan_tissues(fingerprint(labelled), MAPPING, encoder, wanted, "both")
    made = plan_tissues(fingerprint(labelled), MAPPING, encoder, wanted)
    assert made.prior == (wanted or ("labels" if labelled else "encoder"))
