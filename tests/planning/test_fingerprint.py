"""Fingerprints, and the faults they find, of small datasets made here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.errors import DatasetError
from disanat.io.dataset import RawDataset, read_dataset
from planning.fingerprint import examine_dataset, fingerprint_dataset
from planning.verify import problem_table, verify_dataset

SHAPE = (20, 24, 22)  # S, P, L
BRAIN = (slice(4, 16), slice(3, 21), slice(5, 17))
SPACING = (1.0, 2.0, 3.0)  # x, y, z of the file: L, P, S


def write(array: np.ndarray, path: Path, spacing: Sequence[float] = SPACING) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))


def brain(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    array = np.zeros(SHAPE, np.float32)
    array[BRAIN] = rng.uniform(50, 150, array[BRAIN].shape)
    return array


def labels() -> np.ndarray:
    array = np.zeros(SHAPE, np.int16)
    array[BRAIN] = 2
    array[4:10, 3:21, 5:17] = 3
    return array


def dataset(tmp_path: Path, cases: int = 4, prior: bool = True, channels: int = 1) -> Path:
    folder = tmp_path / "raw" / "Dataset007_Small"
    declared: dict[str, object] = {"channel_names": {str(i): f"T{i + 1}" for i in range(channels)}}
    for number in range(cases):
        for channel in range(channels):
            name = f"c{number}_{channel:04}.nii.gz"
            write(brain(10 * number + channel), folder / "imagesTr" / name)
        if prior:
            write(labels(), folder / "priorsTr" / f"c{number}.nii.gz")
    if prior:
        declared["prior"] = {"classes": {"white": [2], "cortical_grey": [3]}}
    (folder / "dataset.json").write_text(json.dumps(declared))
    return folder


def read(folder: Path) -> RawDataset:
    return read_dataset(folder)


def test_a_stripped_dataset_with_label_maps(tmp_path: Path) -> None:
    found = fingerprint_dataset(read(dataset(tmp_path)), 0, False)
    assert found.dataset == "Dataset007_Small"
    assert found.channel_names == ("T1",)
    assert found.median_spacing == (3.0, 2.0, 1.0)
    assert found.skull_stripped and found.prior_available
    first = found.cases[0]
    assert (first.case, first.channels, first.orientation) == ("c0", (0,), "LPS")
    assert first.shape == SHAPE
    assert first.background == (0.0,)
    assert first.prior_labels == (2, 3)
    edges = [s.stop - s.start for s in BRAIN]
    # The mask of a label map is closed by 6 mm, which may round off corners but adds no extent.
    assert all(abs(a - b) <= 1 for a, b in zip(first.shape_after_crop, edges, strict=True))
    assert first.brain_volume_ml == pytest.approx(np.prod(edges) * 6 / 1000, rel=0.1)
    low, _, middle, _, high = first.intensity_percentiles[0]
    assert 49 < low < 55 and 90 < middle < 110 and 145 < high < 151


def test_without_label_maps_the_background_shows_the_brain(tmp_path: Path) -> None:
    found = fingerprint_dataset(read(dataset(tmp_path, prior=False)), 0, False)
    assert found.cases[0].shape_after_crop == tuple(s.stop - s.start for s in BRAIN)
    assert found.cases[0].prior_labels == () and not found.prior_available


def test_orientation_of_the_file_does_not_matter(tmp_path: Path) -> None:
    folder = dataset(tmp_path)
    path = folder / "imagesTr" / "c0_0000.nii.gz"
    for file in (path, folder / "priorsTr" / "c0.nii.gz"):
        sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(file)), "PIR"), str(file))
    found = fingerprint_dataset(read(folder), 0, False)
    assert found.cases[0].orientation == "PIR"
    assert found.cases[0].spacing == found.cases[1].spacing
    assert found.cases[0].shape_after_crop == found.cases[1].shape_after_crop


def test_workers_find_the_same_in_the_same_order(tmp_path: Path) -> None:
    raw = read(dataset(tmp_path))
    assert fingerprint_dataset(raw, 2, False) == fingerprint_dataset(raw, 0, False)


def test_every_bad_case_gets_its_line(tmp_path: Path) -> None:
    folder = dataset(tmp_path, cases=6, channels=2)
    images, priors = folder / "imagesTr", folder / "priorsTr"
    write(brain(0), images / "c0_0001.nii.gz", (1.0, 2.0, 3.5))
    broken = brain(1)
    broken[5, 5, 5] = np.nan
    (images / "c1_0000.nii.gz").unlink()
    write(broken, images / "c1_0000.mha")
    write(np.ones(SHAPE, np.float32), images / "c2_0000.nii.gz")
    (images / "c3_0000.nii.gz").write_bytes(b"nothing")
    write(labels()[:-1], priors / "c4.nii.gz")
    (priors / "c5.nii.gz").unlink()
    with pytest.raises(DatasetError) as caught:
        fingerprint_dataset(read(folder), 0, False)
    heading, *lines = str(caught.value).splitlines()
    assert heading == "Dataset007_Small has 6 problems:"
    wanted = [
        ("c0_0001.nii.gz", "another grid than c0_0000.nii.gz"),
        ("c1_0000.mha", "NaN"),
        ("c2_0000.nii.gz", "same value"),
        ("c3_0000.nii.gz", "cannot be read"),
        ("c4.nii.gz", "another grid than the scan c4_0000.nii.gz"),
        ("c5.nii.gz", "does not exist"),
    ]
    for line, (file, words) in zip(lines, wanted, strict=True):
        assert file in line and words in line and ": " in line and line.endswith(".")


def test_a_case_may_lack_a_channel(tmp_path: Path) -> None:
    folder = dataset(tmp_path, channels=2)
    (folder / "imagesTr" / "c1_0000.nii.gz").unlink()
    found = fingerprint_dataset(read(folder), 0, False)
    assert [case.channels for case in found.cases] == [(0, 1), (1,), (0, 1), (0, 1)]
    assert len(found.cases[1].intensity_percentiles) == 1


def test_label_maps_of_another_numbering_are_noticed(tmp_path: Path) -> None:
    folder = dataset(tmp_path)
    write(labels() * 50, folder / "priorsTr" / "c1.nii.gz")
    with pytest.raises(DatasetError, match=r"c1.nii.gz holds none of .*found 0, 100, 150"):
        fingerprint_dataset(read(folder), 0, False)


def test_three_cases_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"too few cases \(found 3\): put at least 4"):
        fingerprint_dataset(read(dataset(tmp_path, cases=3)), 0, False)


def test_a_defect_names_its_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = read(dataset(tmp_path))

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("planning.fingerprint.healthy_brain_mask", fail)
    with pytest.raises(RuntimeError, match="Case c0") as caught:
        examine_dataset(raw, 0, False)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_table_shows_case_values_and_remedy(tmp_path: Path) -> None:
    folder = dataset(tmp_path, channels=2)
    write(brain(0), folder / "imagesTr" / "c0_0001.nii.gz", (1.0, 2.0, 3.5))
    problems = verify_dataset(read(folder), 0, False)
    assert [problem.case for problem in problems] == ["c0"]
    text = problem_table(problems, str(folder))
    assert text.splitlines()[0].split() == ["case", "what", "values", "remedy"]
    assert "imagesTr/c0_0001.nii.gz" in text and str(folder) not in text
    assert "1x2x3.5 mm" in " ".join(text.split()) and "register" in text
    assert max(map(len, text.splitlines())) < 140
