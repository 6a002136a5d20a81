"""One model on one set, in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import DatasetError
from disanat.experiments import measure as module
from disanat.experiments.measure import measure, peak_memory_mb
from disanat.experiments.sets import LabelledSet


@pytest.fixture
def one(miniature: Any, tmp_path: Path) -> LabelledSet:
    brain = miniature.brain(100, "flair", lesion=True)
    miniature.write(tmp_path / "scans" / "a_0000.nii.gz", brain.image)
    miniature.write(tmp_path / "labels" / "a.nii.gz", brain.lesion.astype(np.uint8))
    return LabelledSet("scans", tmp_path / "scans", tmp_path / "labels", (0,))


@pytest.fixture
def model(trained_home: Path) -> Path:
    return trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"


def test_peak_memory_is_that_of_the_prediction_and_not_of_the_parent(
    one: LabelledSet, model: Path, tmp_path: Path
) -> None:
    ballast = np.ones(60_000_000)  # 480 MB
    mine = peak_memory_mb()
    assert mine > ballast.nbytes / 1e6
    del ballast
    found = measure(model, one, tmp_path / "out", "cpu")
    assert 100 < found.cost.peak_mb < mine - 200
    assert found.cost.seconds is not None and 0 < found.cost.seconds < 60
    assert [r.case for r in found.evaluation.cases] == ["a"] and not found.not_predicted


@pytest.mark.usefixtures("in_this_process")
def test_what_was_measured_is_not_measured_again_unless_something_changed(
    one: LabelledSet, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    truly = module._predict

    def counted(*given: Any) -> float:
        runs.append(given)
        return truly(*given)

    monkeypatch.setattr(module, "_predict", counted)
    out = tmp_path / "out"
    first = measure(model, one, out, "cpu")
    assert measure(model, one, out, "cpu") == first and len(runs) == 1
    # Interrupted before its end, or made with a model that has been trained again since.
    for spoil in (
        lambda kept: (out / "measured.json").unlink(),
        lambda kept: (out / "measured.json").write_text(
            json.dumps(kept | {"stamp": kept["stamp"] | {"finished": "2000-01-01"}})
        ),
    ):
        spoil(json.loads((out / "measured.json").read_text()))
        (out / "left_over.txt").touch()
        assert measure(model, one, out, "cpu").evaluation == first.evaluation
        assert not (out / "left_over.txt").exists()
    assert len(runs) == 3


@pytest.mark.usefixtures("in_this_process")
def test_a_case_that_fails_is_named_and_a_set_that_fails_is_an_error(
    one: LabelledSet, model: Path, tmp_path: Path
) -> None:
    (one.scans / "b_0000.nii.gz").write_text("no image")
    found = measure(model, one, tmp_path / "out", "cpu")
    assert found.not_predicted == ("b",)
    (one.labels / "a.nii.gz").unlink()
    with pytest.raises(DatasetError, match="no label map for case a"):
        measure(model, one, tmp_path / "new", "cpu")
    assert not (tmp_path / "new" / "measured.json").exists()
