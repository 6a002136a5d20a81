"""Names of files, cases and channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from disanat.errors import DatasetError
from disanat.io.cases import find_cases, stem


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_channels_belong_to_their_cases(tmp_path: Path) -> None:
    fill(tmp_path, "b_0002.nii.gz", "b_0000.mha", "a.b_0001.nrrd", "plain.nii", "notes.txt")
    fill(tmp_path, ".hidden.nii.gz", "x_00001.nii.gz")
    cases = find_cases(tmp_path)
    assert [(c.name, list(c.channels)) for c in cases] == [
        ("a.b", [1]),
        ("b", [0, 2]),
        ("plain", [0]),
        ("x_00001", [0]),
    ]
    assert cases[1].channels[0] == tmp_path / "b_0000.mha"


def test_a_single_file_is_one_case(tmp_path: Path) -> None:
    fill(tmp_path, "one_0003.NII.GZ", "other.nii")
    [case] = find_cases(tmp_path / "one_0003.NII.GZ")
    assert case.name == "one" and list(case.channels) == [3]


def test_folders_of_dicom_slices_are_images(tmp_path: Path) -> None:
    fill(tmp_path, "p1_0000/1.dcm", "p1_0001/1.IMA", "other/readme.txt")
    assert [(c.name, list(c.channels)) for c in find_cases(tmp_path)] == [("p1", [0, 1])]
    [case] = find_cases(tmp_path / "p1_0001")
    assert case.channels == {1: tmp_path / "p1_0001"}


def test_two_files_for_one_channel_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "a_0000.nii.gz", "a_0000.mha")
    with pytest.raises(DatasetError, match="both channel 0 of case a: keep one"):
        find_cases(tmp_path)


def test_no_image_says_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no image .found: nothing"):
        find_cases(tmp_path)
    fill(tmp_path, "scan.jpg")
    with pytest.raises(DatasetError, match="found: scan.jpg"):
        find_cases(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.nii.gz", "a"), ("a.NII", "a"), ("a.gz", None), ("a.b.mha", "a.b"), ("a.nhdr", "a")],
)
def test_stem(name: str, expected: str | None) -> None:
    assert stem(Path(name)) == expected
