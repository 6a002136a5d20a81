"""Plans as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from disanat.errors import ModelError, PlanError
from disanat.plans import (
    NORMS,
    Configuration,
    Decision,
    NetworkPlan,
    Norm,
    Plans,
    load_json,
    save_json,
)


def network() -> NetworkPlan:
    return NetworkPlan((8, 16), ((1, 1), (2, 2)), ((3, 3), (3, 3)))


@pytest.fixture
def plans() -> Plans:
    two = Configuration(
        "2d", 2, (2.0, 1.0, 1.5), "S", 1, (32, 24), 4, network(), network(), network(),
        8, 3.0, 10, 5, 1e-3, 0.5,
    )  # fmt: skip
    return Plans(
        "Dataset005_IXI", ("T1",), ("csf", "grey", "white"), "labels", {"white": (2, 41)},
        True, "cpu", 8.0, "float32", {"2d": two}, "2d",
        (replace(two, name="2d_rung1", batch_size=2),),
        (Decision("a", "b", "c"),),
    )  # fmt: skip


def test_round_trip(plans: Plans, tmp_path: Path) -> None:
    save_json(plans, tmp_path / "plans.json")
    assert load_json(tmp_path / "plans.json", Plans) == plans


def test_plans_keep_their_version_when_the_fingerprint_gets_a_new_one(
    plans: Plans, tmp_path: Path
) -> None:
    save_json(plans, tmp_path / "plans.json")
    data = json.loads((tmp_path / "plans.json").read_text())
    assert data["schema_version"] == 2
    (tmp_path / "plans.json").write_text(json.dumps(data | {"schema_version": 1}))
    with pytest.raises(PlanError, match="schema version 1, but this disanat reads 2"):
        load_json(tmp_path / "plans.json", Plans)


def test_plans_made_before_there_was_a_choice_use_the_extractor(
    plans: Plans, tmp_path: Path
) -> None:
    save_json(replace(plans, brain_mask_tool="hd-bet"), tmp_path / "plans.json")
    data = json.loads((tmp_path / "plans.json").read_text())
    assert data["brain_mask_tool"] == "hd-bet"
    assert load_json(tmp_path / "plans.json", Plans).brain_mask_tool == "hd-bet"
    del data["brain_mask_tool"]
    (tmp_path / "plans.json").write_text(json.dumps(data))
    assert load_json(tmp_path / "plans.json", Plans).brain_mask_tool == "extractor"


@pytest.mark.parametrize("norm", NORMS)
def test_the_norm_is_kept(plans: Plans, tmp_path: Path, norm: Norm) -> None:
    two = replace(plans.configuration("2d"), norm=norm)
    save_json(replace(plans, configurations={"2d": two}), tmp_path / "plans.json")
    assert load_json(tmp_path / "plans.json", Plans).configuration("2d").norm == norm


def test_plans_made_before_there_was_a_choice_have_instance_norm(
    plans: Plans, tmp_path: Path
) -> None:
    save_json(plans, tmp_path / "plans.json")
    data = json.loads((tmp_path / "plans.json").read_text())
    assert data["schema_version"] == 2
    for made in (data["configurations"]["2d"], *data["ladder"]):
        assert made.pop("norm") == "instance"
    (tmp_path / "plans.json").write_text(json.dumps(data))
    assert load_json(tmp_path / "plans.json", Plans) == plans
    data["configurations"]["2d"]["norm"] = "batch"
    (tmp_path / "plans.json").write_text(json.dumps(data))
    with pytest.raises(PlanError, match="norm"):
        load_json(tmp_path / "plans.json", Plans)


def test_configurations_and_rungs_by_name(plans: Plans) -> None:
    assert plans.configuration().name == "2d"
    assert plans.configuration("2d_rung1").batch_size == 2
    with pytest.raises(PlanError, match="no configuration '3d_fullres': use 2d, 2d_rung1, or"):
        plans.configuration("3d_fullres")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 99}, "schema version 99"),
        ({"surprise": 1}, "surprise"),
        ({"device": "tpu"}, "device"),
        ({"brain_mask_tool": "bet"}, "brain_mask_tool"),
        ({"memory_gb": "much"}, "memory_gb"),
    ],
)
def test_damaged_plans_are_refused(
    plans: Plans, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = tmp_path / "plans.json"
    save_json(plans, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=f"plans.json is not a valid Plans .*{words}"):
        load_json(path, Plans, ModelError)
