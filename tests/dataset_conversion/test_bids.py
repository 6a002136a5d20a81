"""BIDS: who is healthy, contrasts, sessions, runs, masks and tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import converter_files as written
import lesion_trees as ill
import pytest
from sentences import check_sentence

from dataset_conversion.bids_names import bids_files, channel_name, lesion_mask
from dataset_conversion.conversion import Conversion, prepare
from dataset_conversion.convert import convert
from dataset_conversion.registry import CONVERTERS
from disanat.errors import DatasetError
from disanat.home import Home

BIDS = CONVERTERS["bids"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    ill.bids(tmp_path / "set")
    return tmp_path / "set"


def found(source: Path, channels: tuple[str, ...] = (), **options: Any) -> Conversion:
    return prepare(BIDS, source, Home(source.parent / "home"), None, channels, options)


def cases(conversion: Conversion) -> list[str]:
    return [subject.name for subject in conversion.subjects]


@pytest.mark.parametrize("options", [{}, {"train": True, "test": True}])
def test_must_be_told_who_is_healthy(options: dict[str, bool], source: Path) -> None:
    with pytest.raises(DatasetError, match="--train if all cases are"):
        found(source, **options)


def test_training_takes_one_session_of_each_and_no_masks(source: Path) -> None:
    conversion = found(source, train=True)
    assert conversion.split == "Tr" and cases(conversion) == ["sub-01_ses-1", "sub-02_ses-1"]
    assert not any(subject.labels for subject in conversion.subjects)
    assert len(found(source, train=True, sessions="all").subjects) == 3
    assert len(found(source, test=True, sessions="first").subjects) == 2


def test_sessions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for day in ("d1000", "d0129", "d2"):
        name = f"sub-1_ses-{day}_T1w.nii.gz"
        written.scan(tmp_path / "set" / "sub-1" / f"ses-{day}" / "anat" / name)
    assert cases(found(tmp_path / "set", train=True)) == ["sub-1_ses-d2"]


def test_runs(source: Path) -> None:
    first = found(source, test=True).subjects[0].channels["T1"]
    assert "run-1" in str(first)
    every = found(source, test=True, runs="all")
    assert "sub-02_ses-1_run-2" in cases(every) and len(every.subjects) == 5
    assert all(subject.labels for subject in every.subjects)


def test_channels_on_the_grid_of_the_mask(source: Path, caplog: pytest.LogCaptureFixture) -> None:
    conversion = found(source, ("T1", "FLAIR"), test=True)
    has = {s.name: sorted(s.channels) for s in conversion.subjects}
    assert has["sub-01_ses-1"] == ["FLAIR", "T1"] and has["sub-02_ses-1"] == ["T1"]
    assert "sub-02_ses-1: FLAIR lies on another grid than its mask" in caplog.text


def test_what_differs_by_more_than_the_run_must_be_chosen(source: Path) -> None:
    written.scan(source / "sub-01/ses-1/anat/sub-01_ses-1_acq-highres_T1w.nii.gz")
    with pytest.raises(DatasetError, match="--where acq=highres"):
        found(source, test=True)
    chosen = found(source, test=True, where=["acq=highres"])
    assert cases(chosen) == ["sub-01_ses-1"]
    with pytest.raises(DatasetError, match="KEY=VALUE"):
        found(source, test=True, where=["highres"])


def test_participants_choose_and_are_kept(source: Path) -> None:
    home = Home(source.parent / "home")
    options = {"train": True, "participants": ["group=control"]}
    made = convert(BIDS, source, home, **options)
    assert made.name == "Dataset200_set"
    rows = list(csv.DictReader((made / "participants.csv").open()))
    assert rows == [{"case": "sub-02_ses-1", "age": "40", "group": "control"}]
    described = json.loads((made / "dataset.json").read_text())
    assert described["licence"] == "CC0" and described["source"] == "A set (doi:10.1/x)"
    with pytest.raises(DatasetError, match="group=nobody"):
        found(source, train=True, participants=["group=nobody"])


def test_masks_of_two_raters_must_be_chosen(source: Path) -> None:
    other = source / "derivatives" / "other" / "sub-01_ses-1_label-lesion_mask.nii.gz"
    written.labels(other)
    with pytest.raises(DatasetError, match="--masks") as caught:
        found(source, test=True)
    check_sentence(str(caught.value), other.name)
    chosen = found(source, test=True, masks=str(other.parent))
    assert cases(chosen) == ["sub-01_ses-1"] and chosen.subjects[0].labels["labelsTs"] == other
    with pytest.raises(DatasetError, match="not a folder"):
        found(source, test=True, masks=str(source / "nowhere"))


def test_masks_that_disanat_predicted_are_no_labels(
    source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = [subject.labels for subject in found(source, test=True).subjects]
    ours = source / "derivatives" / "disanat"
    for case in ("sub-01_ses-1", "sub-03"):
        mask = ours / case.split("_")[0] / "anat" / f"{case}_label-lesion_mask.nii.gz"
        written.labels(mask)
    description = ours / "dataset_description.json"
    description.write_text('{"GeneratedBy": [{"Name": "disanat"}]}')
    with caplog.at_level("INFO"):
        assert [subject.labels for subject in found(source, test=True).subjects] == before
    assert "2 masks that disanat predicted are left out" in caplog.text
    description.write_text('{"GeneratedBy": [{"Name": "an expert"}]}')
    with pytest.raises(DatasetError, match="--masks"):
        found(source, test=True)


def test_names(tmp_path: Path) -> None:
    expected = {
        "sub-1_T1w.nii.gz": ("T1", False),
        "sub-1_ce-gadolinium_T1w.nii": ("T1c", False),
        "sub-1_PDw.nii.gz": ("PD", False),
        "sub-1_UNIT1.nii.gz": ("UNIT1", False),
        "sub-1_space-T1w_label-lesion_mask.nii.gz": ("mask", True),
        "sub-1_label-L_desc-T1lesion_mask.nii.gz": ("mask", True),
        "sub-1_T1w_label-lesion_roi.nii.gz": ("roi", True),
        "sub-1_desc-brain_mask.nii.gz": ("mask", False),
    }
    for name in (*expected, "T1.nii.gz", "sub-1_T1w.json"):
        (tmp_path / name).write_bytes(b"")
    files = bids_files(tmp_path)
    assert {f.path.name: (channel_name(f), lesion_mask(f)) for f in files} == expected


@pytest.mark.parametrize("name", ["a b", "../up"])
def test_name_must_be_usable(name: str, source: Path) -> None:
    with pytest.raises(DatasetError, match="--name"):
        found(source, test=True, name=name)
