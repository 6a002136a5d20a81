"""`disanat_predict` with the model that ships with the package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from disanat.inference.bundled import bundled_model

Ship = Callable[[], Path]


@pytest.fixture
def scan(miniature: Any, tmp_path: Path) -> Path:
    path = tmp_path / "scans" / "a.nii.gz"
    miniature.write(path, miniature.brain(60, "flair", lesion=True).image)
    return path


def test_with_nothing_trained_it_predicts_and_says_so(
    miniature: Any,
    ship: Ship,
    scan: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, out = ship(), tmp_path / "out"
    flags = ("-i", scan.parent, "-o", out, "--home", tmp_path / "home", "--device", "cpu")
    assert miniature.run("predict", *flags) == 0
    told = capsys.readouterr().err
    shipped = bundled_model()
    assert shipped is not None
    assert f"{tmp_path / 'home' / 'results'} holds no trained model. {shipped.sentence}\n" in told
    facts = json.loads((out / "prediction.json").read_text())
    assert facts["bundled"] is True and facts["model"] == str(folder)
    assert facts["finished"].startswith(shipped.finished)
    for ending in ("", "_anomaly", "_0000_phi"):
        assert (out / f"a{ending}.nii.gz").is_file()


def test_it_is_named_although_another_was_trained(
    miniature: Any,
    ship: Ship,
    trained_home: Path,
    scan: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ship()
    flags = ("-i", scan, "--home", trained_home, "--device", "cpu")
    assert miniature.run("predict", *flags, "-o", tmp_path / "a", "-m", "pretrained") == 0
    told = capsys.readouterr().err
    assert "Taking the model that ships with disanat" in told and "holds no" not in told
    assert json.loads((tmp_path / "a" / "prediction.json").read_text())["bundled"] is True
    assert miniature.run("predict", *flags, "-o", tmp_path / "b") == 0
    assert "ships with disanat" not in capsys.readouterr().err
    assert json.loads((tmp_path / "b" / "prediction.json").read_text())["bundled"] is False
