"""`disanat_audit` on a miniature model."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from disanat.cli.audit import build_parser, main


@pytest.fixture
def folders(miniature: Any, trained_home: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A scan of the training under its name, and two others under new ones."""
    model = trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0" / "model.json"
    name = json.loads(model.read_text())["facts"]["train_cases"][0]
    members, others = tmp_path / "a", tmp_path / "b"
    miniature.write(members / f"{name}_0000.nii.gz", miniature.brain(int(name[1:])).image)
    for number in (50, 51):
        miniature.write(others / f"x{number}.nii.gz", miniature.brain(number).image)
    return members, others


def flags(folders: tuple[Path, Path], home: Path, model: str = "dal") -> list[str]:
    groups = ["--members", str(folders[0]), "--nonmembers", str(folders[1])]
    return ["-m", model, *groups, "--home", str(home), "--device", "cpu"]


def test_table_and_files(
    folders: tuple[Path, Path],
    trained_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(flags(folders, trained_home)) == 0
    shown = capsys.readouterr()
    assert "among its training cases" not in shown.err
    for measure in ("plain", "mid-band"):
        row = rf"{measure} error +\d\.\d{{3}} +\d\.\d{{3}} +\d\.\d\d \[n/a\] +n/a\n"
        assert re.search(row, shown.out)
    assert re.search(r"cases +1 +2\n\nToo few cases to tell", shown.out)
    told = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert told["method"] == "dal" and len(told["cases"]) == 3
    assert (tmp_path / "audit" / "audit.csv").is_file()


def test_a_bad_case_is_exit_code_one(
    folders: tuple[Path, Path],
    trained_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folders[1] / "x50.nii.gz").write_bytes(b"no image")
    out = tmp_path / "out"
    assert main([*flags(folders, trained_home), "-o", str(out)]) == 1
    assert "1 left out:\n  x50: " in capsys.readouterr().err
    assert (out / "audit.json").is_file()


def test_a_mistake_is_one_sentence_and_writes_nothing(
    folders: tuple[Path, Path],
    trained_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert main([*flags(folders, trained_home, "threshold"), "-o", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and "nothing to audit" in said
    assert main([*flags((folders[0], folders[0]), trained_home), "-o", str(out)]) == 2
    assert "take it out of one of them" in capsys.readouterr().err
    assert not out.exists()


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    shown = set(capsys.readouterr().out.replace(",", " ").split())
    assert shown >= {"-m", "--members", "--nonmembers", "-o", "--brain_masks", "--device", "--home"}


@pytest.mark.parametrize("missing", ["-m", "--members", "--nonmembers"])
def test_required_flags(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"-m": "dal", "--members": "a", "--nonmembers": "b"}
    del given[missing]
    with pytest.raises(SystemExit) as left:
        build_parser().parse_args([word for pair in given.items() for word in pair])
    assert left.value.code == 2 and missing in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, disanat.cli.audit\n"
        "print(sorted({'torch', 'SimpleITK', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
