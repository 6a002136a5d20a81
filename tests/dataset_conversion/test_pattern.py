"""Any folder by patterns: what fits, what is ambiguous, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import converter_files as written
import lesion_trees as ill
import numpy as np
import pytest
from sentences import check_sentence

from dataset_conversion.conversion import prepare
from dataset_conversion.convert import convert
from dataset_conversion.pattern import Pattern
from dataset_conversion.registry import CONVERTERS
from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.images import read_scan, same_grid

PATTERN = CONVERTERS["pattern"]
T1 = ["T1", "north/{case}/{case}_t1.nii.gz"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    ill.pattern(tmp_path / "source")
    return tmp_path / "source"


def found(source: Path, **options: Any):
    given = {"name": "Mine", "channel": [T1], "test": True} | options
    return prepare(PATTERN, source, Home(source.parent / "home"), options=given)


@pytest.mark.parametrize(
    "text, path, fits",
    [
        ("{case}/{case}_T1.nii.gz", "a/a_T1.nii.gz", True),
        ("{case}/{case}_T1.nii.gz", "a/b_T1.nii.gz", False),
        ("{case}_T1.nii.gz", "a/b_T1.nii.gz", False),
        ("**/{case}_T1.nii.gz", "x/y/b_T1.nii.gz", True),
        ("**/{case}_T1.nii.gz", "b_T1.nii.gz", True),
        ("./{case}?_*.nii.gz", "ab_any.nii.gz", True),
        ("{case}_*.nii.gz", "ab_x/y.nii.gz", False),
        ("{case}+.nii.gz", "a+.nii.gz", True),
    ],
)
def test_pattern(text: str, path: str, fits: bool) -> None:
    assert bool(Pattern.parse(text).find({path: Path(path)})) == fits


def test_nothing_fits(source: Path) -> None:
    with pytest.raises(DatasetError, match="there is masks/north-A1.nii.gz") as caught:
        found(source, channel=[["T1", "{case}_T1.nii.gz"]])
    check_sentence(str(caught.value), "source")


def test_two_files_fit_one_case(source: Path) -> None:
    with pytest.raises(DatasetError, match="both fit the pattern") as caught:
        found(source, channel=[["T1", "north/{case}/*.nii.gz"]])
    check_sentence(str(caught.value), "A1_t1.nii.gz", "A1_flair.nii.gz")


@pytest.mark.parametrize(
    "options, match",
    [
        ({"test": False}, "--train"),
        ({"name": None}, "--name MySet"),
        ({"name": "a b"}, "letters and digits"),
        ({"channel": None}, "--channel"),
        ({"channel": [T1, T1]}, "twice"),
        ({"channel": [["T1", "x.nii.gz"]]}, "{case}"),
        ({"label": "masks/{site}-{case}.nii.gz"}, "other words"),
        ({"test": False, "train": True, "label": "masks/north-{case}.nii.gz"}, "no --label"),
        ({"prior": "masks/north-{case}.nii.gz"}, "with --train"),
        ({"test": False, "train": True, "prior": "masks/north-{case}.nii.gz"}, "--numbering"),
    ],
)
def test_mistakes_are_one_sentence(options: dict[str, Any], match: str, source: Path) -> None:
    with pytest.raises(DatasetError, match=match) as caught:
        found(source, **options)
    check_sentence(str(caught.value), "")


def test_training_with_priors(source: Path) -> None:
    options = {
        "name": "Mine", "train": True, "channel": [T1], "prior": "masks/north-{case}.nii.gz",
        "numbering": "freesurfer", "licence": "mine", "origin": "my scanner",
    }  # fmt: skip
    made = convert(PATTERN, source, Home(source.parent / "home"), link=True, **options)
    described = json.loads((made / "dataset.json").read_text())
    assert described["prior"] == {"numbering": "freesurfer"}
    assert (described["licence"], described["source"]) == ("mine", "my scanner")
    assert sorted(p.name for p in (made / "priorsTr").iterdir()) == ["A1.nii.gz", "B2.nii.gz"]
    (source / "masks" / "north-B2.nii.gz").unlink()
    with pytest.raises(DatasetError, match="case B2"):
        convert(PATTERN, source, Home(source.parent / "home"), **options)


def test_contrasts_on_two_grids_are_refused(source: Path) -> None:
    written.scan(source / "north" / "A1" / "A1_flair.nii.gz", spacing=(1.0, 1.0, 3.0))
    options = {
        "name": "Mine", "test": True,
        "channel": [T1, ["FLAIR", "north/{case}/{case}_flair.nii.gz"]],
    }  # fmt: skip
    with pytest.raises(DatasetError, match=r"A1_flair.*grid"):
        convert(PATTERN, source, Home(source.parent / "home"), **options)


def test_words_make_the_name_in_their_order(source: Path) -> None:
    conversion = found(source, channel=[["T1", "{site}/{case}/{case}_t1.nii.gz"]])
    assert [s.name for s in conversion.subjects] == ["north_A1", "north_B2"]


def test_folder_of_dicom_slices_becomes_one_file(tmp_path: Path) -> None:
    for case in ("P1", "P2"):
        written.series(tmp_path / "source" / case / "t1")
    options = {"name": "Mine", "train": True, "channel": [["T1", "{case}/t1"]]}
    home = Home(tmp_path / "home")
    made = convert(PATTERN, tmp_path / "source", home, link=True, **options)
    files = sorted((made / "imagesTr").iterdir())
    assert [path.name for path in files] == ["P1_0000.nii.gz", "P2_0000.nii.gz"]
    scan, before = read_scan(files[0]), read_scan(tmp_path / "source" / "P1" / "t1")
    np.testing.assert_array_equal(scan.array, before.array)
    assert same_grid(scan.geometry, before.geometry)
    times = [path.stat().st_mtime_ns for path in files]
    convert(PATTERN, tmp_path / "source", home, link=True, **options)
    assert [path.stat().st_mtime_ns for path in files] == times
