"""Which test sets a comparison takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from disanat.errors import DatasetError
from disanat.experiments.sets import named_sets, raw_sets
from disanat.home import Home


def put(folder: Path, files: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).touch()
    return folder


def raw(home: Home, name: str, files: Sequence[str], contrasts: Sequence[str]) -> Path:
    folder = home.raw / name
    put(folder / "imagesTs", files)
    put(folder / "labelsTs", ["a.nii.gz"])
    named = {str(n): contrast for n, contrast in enumerate(contrasts)}
    (folder / "dataset.json").write_text(json.dumps({"channel_names": named}))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_each_contrast_of_each_raw_dataset_that_has_labels(home: Home) -> None:
    files = ["a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz"]
    folder = raw(home, "Dataset010_Two", files, ["FLAIR", "T1 c/e", "T2"])
    raw(home, "Dataset011_One", ["a_0000.nii.gz"], ["FLAIR"])
    put(home.raw / "Dataset012_Unlabelled" / "imagesTs", files)
    found = raw_sets(home)
    assert [(one.name, one.channels) for one in found] == [
        ("Two_FLAIR", (0,)),
        ("Two_T1_c_e", (1,)),  # and none for T2, which no case has
        ("One_FLAIR", (0,)),
    ]
    assert found[0].scans == folder / "imagesTs" and found[0].labels == folder / "labelsTs"
    assert [len(one.cases()) for one in found] == [2, 1, 1]
    assert [one.name for one in raw_sets(home, [1])] == ["Two_T1_c_e"]


def test_sets_of_the_same_name_are_numbered(home: Home) -> None:
    raw(home, "Dataset010_A", ["a_0000.nii.gz"], ["T1"])
    raw(home, "Dataset011_A", ["a_0000.nii.gz"], ["T1"])
    assert [one.name for one in raw_sets(home)] == ["A_T1", "A_T1_2"]
    scans = [home.raw / name / "imagesTs" for name in ("Dataset010_A", "Dataset011_A")]
    assert [one.name for one in named_sets(scans, scans)] == ["A", "A_2"]


def test_no_test_set_is_one_sentence(home: Home) -> None:
    with pytest.raises(DatasetError, match="holds no dataset with imagesTs and labelsTs: put"):
        raw_sets(home)
    raw(home, "Dataset010_A", ["a_0000.nii.gz"], ["T1"])
    with pytest.raises(DatasetError, match="labelsTs with a channel 3: put"):
        raw_sets(home, [3])


def test_named_folders_take_their_channels_together(home: Home, tmp_path: Path) -> None:
    scans = put(tmp_path / "my scans", ["a_0000.nii.gz", "a_0001.nii.gz", "b_0002.nii.gz"])
    labels = put(tmp_path / "labels", [])
    (one,) = named_sets([scans], [labels], [0, 1])
    assert (one.name, one.channels) == ("my_scans", (0, 1))
    assert [case.name for case in one.cases()] == ["a"]
    assert [case.name for case in named_sets([scans], [labels])[0].cases()] == ["a", "b"]


def test_mistakes_in_folders_are_one_sentence(tmp_path: Path) -> None:
    scans = put(tmp_path / "scans", ["a_0000.nii.gz"])
    with pytest.raises(DatasetError, match="-i names 1 folders of scans, but -l 0 of labels"):
        named_sets([scans], [])
    with pytest.raises(DatasetError, match="-i names 0 folders of scans, but -l 1"):
        named_sets([], [scans])
    with pytest.raises(DatasetError, match=r"nowhere is not a folder: .* with -l"):
        named_sets([scans], [tmp_path / "nowhere"])
    with pytest.raises(DatasetError, match="No case in .* has a channel 4: change --use_channels"):
        named_sets([scans], [scans], [4])
