"""Training that starts from a model's weights."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from disanat.errors import ModelError
from disanat.inference.model import load_model
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.training.splits import Split, split_stored
from disanat.training.warm_start import start_from

DATASET = "Dataset005_Mini"


@pytest.fixture
def results(trained_home: Path) -> Path:
    return trained_home / "results" / DATASET


@pytest.fixture
def split(trained_home: Path) -> Split:
    return split_stored(trained_home / "preprocessed" / DATASET / "2d", "0")


def fresh(folder: Path, **changes: Any) -> DisentangledAnatomy:
    model = load_model(folder)
    return DisentangledAnatomy(model.plans, replace(model.configuration, **changes))


def anatomy_loss(folder: Path) -> float:
    """Of the first epoch."""
    first = (folder / "training_log.txt").read_text().splitlines()[0]
    return float(re.findall(r"anatomy ([\d.]+)", first)[0])


def test_the_first_epoch_goes_on_where_the_model_ended(
    miniature: Any, trained_home: Path, results: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained_home / "preprocessed", tmp_path / "preprocessed")
    miniature.shrink(tmp_path, 8)
    model = results / "dal__2d" / "fold_0"
    flags = ("-d", "5", "--home", tmp_path, "--device", "cpu", "-np", 0, "--epochs", 1)
    assert miniature.run("train", *flags, "--pretrained_weights", model) == 0
    folder = tmp_path / "results" / DATASET / "dal__2d" / "fold_0"
    facts = json.loads((folder / "model.json").read_text())["facts"]
    assert re.fullmatch(
        r"dal on Dataset005_Mini with \d tissue classes, 2 epochs, finished 20\S+",
        facts["started_from"],
    )
    assert anatomy_loss(folder) < 0.9 * anatomy_loss(model)


def test_weights_are_taken_as_they_are(results: Path, split: Split) -> None:
    folder = results / "dal__2d" / "fold_0"
    method = fresh(folder)
    start_from(method, folder, split)
    taught = load_model(folder).method.networks().state_dict()
    for name, value in method.networks().state_dict().items():
        torch.testing.assert_close(value, taught[name])


def test_what_does_not_fit_is_refused(results: Path, split: Split) -> None:
    folder = results / "dal__2d" / "fold_0"
    wider = fresh(folder, decoder_features=20)
    with pytest.raises(ModelError, match=r"do not fit this plan, as their layer decoder\.first"):
        start_from(wider, folder, split)
    with pytest.raises(ModelError, match=r"is a model of method threshold, not dal"):
        start_from(fresh(folder), results / "threshold__2d" / "fold_0", split)


def test_a_model_with_another_norm_is_refused(results: Path, split: Split) -> None:
    """Its weights have the same names and shapes, so that they would fit and mislead."""
    folder = results / "dal__2d" / "fold_0"
    sentence = r"have instance norm, but those of this plan group norm: plan with --norm instance"
    with pytest.raises(ModelError, match=sentence):
        start_from(fresh(folder, norm="group"), folder, split)


def test_a_model_that_knows_what_calibrates_is_refused(results: Path, split: Split) -> None:
    folder = results / "dal__2d" / "fold_0"
    other = replace(split, threshold=split.train[:1])
    with pytest.raises(ModelError, match=rf"was trained on {split.train[0]}, which calibrates"):
        start_from(fresh(folder), folder, other)
