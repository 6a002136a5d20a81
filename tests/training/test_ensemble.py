"""Folds joined, calibrated as one, and predicted with, by the commands themselves."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.errors import ModelError
from disanat.home import Home
from disanat.inference.find import find_members, find_model
from disanat.inference.model import load_model
from disanat.methods.ensemble import Ensemble
from disanat.training.ensemble import ready_ensemble

NAME = "Dataset005_Mini"


@pytest.fixture(scope="module")
def two_folds(trained_home: Path, miniature: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with folds 0 and 1 and their ensemble, made by one command."""
    home = tmp_path_factory.mktemp("two_folds")
    shutil.copytree(trained_home, home, dirs_exist_ok=True)
    where = ("-d", "5", "--home", home, "--device", "cpu", "-np", 0)
    assert miniature.run("train", *where, "--epochs", 2, "-f", 1, 0, "--resume") == 0
    return home


@pytest.fixture
def home(two_folds: Path, tmp_path: Path) -> Home:
    shutil.copytree(two_folds, tmp_path / "home")
    return Home(tmp_path / "home")


def members(home: Home) -> list[Path]:
    return find_members(home, ["1", "0"], "dal")


def test_the_ensemble_is_calibrated_on_what_no_member_saw(two_folds: Path) -> None:
    folder = two_folds / "results" / NAME / "dal__2d"
    facts = json.loads((folder / "ensemble_0_1" / "model.json").read_text())["facts"]
    aside = {*facts["reference_cases"], *facts["threshold_cases"]}
    assert len(aside) == 3
    for fold in ("fold_0", "fold_1"):
        own = json.loads((folder / fold / "model.json").read_text())["facts"]
        assert not aside & {*own["train_cases"], *own["validation_cases"]}


def test_it_is_found_like_any_model_and_finished_last(two_folds: Path) -> None:
    found = find_model(Home(two_folds))
    assert found.name == "ensemble_0_1"
    model = load_model(found)
    assert isinstance(model.method, Ensemble) and len(model.method.members) == 2
    single = load_model(found.parent / "fold_0")
    assert model.calibration.tables != single.calibration.tables


def test_predicting_with_several_folds(two_folds: Path, miniature: Any, tmp_path: Path) -> None:
    brain = miniature.brain(60, "flair", lesion=True)
    miniature.write(tmp_path / "in" / "a.nii.gz", brain.image, orientation="PSR")
    maps = []
    for folds in ((0,), (1,), (0, 1)):
        out = tmp_path / "_".join(map(str, folds))
        given = ("-i", tmp_path / "in", "-o", out, "--home", two_folds, "-f", *folds)
        assert miniature.run("predict", *given, "-m", "dal", "--device", "cpu") == 0
        maps.append(sitk.GetArrayFromImage(sitk.ReadImage(str(out / "a_anomaly.nii.gz"))))
        with open(out / "predictions.csv", encoding="utf-8") as handle:
            assert next(csv.DictReader(handle))["status"] == "ok"
    assert not np.array_equal(maps[0], maps[1]) and not np.array_equal(maps[2], maps[0])
    said = json.loads((tmp_path / "0_1" / "prediction.json").read_text())
    assert said["model"].endswith("ensemble_0_1")


def test_it_is_kept_until_a_member_is_trained_again(home: Home) -> None:
    folder = ready_ensemble(home, members(home))
    before = (folder / "model.json").read_bytes()
    assert ready_ensemble(home, members(home)) == folder
    assert (folder / "model.json").read_bytes() == before
    one = members(home)[1] / "model.json"
    one.write_text(json.dumps(json.loads(one.read_text()) | {"finished": "2999-01-01T00:00"}))
    with pytest.raises(ModelError, match=r"fold_1 was trained again after .*ensemble_0_1"):
        load_model(folder)
    ready_ensemble(home, members(home))
    assert (folder / "model.json").read_bytes() != before
    assert isinstance(load_model(folder).method, Ensemble)


def test_without_the_cases_it_cannot_be_calibrated(home: Home) -> None:
    shutil.rmtree(home.results / NAME / "dal__2d" / "ensemble_0_1")
    shutil.rmtree(home.preprocessed)
    with pytest.raises(ModelError, match=r"-d Dataset005_Mini -f 0 1 --resume"):
        ready_ensemble(home, members(home))


def test_members_of_different_plans_are_refused(home: Home) -> None:
    path = members(home)[1] / "model.json"
    data = json.loads(path.read_text())
    data["plans"]["memory_gb"] += 1
    path.write_text(json.dumps(data | {"finished": "2999-01-01T00:00"}))
    with pytest.raises(ModelError, match=r"fold_1 was trained with another plan than .*fold_0"):
        ready_ensemble(home, members(home))


def test_a_fold_that_was_not_trained_is_named(home: Home) -> None:
    with pytest.raises(ModelError, match=r"Fold 3 of .*dal__2d has no finished model.*-f 3"):
        find_members(home, ["0", "3"], "dal")
    training = str(home.results / NAME / "dal__2d")
    assert [m.name for m in find_members(home, ["1", "0", "1"], training)] == ["fold_0", "fold_1"]
    assert find_model(home, training, fold="1").name == "fold_1"
    with pytest.raises(ModelError, match="holds no finished model of fold 4"):
        find_model(home, training, fold="4")
    with pytest.raises(ModelError, match="is a model of its own, not fold 1"):
        find_model(home, f"{training}/fold_0", fold="1")
