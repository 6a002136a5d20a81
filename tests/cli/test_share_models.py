"""`disanat_export_model`, `disanat_import_model` and `disanat_models` on miniature models."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mini_brains import DATASET
from predictions import canonical

from disanat.cli import export_model, import_model, models
from disanat.cli.common import USER_ERROR

Ship = Callable[[], Path]
Capture = pytest.CaptureFixture[str]


def export(*argv: object) -> int:
    return export_model.main([str(a) for a in argv])


def take_in(*argv: object) -> int:
    return import_model.main([str(a) for a in argv])


@pytest.fixture
def archive(trained_home: Path, tmp_path: Path) -> Path:
    path = tmp_path / "stroke.zip"
    assert export("--home", trained_home, "-m", "dal", "-o", path, "--author", "A. Maker") == 0
    return path


def test_from_one_home_to_another(
    miniature: Any, trained_home: Path, archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    other = tmp_path / "other"
    assert take_in(archive, "--home", other) == 0
    told = capsys.readouterr().out
    assert "made by A. Maker with disanat" in told
    assert f"Next: disanat_predict -m stroke -i scans -o results --home {other}\n" in told
    miniature.write(tmp_path / "a.nii.gz", miniature.brain(60, "flair", lesion=True).image)
    flags = ("-i", tmp_path / "a.nii.gz", "--device", "cpu")
    before, after = tmp_path / "before", tmp_path / "after"
    assert miniature.run("predict", *flags, "--home", trained_home, "-m", "dal", "-o", before) == 0
    assert miniature.run("predict", *flags, "--home", other, "-m", "stroke", "-o", after) == 0
    for ending in ("", "_anomaly", "_0000_phi"):
        np.testing.assert_array_equal(
            canonical(before / f"a{ending}.nii.gz"), canonical(after / f"a{ending}.nii.gz")
        )


def test_an_imported_model_is_used_only_where_it_is_named(
    miniature: Any, archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    home = tmp_path / "home"
    assert take_in(archive, "--home", home, "--name", "other") == 0
    flags = ("-i", tmp_path, "-o", tmp_path / "out", "--home", home)
    assert miniature.run("predict", *flags) == USER_ERROR
    assert "No model has been trained yet" in capsys.readouterr().err
    assert miniature.run("predict", *flags, "-m", "strok") == USER_ERROR
    assert "or one of dal, threshold" in (told := capsys.readouterr().err)
    assert told.endswith("pretrained, other.\n")


@pytest.mark.parametrize("name", ["dal", "pretrained", "../x", "a b", "", ".x"])
def test_names_that_cannot_be_taken(
    archive: Path, tmp_path: Path, name: str, capsys: Capture
) -> None:
    renamed = archive.rename(archive.with_name("a b.zip"))
    assert take_in(renamed, "--home", tmp_path / "home", "--name", name) == USER_ERROR
    assert "cannot be a model's name: give another with --name" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_nothing_is_replaced_unasked(
    archive: Path, trained_home: Path, tmp_path: Path, capsys: Capture
) -> None:
    home = tmp_path / "home"
    assert take_in(archive, "--home", home) == 0
    assert take_in(archive, "--home", home) == USER_ERROR
    assert "stroke is there already: give another name" in capsys.readouterr().err
    assert take_in(archive, "--home", home, "--overwrite") == 0
    flags = ("--home", trained_home, "-d", "5", "-c", "2d", "-f", "0", "-o", archive)
    assert export(*flags) == USER_ERROR
    assert "stroke.zip is there already: give another file" in capsys.readouterr().err
    capsys.readouterr()
    assert export(*flags, "--overwrite") == 0
    told = capsys.readouterr().out
    assert "made by unknown. Others take it with: disanat_import_model stroke.zip" in told
    with zipfile.ZipFile(archive) as written:
        assert json.loads(written.read("manifest.json"))["author"] == "unknown"


def test_a_damaged_archive_is_one_sentence(
    archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    archive.write_bytes(archive.read_bytes()[:-30])
    capsys.readouterr()
    assert take_in(archive, "--home", tmp_path / "home") == USER_ERROR
    told = capsys.readouterr().err
    assert told.startswith(f"error: {archive} is no whole zip archive") and told.count("\n") == 1
    assert export("--home", tmp_path / "home", "-o", tmp_path / "x.zip") == USER_ERROR


def listed(home: Path, capsys: Capture) -> list[dict[str, Any]]:
    capsys.readouterr()
    models.main(["--json", "--home", str(home)])
    return json.loads(capsys.readouterr().out)


def test_all_models_are_listed(
    archive: Path, trained_home: Path, tmp_path: Path, ship: Ship, capsys: Capture
) -> None:
    ship()
    home = tmp_path / "home"
    shutil.copytree(trained_home / "results", home / "results")
    trained = home / "results" / DATASET / "dal__2d"
    data = json.loads((trained / "fold_0" / "model.json").read_text())
    joined = trained / "ensemble_0_1"
    joined.mkdir()
    members = {"fold_0": "", "fold_1": ""}
    (joined / "model.json").write_text(json.dumps(data | {"members": members}))
    assert take_in(archive, "--home", home) == 0
    rows = {row["use"]: row for row in listed(home, capsys)}
    assert set(rows) == {
        str(joined),
        str(trained / "fold_0"),
        str(trained.parent / "threshold__2d" / "fold_0"),
        "stroke",
        "pretrained",
    }
    assert rows[str(joined)]["folds"] == "0 1"
    for use, origin, maker in (
        (str(trained / "fold_0"), "trained", "trained here"),
        ("stroke", "imported", "A. Maker"),
        ("pretrained", "bundled", "disanat"),
    ):
        row = rows[use]
        assert (row["origin"], row["made_by"], row["method"]) == (origin, maker, "dal")
        assert (row["dataset"], row["configuration"], row["folds"]) == (DATASET, "2d", "0")
    assert rows["stroke"]["threshold"] == data["calibration"]["threshold"]
    assert rows["stroke"]["dice"] == data["calibration"]["dice"]
    assert export("-m", "pretrained", "--home", home, "-o", tmp_path / "shipped.zip") == 0
    assert "made by disanat." in capsys.readouterr().out
    assert models.main(["--home", str(home)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 6 and table[0].startswith("method ") and "made by" in table[0]
    [stroke] = [line for line in table if line.endswith("stroke")]
    assert "imported" in stroke and "A. Maker" in stroke and DATASET in stroke


def test_where_there_is_none(tmp_path: Path, capsys: Capture) -> None:
    assert models.main(["--home", str(tmp_path)]) == 0
    assert "No finished model is in" in capsys.readouterr().out
    assert listed(tmp_path, capsys) == []


def test_a_damaged_model_is_named_beside_the_others(
    archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert take_in(archive, "--home", tmp_path) == 0
    assert take_in(archive, "--home", tmp_path, "--name", "odd") == 0
    path = tmp_path / "results" / "imported" / "odd" / "model.json"
    data = json.loads(path.read_text())
    del data["calibration"]
    path.write_text(json.dumps(data))
    capsys.readouterr()
    assert models.main(["--home", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert f"{path} is damaged" in told.err and "stroke" in told.out and "odd" not in told.out


def test_nothing_in_a_description_steers_the_terminal(
    archive: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert take_in(archive, "--home", tmp_path) == 0
    path = tmp_path / "results" / "imported" / "stroke" / "model.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"method": "\x1b[2J"}))
    capsys.readouterr()
    assert models.main(["--home", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told and r"'\x1b[2J'" in told
