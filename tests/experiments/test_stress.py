"""The study: what is done once, what again, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import BusyError, DatasetError, ImageError
from disanat.experiments.stress import UNTOUCHED, Stress, Study, stress
from disanat.experiments.stress_kinds import chosen
from disanat.inference.predictor import Predictor
from disanat.locks import hold


class Counted(Predictor):
    """Counts what it predicts, and refuses what it is told to."""

    seen = 0
    refused = -1

    def predict_scans(self, scans: Any, brain_mask: Any = None) -> Any:
        self.seen += 1
        if self.seen == self.refused:
            raise ImageError("scan.nii.gz cannot be used today: come back tomorrow.")
        return super().predict_scans(scans, brain_mask)


@pytest.fixture
def predictor(trained_home: Path) -> Counted:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    return Counted(Predictor.from_folder(folder).model)


@pytest.fixture
def study(miniature: Any, tmp_path: Path) -> Study:
    for name, ill in (("h", False), ("i", True)):
        brain = miniature.brain(5, "flair", lesion=ill)
        miniature.write(tmp_path / "scans" / f"{name}.nii.gz", brain.image)
        if ill:
            label = tmp_path / "labels" / f"{name}.nii.gz"
            miniature.write(label, brain.lesion.astype(np.uint8))
    kinds = chosen(["scale", "inverted"], restore=False)
    return Study(tmp_path / "scans", tmp_path / "out", kinds, tmp_path / "labels")


def last(found: Iterator[Stress]) -> Stress:
    return list(found)[-1]


def test_each_case_is_predicted_untouched_and_at_each_strength(
    study: Study, predictor: Counted
) -> None:
    found = last(stress(study, predictor))
    assert predictor.seen == 2 * (1 + 5 + 1) == len(found.results)
    assert not found.failed
    by = {(r.case, r.degradation, r.strength): r for r in found.results}
    healthy, ill = by["h", UNTOUCHED, 0.0], by["i", UNTOUCHED, 0.0]
    assert healthy.healthy and healthy.average_precision is None
    assert not ill.healthy and ill.average_precision is not None
    assert by["i", "scale", 100.0].average_precision == pytest.approx(
        ill.average_precision, abs=0.01
    )
    assert healthy.anatomy_dice is None, "threshold names no tissues"
    assert by["h", "inverted", 1.0].likeness == pytest.approx(-1, abs=0.02)


def test_what_was_done_is_not_done_again(study: Study, predictor: Counted) -> None:
    begun = stress(study, predictor)
    next(begun)
    begun.close()
    assert predictor.seen == 7, "one case"
    whole = last(stress(study, predictor))
    assert predictor.seen == 14
    assert last(stress(study, predictor)) == whole and predictor.seen == 14
    more = replace(study, degradations=chosen(["scale", "inverted", "ghosts"], restore=False))
    last(stress(more, predictor))
    assert predictor.seen == 14 + 2 * (1 + 5), "the untouched scan for its anatomy, and the new"


def test_what_was_made_from_something_else_is_done_again(
    study: Study, predictor: Counted, miniature: Any
) -> None:
    study = replace(study, degradations=chosen(["inverted"], restore=False))
    last(stress(study, predictor))
    last(stress(replace(study, seed=1), predictor))
    assert predictor.seen == 8, "another seed"
    miniature.write(study.scans / "h.nii.gz", miniature.brain(6, "flair").image)
    last(stress(replace(study, seed=1), predictor))
    assert predictor.seen == 10, "another scan"
    record = next((study.folder / ".disanat" / "stress").glob("h.json"))
    record.write_text(json.dumps({"made_from": 3}))
    last(stress(replace(study, seed=1), predictor))
    assert predictor.seen == 12, "a record that cannot be understood"


def test_a_case_that_cannot_be_read_is_left_out(study: Study, predictor: Counted) -> None:
    (study.scans / "bad.nii.gz").write_bytes(b"no image")
    found = last(stress(study, predictor))
    assert set(found.left_out) == {"bad"} and "bad.nii.gz" in found.failed[0]
    assert {r.case for r in found.results} == {"h", "i"}


def test_a_strength_that_fails_is_told_and_tried_again(study: Study, predictor: Counted) -> None:
    predictor.refused = 3
    found = last(stress(study, predictor))
    assert found.failed == (
        "h, scale 0.1: scan.nii.gz cannot be used today: come back tomorrow.",
    )
    seen = predictor.seen
    predictor.refused = -1
    assert not last(stress(study, predictor)).failed
    assert predictor.seen == seen + 2, "the untouched scan, and the one that failed"


def test_without_labels_all_are_healthy(
    study: Study, predictor: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "disanat")
    study = replace(study, labels=None, degradations=chosen(["inverted"], restore=False))
    assert all(r.healthy for r in last(stress(study, predictor)).results)
    assert "every scan is taken for healthy" in caplog.text


def test_cases_without_a_guide_have_no_restored_slices(
    study: Study, predictor: Counted, miniature: Any
) -> None:
    miniature.write(study.scans / "h_0001.nii.gz", miniature.brain(5, "t1").image)
    kinds = chosen(["slices"], restore=True)
    found = last(stress(replace(study, degradations=kinds, guide=1), predictor))
    restored = [r for r in found.results if r.degradation == "slices_restored"]
    assert {r.case for r in restored} == {"h"} and len(restored) == 5
    with pytest.raises(DatasetError, match="No case in .* has a channel 2: give --restore"):
        last(stress(replace(study, degradations=kinds, guide=2), predictor))


def test_mistakes(study: Study, predictor: Counted, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is the input folder: give another folder with -o"):
        last(stress(replace(study, folder=study.scans), predictor))
    with pytest.raises(DatasetError, match="none is not a folder: give the folder of expert"):
        last(stress(replace(study, labels=tmp_path / "none"), predictor))
    with pytest.raises(DatasetError, match="none is not a folder: give the folder of brain masks"):
        last(stress(replace(study, brain_masks=tmp_path / "none"), predictor))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match="has no label map for any scan"):
        last(stress(replace(study, labels=empty), predictor))
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "x.nii.gz").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"bad holds no scan that can be used \(.*x.nii.gz"):
        last(stress(replace(study, scans=bad, labels=None), predictor))
    with hold(study.folder, "stressing"), pytest.raises(BusyError, match="in use by stressing"):
        last(stress(study, predictor))
