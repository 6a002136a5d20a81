"""What `disanat_plan_and_preprocess` says of wrong datasets and flags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from planning_command import run, write

from planning import cli


def wrong_id(home: Path) -> str:
    return "8"


def empty_folder(home: Path) -> str:
    for path in (home / "raw/Dataset007_Small/imagesTr").iterdir():
        path.unlink()
    return "7"


def two_grids(home: Path) -> str:
    folder = home / "raw/Dataset007_Small"
    write(folder / "imagesTr" / "c1_0001.nii.gz", spacing=4.0)
    (folder / "dataset.json").write_text('{"channel_names": {"0": "T1", "1": "T2"}}')
    return "7"


def no_declaration(home: Path) -> str:
    (home / "raw/Dataset007_Small/dataset.json").unlink()
    return "7"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (wrong_id, "There is no dataset '8'"),
        (empty_folder, "holds no image"),
        (two_grids, "c1_0001.nii.gz lies on another grid than c1_0000.nii.gz"),
        (no_declaration, "dataset.json does not exist"),
    ],
)
def test_mistakes_give_one_sentence_and_exit_code_2(
    home: Path, spoil: Callable[[Path], str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "-d", spoil(home)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and words in lines[0]
    written = [path for path in (home / "preprocessed").rglob("*") if path.is_file()]
    assert all(".disanat" in path.parts for path in written)  # what was measured is kept


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "required: -d/--dataset"),
        (["-d", "7", "--plans_name", "a b"], "is not made of letters, digits and - alone"),
        (["-d", "7", "--overwrite_target_spacing", "1", "1", "0"], "not a number above 0"),
        (["-d", "7", "--gpu_memory_gb", "0"], "not a number above 0"),
        (["-d", "7", "--gpu_memory_gb", "much"], "not a number above 0"),
        (["-d", "7", "-np", "-1"], "-np"),
        (["-d", "7", "-c", "4d"], "3d_fullres"),
        (["-d", "7", "--brain_mask_tool", "bet"], "synthstrip"),
        (["-d", "7", "--norm", "batch"], "layer"),
        (["-d", "7", "--atlas_registration", "eye"], "intensity"),
        (["-d", "7", "--verify", "--explain"], "not allowed with"),
    ],
)
def test_wrong_flags_are_explained(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(flags)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
