"""A folder of predictions: what is kept, made anew, and shared out."""

from __future__ import annotations

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import BusyError, ImageError
from disanat.inference.folder import predict_folder
from disanat.inference.predictor import Predictor
from disanat.locks import hold

CASES = ["a", "b", "c"]


@pytest.fixture
def predictor(trained_home: Path) -> Predictor:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    return Predictor.from_folder(folder)


@pytest.fixture
def scans(miniature: Any, tmp_path: Path) -> Path:
    for number, case in enumerate(CASES):
        miniature.write(tmp_path / "in" / f"{case}_0000.nii.gz", miniature.brain(number + 5).image)
    return tmp_path / "in"


def images(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.nii.gz")}


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.nii.gz")}


def rows(folder: Path) -> list[dict[str, str]]:
    """The table without what a clock wrote."""
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as handle:
        return [{**row, "seconds": ""} for row in csv.DictReader(handle)]


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_was_interrupted_goes_on_and_ends_the_same(
    predictor: Predictor,
    scans: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    at_once: int,
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    predict_folder(predictor, scans, whole, at_once=1)
    predict, seen = predictor.predict_case, []

    def interrupted(case: Any, mask: Any) -> Any:
        seen.append(case.name)
        if case.name == "b":
            raise KeyboardInterrupt
        return predict(case, mask)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(predictor, "predict_case", interrupted)
        with pytest.raises(KeyboardInterrupt):
            predict_folder(predictor, scans, out, at_once=at_once)
    assert {"a", "b"} <= set(seen) and [row["case"] for row in rows(out)] == ["a"]
    assert at_once > 1 or "c" not in seen
    before, kept = times(out), sum((out / f"{case}.nii.gz").exists() for case in CASES)
    with caplog.at_level(logging.INFO):
        predict_folder(predictor, scans, out, at_once=at_once)
    assert f"{kept} of 3 cases were predicted before" in caplog.text
    assert before.items() <= times(out).items()
    assert images(out) == images(whole) and rows(out) == rows(whole)


def test_only_what_would_change_is_predicted_again(
    predictor: Predictor, scans: Path, miniature: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def again(given: Predictor = predictor, **how: Any) -> set[str]:
        """The cases that were predicted now."""
        before = times(out) if out.exists() else {}
        predict_folder(given, scans, out, **how)
        return {name[0] for name, time in times(out).items() if before.get(name) != time}

    assert again() == set(CASES) and again() == set()
    miniature.write(scans / "b_0000.nii.gz", miniature.brain(3).image)
    assert again() == {"b"}
    (out / "c_anomaly.nii.gz").unlink()
    (out / "a.nii.gz").write_bytes(b"spoilt")
    assert again() == {"a", "c"}
    assert [row["case"] for row in rows(out)] == CASES
    other = Predictor(predictor.model, threshold=2.5)
    assert again(other) == set(CASES) and again(other) == set()
    own = replace(predictor.model, plans=replace(predictor.model.plans, brain_mask_tool="hd-bet"))
    assert again(Predictor(own, 2.5)) == set(CASES)
    assert again(Predictor(own, 2.5), overwrite=True) == set(CASES)
    assert again(Predictor(own, 2.5, fast=True)) == set(CASES)
    assert json.loads((out / "prediction.json").read_text())["fast"] is True


def test_two_cases_at_once_give_what_one_at_a_time_gives(
    taught_model: Path, scans: Path, tmp_path: Path
) -> None:
    predictor, extras = Predictor.from_folder(taught_model), ("phi", "anatomy")
    outs = [tmp_path / f"at_once_{n}" for n in (1, 2)]
    for number, out in enumerate(outs, start=1):
        predict_folder(predictor, scans, out, extras, at_once=number)
    assert len(images(outs[0])) == 5 * len(CASES) and images(outs[0]) == images(outs[1])
    assert rows(outs[0]) == rows(outs[1])
    names = [{path.name for path in out.iterdir()} for out in outs]
    assert names[0] == names[1] and "predictions.csv" in names[0]


def test_while_one_case_has_the_networks_another_is_prepared(
    predictor: Predictor, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from disanat.inference import predictor as module

    prepare, prepared = module.prepare_case, threading.Semaphore(0)
    predict = predictor.model.method.predict

    def noted(*args: Any, **more: Any) -> Any:
        found = prepare(*args, **more)
        prepared.release()
        return found

    def waits(channels: Any) -> Any:
        """Not before the other case is prepared."""
        if not waited:
            waited.append(all(prepared.acquire(timeout=60) for _ in range(2)))
        return predict(channels)

    waited: list[bool] = []
    monkeypatch.setattr(module, "prepare_case", noted)
    monkeypatch.setattr(predictor.model.method, "predict", waits)
    predict_folder(predictor, scans, tmp_path / "out")
    assert waited == [True]


def test_a_case_that_failed_is_tried_again(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    whole = (scans / "b_0000.nii.gz").read_bytes()
    (scans / "b_0000.nii.gz").write_bytes(whole[:500])
    out = tmp_path / "out"
    found = predict_folder(predictor, scans, out)
    assert [row.status for row in found] == ["ok", "failed", "ok"]
    (scans / "b_0000.nii.gz").write_bytes(whole)
    assert [row.status for row in predict_folder(predictor, scans, out)] == ["ok"] * 3
    assert [row["status"] for row in rows(out)] == ["ok"] * 3


def test_a_case_that_fails_while_it_is_written_leaves_nothing(
    predictor: Predictor, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from disanat.inference import prediction as module

    write, out = module.write_like, tmp_path / "out"

    def full(array: np.ndarray, geometry: Any, path: Path) -> None:
        if path.name == "b_brainmask.nii.gz":
            raise ImageError(f"{path} cannot be written: check the free space.")
        write(array, geometry, path)

    monkeypatch.setattr(module, "write_like", full)
    found = predict_folder(predictor, scans, out)
    assert [row.status for row in found] == ["ok", "failed", "ok"]
    assert not list(out.glob("b*"))


def test_parts_fill_one_table_and_end_like_the_whole(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    predict_folder(predictor, scans, whole)
    assert [r.case for r in predict_folder(predictor, scans, out, part=(1, 2))] == ["b"]
    assert [row["case"] for row in rows(out)] == ["b"]
    assert [r.case for r in predict_folder(predictor, scans, out, part=(0, 2))] == ["a", "c"]
    assert images(out) == images(whole) and rows(out) == rows(whole)


def test_the_table_never_mixes_two_settings(
    predictor: Predictor, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    predict_folder(predictor, scans, out)
    other = Predictor(predictor.model, threshold=2.5)
    predict = other.predict_case

    def interrupted(case: Any, mask: Any) -> Any:
        if case.name == "b":
            raise KeyboardInterrupt
        return predict(case, mask)

    monkeypatch.setattr(other, "predict_case", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_folder(other, scans, out)
    assert [(row["case"], row["threshold"]) for row in rows(out)] == [("a", "2.5")]


def test_two_predictions_into_one_folder(predictor: Predictor, scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with hold(out, "predicting"), pytest.raises(BusyError, match="out is in use by predicting"):
        predict_folder(predictor, scans, out)
    with (
        hold(out, "predicting", shared=True),
        hold(out, "predicting", part="0_of_2"),
    ):
        assert len(predict_folder(predictor, scans, out, part=(1, 2))) == 1
        with pytest.raises(BusyError):
            predict_folder(predictor, scans, out, part=(0, 2))
        with pytest.raises(BusyError):
            predict_folder(predictor, scans, out)


def test_a_damaged_record_only_costs_its_case(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_folder(predictor, scans, out)
    path = out / ".disanat" / "cases" / "a.json"
    for spoilt in ("{", "[]", "{}", json.dumps({"row": {"case": "a"}, "files": {}})):
        path.write_text(spoilt)
        before = times(out)
        predict_folder(predictor, scans, out)
        changed = {name for name, time in times(out).items() if before[name] != time}
        assert {name[0] for name in changed} == {"a"}


PARTS = """
import sys
from pathlib import Path
from disanat.inference.folder import predict_folder
from disanat.inference.predictor import Predictor
model, scans, out, number = sys.argv[1:]
predict_folder(Predictor.from_folder(model), Path(scans), Path(out), part=(int(number), 2))
"""


def test_parts_at_the_same_time_lose_no_row_when_one_is_killed(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-c", PARTS, str(predictor.model.folder), str(scans), str(out)]
    both = [subprocess.Popen([*words, number]) for number in "01"]
    both[1].send_signal(signal.SIGSTOP)
    os.kill(both[1].pid, signal.SIGKILL)
    assert both[0].wait(120) == 0 and both[1].wait(10) == -signal.SIGKILL
    assert subprocess.run([*words, "1"], timeout=120).returncode == 0
    assert [row["case"] for row in rows(out)] == CASES
