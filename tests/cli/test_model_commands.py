"""Exporting, importing and listing models by command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from disanat.cli import export_model, import_model, models


def test_a_model_goes_from_one_home_to_another(
    trained_home: Path, tmp_path: Path, miniature: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file, home = tmp_path / "mini.zip", str(tmp_path / "home")
    words = ["-d", "5", "-m", "dal", "--home", str(trained_home), "-o", str(file)]
    assert export_model.main([*words, "--author", "A. Author"]) == 0
    assert f"is now in {file}" in capsys.readouterr().out
    assert import_model.main([str(file), "--home", home]) == 0
    target = tmp_path / "home" / "results" / "Imported" / "mini" / "fold_0"
    said = capsys.readouterr().out
    assert f"Imported into {target}, made by A. Author on 2" in said
    assert f"Next: disanat_predict -m {target} -i folder -o folder" in said
    assert import_model.main([str(file), "--home", home]) == 2
    assert "mini/fold_0 exists already" in capsys.readouterr().err
    miniature.write(tmp_path / "in" / "a.nii.gz", miniature.brain(7).image)
    flags = ("-i", tmp_path / "in", "-o", tmp_path / "out", "--home", home, "--device", "cpu")
    assert miniature.run("predict", "-m", target, *flags) == 0
    assert (tmp_path / "out" / "a.nii.gz").exists()


def test_the_list_of_models(
    trained_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ship: Any
) -> None:
    ship()
    assert models.main(["--home", str(trained_home), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [one["method"] for one in listed] == ["threshold", "dal", "dal"]  # newest first
    assert [one["bundled"] for one in listed] == [False, False, True]
    assert listed[1]["dataset"] == "Dataset005_Mini" and listed[1]["folds"] == "0"
    assert listed[2]["name"] == "pretrained" and listed[2]["threshold"] > 0
    assert models.main(["--home", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert table.count("\n") == 3 and "| pretrained | dal    | Dataset005_Mini |" in table


def test_a_damaged_model_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results" / "Dataset001_A" / "dal__2d" / "fold_0"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text('{"method": "dal"}')
    assert models.main(["--home", str(tmp_path)]) == 0
    assert "left out: " in (told := capsys.readouterr()).err and "Dataset001_A" not in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "model.tar"], "model.tar is no name of an archive: let it end in .zip"),
        (["-o", "model.zip", "-m", "nonsense"], "'nonsense' is neither a folder nor a method"),
    ],
)
def test_mistakes_of_exporting(
    tmp_path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_model.main([*words, "--home", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_mistakes_of_importing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_model.main([str(tmp_path / "x.zip"), "--home", str(tmp_path)]) == 2
    assert "x.zip does not exist" in capsys.readouterr().err
    flags = ["--home", str(tmp_path), "--name", "../x"]
    assert import_model.main([str(tmp_path / "x.zip"), *flags]) == 2
    assert "'../x' cannot name a model" in capsys.readouterr().err
