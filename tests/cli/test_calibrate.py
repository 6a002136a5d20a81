"""`disanat_calibrate` on a miniature model."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from disanat.cli import export_model, models
from disanat.cli.calibrate import main
from disanat.inference.model import load_model


@pytest.fixture(scope="module")
def scans(miniature: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for number in range(5):
        image = miniature.brain(70 + number, noise=9.0).image
        miniature.write(folder / f"secret{number}.nii.gz", image)
    return folder


@pytest.fixture
def home(trained_home: Path, tmp_path: Path) -> Path:
    target = tmp_path / "home"
    shutil.copytree(trained_home, target)
    return target


def flags(scans: Path, home: Path, *more: str) -> list[str]:
    return ["-i", str(scans), "--home", str(home), "--device", "cpu", *more]


def test_the_copy_is_found_by_its_name_listed_and_shared(
    scans: Path, home: Path, miniature: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(scans, home, "-m", "dal", "--name", "ours")) == 0
    told = capsys.readouterr().out
    assert told.startswith("5 healthy scans (") and "| 1% " in told and "| best " in told
    assert "disanat_predict -m ours" in told
    source = home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"
    copy = home / "results" / "calibrated" / "ours"
    old, new = load_model(source), load_model(copy)
    assert new.calibration != old.calibration
    assert new.calibration.shares == old.calibration.shares
    for name, value in new.method.networks().state_dict().items():  # type: ignore[attr-defined]
        assert value.equal(old.method.networks().state_dict()[name])  # type: ignore[attr-defined]
    described = json.loads((copy / "model.json").read_text())
    assert described["facts"]["site"]["scans"] == 5
    assert [p["threshold"] for p in described["facts"]["site"]["promises"]] == ["1%", "5%", "best"]
    card = (copy / "README.md").read_text()
    assert "Calibrated on 5 healthy scans" in card and card.startswith("# ours: dal of")
    assert "secret" not in (copy / "model.json").read_text() + card, "names of scans stay here"

    scan = tmp_path / "scan.nii.gz"
    miniature.write(scan, miniature.brain(80).image)
    out = tmp_path / "out"
    assert miniature.run("predict", "-i", scan, "-o", out, "-m", "ours", "--home", home) == 0
    assert json.loads((out / "prediction.json").read_text())["threshold"] == pytest.approx(
        new.calibration.threshold
    )
    capsys.readouterr()
    assert models.main(["--home", str(home)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.endswith("ours"))
    assert "calibrated here" in row
    archive = tmp_path / "ours.zip"
    assert export_model.main(["-m", "ours", "-o", str(archive), "--home", str(home)]) == 0
    with zipfile.ZipFile(archive) as packed:
        assert packed.read("README.md").decode() == card


def test_a_name_that_is_taken(
    scans: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(scans, home, "-m", "threshold", "--name", "ours")) == 0
    capsys.readouterr()
    assert main(flags(scans, home, "-m", "threshold", "--name", "ours")) == 2
    assert "ours is there already: give another --name, or --overwrite" in capsys.readouterr().err
    again = flags(scans, home, "-m", "threshold", "--name", "ours", "--overwrite", "--seed", "3")
    assert main(again) == 0
    assert main(flags(scans, home, "-m", "ours", "--name", "ours", "--overwrite")) == 2
    assert "is the model itself" in capsys.readouterr().err
    assert main(flags(scans, home, "--name", "dal")) == 2
    assert "'dal' cannot be a model's name" in capsys.readouterr().err
    shutil.copytree(home / "results" / "calibrated" / "ours", home / "results" / "imported" / "x")
    assert main(flags(scans, home, "-m", "threshold", "--name", "x")) == 2
    assert "'x' is the name of the model in" in capsys.readouterr().err


def test_a_bad_scan_is_exit_code_one(
    scans: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "scans"
    shutil.copytree(scans, folder)
    (folder / "bad.nii.gz").write_bytes(b"no image")
    assert main(flags(folder, home, "-m", "threshold", "--name", "ours")) == 1
    assert "case bad is left out" in capsys.readouterr().err
    assert (home / "results" / "calibrated" / "ours" / "model.json").is_file()


def test_too_few_scans_write_nothing(
    scans: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(scans / "secret0.nii.gz", few)
    assert main(flags(few, home, "-m", "threshold", "--name", "ours")) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ") and "1 healthy scan that can be used" in said
    assert not (home / "results" / "calibrated" / "ours" / "model.json").exists()


def test_an_ensemble_is_refused(
    scans: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "results" / "Dataset005_Mini" / "threshold__2d" / "ensemble_0_1"
    described = json.loads((folder.parent / "fold_0" / "model.json").read_text())
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps(described | {"members": {"fold_0": "now"}}))
    assert main(flags(scans, home, "-m", str(folder), "--name", "ours")) == 2
    assert "is an ensemble: name the folder of one of its folds" in capsys.readouterr().err


def test_own_brain_masks_are_taken(
    scans: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = tmp_path / "none"
    given = flags(scans, home, "-m", "threshold", "--name", "ours", "--brain_masks", str(masks))
    assert main(given) == 2
    assert "none is not a folder" in capsys.readouterr().err
