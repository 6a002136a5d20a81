"""Models on disk: found, loaded, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from disanat.errors import ModelError
from disanat.home import Home
from disanat.inference.find import find_model
from disanat.inference.folder import predict_folder
from disanat.inference.model import check_sizes, load_model, read_weights, save_model
from disanat.inference.predictor import Predictor
from disanat.networks.shared_weights import SharedWeights, save_shared

NAME = "Dataset005_Mini"


@pytest.fixture
def results(trained_home: Path, tmp_path: Path) -> Home:
    shutil.copytree(trained_home / "results", tmp_path / "results")
    return Home(tmp_path)


def fold(home: Home, name: str, fold: str = "0", finished: str | None = None) -> Path:
    """A copy of the trained dal model under another name."""
    target = home.results / NAME / name / f"fold_{fold}"
    if not target.exists():
        shutil.copytree(home.results / NAME / "dal__2d" / "fold_0", target)
    if finished:
        path = target / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"finished": finished}))
    return target


def test_the_latest_is_taken(results: Home) -> None:
    first = fold(results, "dal__2d")
    assert find_model(results) == first
    second = fold(results, "dal__2d", "1", finished="2999-01-01T00:00:00.000+00:00")
    assert find_model(results) == second
    third = fold(results, "dal__3d_fullres", "0", finished="2999-01-02T00:00:00.000+00:00")
    assert find_model(results) == third
    assert find_model(results, configuration="2d") == second
    assert find_model(results, fold="0", configuration="2d", model="dal") == first
    assert find_model(results, "threshold").parent.name == "threshold__2d"


def test_a_folder_or_its_parent_may_be_named(results: Home) -> None:
    folder = fold(results, "dal__2d")
    assert find_model(results, str(folder)) == folder
    assert find_model(results, str(folder.parent)) == folder


def test_what_is_there_is_listed(results: Home) -> None:
    with pytest.raises(ModelError) as caught:
        find_model(results, dataset=NAME, configuration="3d_fullres")
    assert f"{NAME}/dal__2d/fold_0, {NAME}/threshold__2d/fold_0" in str(caught.value)
    with pytest.raises(ModelError, match="'gan' is neither a folder nor a method"):
        find_model(results, "gan")
    with pytest.raises(ModelError, match="No model has been trained yet"):
        find_model(Home(results.root / "elsewhere"))


def test_an_unfinished_training_is_not_found(results: Home) -> None:
    folder = fold(results, "dal__2d")
    (folder / "model.json").unlink()
    assert find_model(results).parent.name == "threshold__2d"
    with pytest.raises(ModelError, match=r"holds no finished model .*--resume"):
        load_model(folder)


@pytest.mark.parametrize("part", ["plans", "calibration", "configuration", "method"])
def test_a_damaged_description_is_named(results: Home, part: str) -> None:
    path = fold(results, "dal__2d") / "model.json"
    data = json.loads(path.read_text())
    del data[part]
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"model.json is damaged .*train the model again"):
        load_model(path.parent)


def test_a_wrong_type_in_the_description_is_named(results: Home) -> None:
    path = fold(results, "dal__2d") / "model.json"
    data = json.loads(path.read_text())
    data["configuration"]["batch_size"] = "many"
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"model.json is damaged"):
        load_model(path.parent)


def test_truncated_or_foreign_weights_are_refused(results: Home) -> None:
    folder = fold(results, "dal__2d")
    path = folder / "model.json"
    data = json.loads(path.read_text())
    data["configuration"]["decoder_features"] += 1
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"weights in .*fold_0 do not fit .*model.json"):
        load_model(folder)
    weights = folder / "checkpoint_final.pt"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="checkpoint_final.pt is damaged"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(ModelError, match="checkpoint_final.pt does not exist"):
        load_model(folder)


def test_a_loaded_model_holds_what_was_saved(results: Home) -> None:
    folder = fold(results, "dal__2d")
    model, data = load_model(folder), json.loads((folder / "model.json").read_text())
    assert model.method.name == "dal" and model.plans.dataset == NAME
    assert model.calibration.threshold == data["calibration"]["threshold"]
    assert 0 < model.calibration.fpr_thresholds["5%"] < model.calibration.fpr_thresholds["1%"]
    scores = model.calibration.case_scores
    assert len(scores["any"]) == 3 == sum(len(v) for k, v in scores.items() if k != "any")
    assert {"noise", "residual", "white"} < set(model.calibration.bounds)
    assert not any(n.training for n in model.method.networks().values())
    facts = data["facts"]
    groups = [set(facts[f"{g}_cases"]) for g in ("train", "validation", "reference", "threshold")]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 5


def test_a_model_of_an_earlier_version_is_loaded_and_predicts(
    results: Home, miniature: Any, tmp_path: Path
) -> None:
    path = fold(results, "dal__2d") / "model.json"
    data = json.loads(path.read_text())
    for later in ("fpr_thresholds", "case_scores", "bounds"):
        assert data["calibration"].pop(later)
    path.write_text(json.dumps(data))
    miniature.write(tmp_path / "in" / "a.nii.gz", miniature.brain(9).image)
    rows = predict_folder(Predictor.from_folder(path.parent), tmp_path / "in", tmp_path / "out")
    assert [(r.status, r.case_p, r.case_p_resolution, r.flags) for r in rows] == [
        ("ok", None, None, "")
    ]
    with pytest.raises(ModelError, match="no threshold for 1% false positives"):
        Predictor.from_folder(path.parent, threshold="1%")


def test_shared_weights_are_read_until_the_model_is_trained_again(results: Home) -> None:
    folder = fold(results, "dal__2d")
    model = load_model(folder)
    weights = read_weights(folder)
    save_shared(SharedWeights(weights), folder / "weights.safetensors")
    (folder / "checkpoint_final.pt").unlink()
    again = load_model(folder).method.networks().state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in again.items())
    save_model(model, weights, {})
    assert not (folder / "weights.safetensors").exists()
    load_model(folder)


def test_an_ensembles_members_lie_beside_it(results: Home) -> None:
    path = fold(results, "dal__2d") / "model.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"members": {"../../elsewhere": ""}}))
    with pytest.raises(ModelError, match="model.json names '../../elsewhere' as a fold"):
        load_model(path.parent)


@pytest.mark.parametrize("features", [[10**6] * 3, [8, 12, 24]])
def test_sizes_are_compared_before_anything_is_built(results: Home, features: list[int]) -> None:
    folder = fold(results, "dal__2d")
    check_sizes(folder)
    data = json.loads((folder / "model.json").read_text())
    data["configuration"]["encoder"]["features"] = features
    (folder / "model.json").write_text(json.dumps(data))
    with pytest.raises(ModelError, match="weights in .*fold_0 do not fit .*model.json"):
        check_sizes(folder)
