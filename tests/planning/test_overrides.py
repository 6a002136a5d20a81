"""What the user sets in place of the planner: obeyed and said, or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typical_plans import BOTH, fingerprint, make

from disanat.errors import PlanError
from planning.explain import explain
from planning.planner import Overrides


def test_what_the_user_sets_is_obeyed_and_kept() -> None:
    chosen = Overrides(True, (1.0, 1.5, 1.5), (96, 128), 4)
    plans = make(fingerprint(), "cuda", 12.0, overrides=chosen, configurations=BOTH, name="mine")
    made = plans.configuration("2d")
    assert (made.spacing, made.patch_size, made.batch_size) == ((1.0, 1.5, 1.5), (96, 128), 4)
    assert plans.configuration("3d_fullres").batch_size == 4
    assert len(plans.configuration("3d_fullres").patch_size) == 3
    assert plans.name == "mine"
    assert plans.overridden == (
        "gpu_memory_gb 12",
        "target_spacing 1 1.5 1.5",
        "patch_size 96 128",
        "batch_size 4",
    )
    assert explain(plans).count("t was set by you") == 4


def test_the_plan_says_where_brains_come_from() -> None:
    plans = make(fingerprint(cases=5))
    said = next(d for d in plans.decisions if d.name == "brain in whole heads")
    assert plans.brain_mask_tool == "extractor" and plans.overridden == ()
    assert said.value == "the brain extractor"
    assert "5 cases come from the label maps (5)." in said.reason
    plans = make(fingerprint(), overrides=Overrides(brain_mask_tool="synthstrip"))
    said = next(d for d in plans.decisions if d.name == "brain in whole heads")
    assert plans.brain_mask_tool == said.value == "synthstrip"
    assert "must be installed wherever the model predicts" in said.reason
    assert plans.overridden == ("brain_mask_tool synthstrip",)
    assert "Set by you: brain_mask_tool synthstrip." in explain(plans)


def test_another_norm_is_for_every_configuration_and_rung() -> None:
    usual = make(fingerprint(), configurations=BOTH)
    plans = make(fingerprint(), configurations=BOTH, overrides=Overrides(norm="group"))
    made = (*plans.configurations.values(), *plans.ladder)
    assert len(made) > 2 and {c.norm for c in made} == {"group"}
    assert plans.overridden == ("norm group",)
    assert "Set by you: norm group." in explain(plans)
    assert {c.norm for c in usual.configurations.values()} == {"instance"}
    assert replace(plans.configuration(), norm="instance") == usual.configuration()


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (Overrides(batch_size=3), "A batch of 3 cannot be"),
        (
            Overrides(patch_size=(100, 90)),
            r"100 x 90 voxels cannot be halved .* --patch_size 104 96",
        ),
        (Overrides(patch_size=(8, 64)), "8 x 64 voxels is too small"),
        (Overrides(patch_size=(64, 64, 64)), r"--patch_size has 3 numbers, but 2d has 2 axes"),
        (Overrides(batch_size=4096), r"batch of 4096 need .* GB, but there are 16"),
    ],
)
def test_what_cannot_be_is_refused(chosen: Overrides, sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence):
        make(fingerprint(), overrides=chosen)
