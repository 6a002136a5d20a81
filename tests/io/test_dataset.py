"""`dataset.json` and the cases beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from disanat.errors import DatasetError
from disanat.io.dataset import mapping_scheme, read_dataset
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, THREE_CLASSES

CHANNELS = {"0": "T1", "1": "FLAIR"}


def dataset(tmp_path: Path, declared: Any, *files: str, priors: bool = False) -> Path:
    folder = tmp_path / "Dataset005_IXI"
    (folder / "imagesTr").mkdir(parents=True)
    if priors:
        (folder / "priorsTr").mkdir()
    text = declared if isinstance(declared, str) else json.dumps(declared)
    (folder / "dataset.json").write_text(text)
    for name in files:
        (folder / name).touch()
    return folder


def test_a_full_declaration_is_read(tmp_path: Path) -> None:
    declared = {"channel_names": CHANNELS, "prior": {"numbering": "dlmuse"}, "simulated": True}
    raw = read_dataset(dataset(tmp_path, declared, priors=True))
    assert raw.name == "Dataset005_IXI"
    assert raw.channel_names == ("T1", "FLAIR")
    assert raw.label_mapping == NUMBERINGS["dlmuse"]
    assert raw.simulated


def test_without_a_prior_the_mapping_is_empty(tmp_path: Path) -> None:
    raw = read_dataset(dataset(tmp_path, {"channel_names": {"0": "T1"}}))
    assert raw.label_mapping == {} and not raw.simulated
    assert raw.prior_path("a") is None


def test_cases_may_lack_channels_and_find_their_priors(tmp_path: Path) -> None:
    files = ("imagesTr/a_0000.nii.gz", "imagesTr/a_0001.mha", "imagesTr/b_0001.nii")
    declared = {"channel_names": CHANNELS, "prior": {"classes": {"white": [2], "deep_grey": [1]}}}
    raw = read_dataset(dataset(tmp_path, declared, *files, priors=True))
    (raw.folder / "priorsTr" / "b.nii").touch()
    assert [(c.name, tuple(c.channels)) for c in raw.training_cases()] == [
        ("a", (0, 1)),
        ("b", (1,)),
    ]
    assert raw.prior_path("a") is None
    assert raw.prior_path("b") == raw.folder / "priorsTr" / "b.nii"


def test_brain_masks_are_found_beside_the_scans(tmp_path: Path) -> None:
    files = ("imagesTr/a_0000.nii.gz", "imagesTr/b_0000.nii.gz")
    raw = read_dataset(dataset(tmp_path, {"channel_names": {"0": "T1"}}, *files))
    assert raw.brain_mask_path("a") is None
    (raw.folder / "brainmasksTr").mkdir()
    (raw.folder / "brainmasksTr" / "b.nrrd").touch()
    assert raw.brain_mask_path("a") is None
    assert raw.brain_mask_path("b") == raw.folder / "brainmasksTr" / "b.nrrd"


def test_label_maps_without_scans_are_declared_and_found(tmp_path: Path) -> None:
    declared = {"channel_names": {"0": "T1"}, "label_maps": {"numbering": "freesurfer"}}
    folder = dataset(tmp_path, declared, "imagesTr/a_0000.nii.gz")
    with pytest.raises(DatasetError, match=r"declares 'label_maps', but .*labelmapsTr does not"):
        read_dataset(folder)
    maps = folder / "labelmapsTr"
    maps.mkdir()
    with pytest.raises(DatasetError, match="holds no label map: put some there"):
        read_dataset(folder).label_maps()
    for name in ("m2.nii.gz", "m1.mha", "readme.txt"):
        (maps / name).touch()
    raw = read_dataset(folder)
    assert raw.map_mapping == NUMBERINGS["freesurfer"] and raw.label_mapping == {}
    assert raw.label_maps() == {"m1": maps / "m1.mha", "m2": maps / "m2.nii.gz"}
    (maps / "a.nii").touch()
    with pytest.raises(DatasetError, match=r"a.nii is called like a case of imagesTr"):
        raw.label_maps()
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1"}}))
    with pytest.raises(DatasetError, match=r'labelmapsTr holds label maps.*"label_maps"'):
        read_dataset(folder)


BAD: list[tuple[Any, str]] = [
    ("{", "cannot be read as JSON"),
    ([1], "not a JSON object"),
    ({}, "does not name its channels"),
    ({"channel_names": ["T1"]}, "does not name its channels"),
    ({"channel_names": {"0": 1}}, "names are text"),
    ({"channel_names": {"0": "T1", "2": "T2"}}, "without gaps"),
    ({"channel_names": {"1": "T1"}}, "without gaps"),
    ({"channel_names": CHANNELS, "simulated": "yes"}, "true or false"),
    ({"channel_names": CHANNELS, "prior": "dlmuse"}, "cannot be understood"),
    ({"channel_names": CHANNELS, "prior": {"numbering": "aal"}}, "dlmuse, freesurfer"),
    ({"channel_names": CHANNELS, "prior": {"classes": {"fat": [1]}}}, "unknown prior classes fat"),
    ({"channel_names": CHANNELS, "prior": {"classes": {"white": 2}}}, "lists of whole numbers"),
    ({"channel_names": CHANNELS, "prior": {"classes": {"white": [0]}}}, "whole numbers above 0"),
    (
        {"channel_names": CHANNELS, "prior": {"classes": {"grey": [1], "white": [2]}}},
        "no tissue scheme",
    ),
    (
        {"channel_names": CHANNELS, "prior": {"classes": {"deep_grey": [1], "white": [1]}}},
        "more than one class",
    ),
    ({"channel_names": CHANNELS, "prior": {"numbering": "dlmuse"}}, "priorsTr does not exist"),
]


@pytest.mark.parametrize(("declared", "words"), BAD)
def test_mistakes_name_the_file_in_one_sentence(tmp_path: Path, declared: Any, words: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_dataset(dataset(tmp_path, declared))
    message = str(caught.value)
    assert words in message and "dataset.json" in message
    assert "\n" not in message and message.endswith(".")


def test_a_missing_declaration_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="dataset.json does not exist: write one"):
        read_dataset(tmp_path)


def test_label_maps_without_a_numbering_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not say what their numbers mean"):
        read_dataset(dataset(tmp_path, {"channel_names": CHANNELS}, priors=True))


def test_an_undeclared_channel_names_its_file(tmp_path: Path) -> None:
    raw = read_dataset(dataset(tmp_path, {"channel_names": {"0": "T1"}}, "imagesTr/a_0003.nii.gz"))
    with pytest.raises(DatasetError, match=r"a_0003.nii.gz .*channel 3.*declares only 0 T1"):
        raw.training_cases()


def test_no_training_folder_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    raw = read_dataset(dataset(tmp_path, {"channel_names": {"0": "T1"}}))
    with pytest.raises(DatasetError, match="holds no image"):
        raw.training_cases()
    (raw.folder / "imagesTr").rmdir()
    with pytest.raises(DatasetError, match="imagesTr does not exist: put the healthy"):
        raw.training_cases()


def test_schemes_of_mappings() -> None:
    assert mapping_scheme(NUMBERINGS["freesurfer"]) is EIGHT_CLASSES
    assert mapping_scheme({"csf": 1, "grey": 1, "white": 1}) is THREE_CLASSES
    assert mapping_scheme({"white": 1}) is None
    assert mapping_scheme({"cortical_grey": 1, "white": 1}) is EIGHT_CLASSES
