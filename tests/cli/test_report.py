"""Flags of `disanat_report`, and `disanat_predict --report`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prediction_folders import PredictionFolder, write_predictions

from disanat.cli.report import main
from disanat.inference.records import CaseRow
from disanat.reporting.report.collect import ReportCase, chosen_channels


@pytest.fixture
def made(tmp_path: Path) -> PredictionFolder:
    return write_predictions(tmp_path, ["a", "b"])


def report(made: PredictionFolder, *flags: object) -> str:
    assert main(["-i", str(made.predictions), *(str(f) for f in flags)]) == 0
    return (made.predictions / "report.html").read_text(encoding="utf-8")


def test_input_and_default_output(made: PredictionFolder, capsys: Any) -> None:
    page = report(made, "-np", 0)
    assert "report.html" in capsys.readouterr().out
    assert page.count("<article") == 2 and page.count("Its scan is not shown") == 2
    assert 'alt="scan of a' not in page and 'alt="PHI (pseudo-healthy) of a' in page
    assert "Evaluation against the expert masks" not in page


def test_scans_are_shown(made: PredictionFolder) -> None:
    page = report(made, "-np", 0, "-s", made.scans)
    assert page.count('alt="scan of') == 2 and "Its scan is not shown" not in page


def test_labels_add_the_evaluation_and_the_expert_mask(made: PredictionFolder) -> None:
    page = report(made, "-np", 0, "-l", made.labels)
    assert "Evaluation against the expert masks" in page and "Precision and recall" in page
    assert page.count('alt="expert mask of') == 2
    dice = re.search(r"<dt>Dice at the threshold, mean</dt><dd>([^<]*)</dd>", page)
    assert dice and dice[1].startswith("1.000")  # the miniature masks are the experts' own


def test_a_missing_label_is_a_sentence(made: PredictionFolder, capsys: Any) -> None:
    (made.labels / "b.nii.gz").unlink()
    assert main(["-i", str(made.predictions), "-l", str(made.labels)]) == 2
    assert "b" in capsys.readouterr().err
    assert not (made.predictions / "report.html").exists()


def test_output(made: PredictionFolder, tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "other.html"
    assert main(["-i", str(made.predictions), "-o", str(target), "-np", "0"]) == 0
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not (made.predictions / "report.html").exists()
    assert main(["-i", str(made.predictions), "-o", str(tmp_path)]) == 2
    assert "is a folder: give the name of a file with -o" in capsys.readouterr().err


def test_processes_draw_the_same(made: PredictionFolder, capsys: Any) -> None:
    def pictures(page: str) -> list[str]:
        return re.findall(r'id="data-\d+">(.*?)</script>', page)

    alone, shared = pictures(report(made, "-np", 0)), pictures(report(made, "-np", 2))
    assert len(alone) == 2 and alone == shared
    assert main(["-i", str(made.predictions), "-np", "-1"]) == 2
    assert "-np -1 is no number of processes" in capsys.readouterr().err


def sprites(page: str, number: int) -> set[str]:
    """Volumes that the viewer has of a case."""
    found = re.search(rf'id="data-{number}">(.*?)</script>', page, re.S)
    assert found
    return set(json.loads(found[1])["sprites"])


def test_channels_are_chosen(tmp_path: Path, capsys: Any) -> None:
    made = write_predictions(tmp_path, ["a", "b"], two_channels=["a"])
    flags = ("-np", 0, "-s", made.scans)
    usual = {"scan", "phi", "anomaly", "mask"}
    first = report(made, *flags)
    assert sprites(first, 1) == sprites(first, 2) == usual
    second = report(made, *flags, "--channels", 1)
    assert sprites(second, 1) == usual and sprites(second, 2) == usual
    shown = [re.search(r'alt="scan of a[^>]*>|src="([^"]*)"[^>]*alt="scan of a', p) for p in
             (first, second)]  # fmt: skip
    assert shown[0] and shown[1] and shown[0][0] != shown[1][0]
    both = report(made, *flags, "--channels", "all")
    assert sprites(both, 1) == usual | {"scan1", "phi1"} and sprites(both, 2) == usual
    assert main(["-i", str(made.predictions), "--channels", "FLAIR"]) == 2
    assert "has a channel FLAIR: give some of 0, 1, or all" in capsys.readouterr().err


def test_channels_are_known_by_number_and_by_name() -> None:
    row = CaseRow("a", "ok", channels="0 2", contrasts="t1 flair", channel_names="T1 FLAIR")
    case = ReportCase(row, None)

    def numbers(*wanted: str) -> list[int]:
        return [one.number for one in chosen_channels(case, wanted)]

    assert numbers() == [0] and numbers("all") == [0, 2] and numbers("flair") == [2]
    assert numbers("2", "T1", "FLAIR") == [2, 0]
    assert numbers("7") == [0]  # the others of the set may have it


def test_names_of_channels_are_no_numbers(
    trained_home: Path, miniature: Any, tmp_path: Path
) -> None:
    miniature.write(tmp_path / "in" / "a.nii.gz", miniature.brain(40, lesion=True).image)
    flags = ("-m", "threshold", "--home", trained_home, "--device", "cpu", "--channels", "FLAIR")
    words = ("-i", tmp_path / "in", "-o", tmp_path / "out", "--report", *flags)
    assert miniature.run("predict", *words) == 0
    assert 'alt="scan of a' in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_predict_writes_it_as_well(trained_home: Path, miniature: Any, tmp_path: Path) -> None:
    brain = miniature.brain(40, lesion=True)
    scans, out = tmp_path / "scans", tmp_path / "out"
    miniature.write(scans / "ill_0000.nii.gz", brain.image)
    miniature.write(scans / "odd_0000.nii.gz", np.zeros_like(brain.image))
    flags = ("-m", "threshold", "--home", trained_home, "--device", "cpu")
    assert miniature.run("predict", "-i", scans, "-o", out, *flags) == 1
    assert not (out / "report.html").exists()
    assert miniature.run("predict", "-i", scans, "-o", out, "--report", *flags) == 1
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'alt="scan of ill' in page and "decisions of the planner" in page
    assert re.search(r'<tr id="row-2" data-number="2" data-state="failed">', page)
    assert str(tmp_path) not in page and str(trained_home) not in page
    for said in ("predicted with", "predicted by", "model finished", "report with"):
        assert f"<dt>{said}</dt>" in page

    # Without -s the scans are found where they were, and left out once they are others.
    again = tmp_path / "again.html"
    assert main(["-i", str(out), "-o", str(again), "-np", "0"]) == 0
    assert 'alt="scan of ill' in again.read_text(encoding="utf-8")
    miniature.write(scans / "ill_0000.nii.gz", brain.image + 5)
    assert main(["-i", str(out), "-o", str(again), "-np", "0"]) == 0
    changed = again.read_text(encoding="utf-8")
    assert 'alt="scan of ill' not in changed
    assert "the scan was changed after the prediction" in changed
