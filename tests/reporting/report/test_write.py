"""A whole report of a miniature case whose name tries to become part of the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.cli.report import main

NASTY = "<img src=x onerror=alert(1)></script>&'".replace("/", "")


@pytest.fixture
def folder(miniature: Any, tmp_path: Path) -> Path:
    brain = miniature.brain(3, lesion=True)
    out = tmp_path / "out"
    inside = brain.labels > 0
    for ending, array in {
        "": brain.lesion.astype(np.uint8),
        "_anomaly": (brain.lesion * 4.0 + inside * 0.5).astype(np.float32),
        "_brainmask": inside.astype(np.uint8),
        "_0000_phi": brain.image,
    }.items():
        miniature.write(out / f"{NASTY}{ending}.nii.gz", array)
    (out / "predictions.csv").write_text(f'case,status,case_score\n"{NASTY}",ok,4.0\n')
    (out / "prediction.json").write_text(json.dumps({"threshold": 2.0, "method": "<b>dal"}))
    return out


def test_names_stay_text_and_nothing_is_fetched(folder: Path) -> None:
    assert main(["-i", str(folder), "-np", "0"]) == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page and "<b>dal" not in page
    assert "&lt;img src=x" in page
    assert all(a.startswith("data:") for a in re.findall(r'src="([^"]*)"', page))
    assert "default-src 'none'" in page
    shown = json.loads(re.search(r'id="data-1">(.*?)</script>', page).group(1))
    assert set(shown["sprites"]) == {"phi", "anomaly", "mask"}


def test_without_predictions_is_a_sentence(tmp_path: Path, capsys: Any) -> None:
    assert main(["-i", str(tmp_path)]) == 2
    assert "holds no predictions" in capsys.readouterr().err
