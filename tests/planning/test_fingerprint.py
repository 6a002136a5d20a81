"""Fingerprints, and the faults they find, of small datasets made here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_datasets import BRAIN, SHAPE, brain, dataset, labels, own_mask, read, write

from disanat.errors import DatasetError
from disanat.plans import Fingerprint, load_json, save_json
from planning.fingerprint import examine_dataset, fingerprint_dataset
from planning.verify import problem_table, verify_dataset


def test_a_stripped_dataset_with_label_maps(tmp_path: Path) -> None:
    found = fingerprint_dataset(read(dataset(tmp_path)), 0, False)
    assert found.dataset == "Dataset007_Small"
    assert found.channel_names == ("T1",)
    assert found.median_spacing == (12.0, 8.0, 4.0)
    assert found.skull_stripped and found.prior_available
    first = found.cases[0]
    assert (first.case, first.channels, first.orientation) == ("c0", (0,), "LPS")
    assert first.shape == SHAPE
    assert first.background == (0.0,)
    assert first.prior_labels == (2, 3)
    edges = [s.stop - s.start for s in BRAIN]
    # The mask of a label map is closed by 6 mm, which may round off corners but adds no extent.
    assert all(abs(a - b) <= 1 for a, b in zip(first.shape_after_crop, edges, strict=True))
    assert first.brain_volume_ml == pytest.approx(np.prod(edges) * 0.384, rel=0.1)
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
    alone = fingerprint_dataset(raw, 0, False).cases
    marked = replace(alone[0], brain_volume_ml=1.0)  # shows that it was taken, not measured
    former = [marked, replace(alone[1], content="0" * 64)]
    found = examine_dataset(raw, 2, False, former)
    assert [one.unchanged for one in found] == [True, False, False, False]
    assert [one.fingerprint for one in found] == [marked, *alone[1:]]


def test_every_bad_case_gets_its_line(tmp_path: Path) -> None:
    folder = dataset(tmp_path, cases=6, channels=2)
    images, priors = folder / "imagesTr", folder / "priorsTr"
    write(brain(0), images / "c0_0001.nii.gz", (4.0, 8.0, 12.5))
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


def test_the_users_masks_are_measured_in(tmp_path: Path) -> None:
    folder = dataset(tmp_path)
    own_mask(folder, "c1", np.s_[5:16, 3:21, 5:17])
    found = fingerprint_dataset(read(folder), 0, False)
    assert [c.brain_from for c in found.cases] == ["background", "user"] + 2 * ["background"]
    assert found.cases[1].brain_volume_ml == pytest.approx(11 * 18 * 12 * 0.384)


def test_implausible_brains_are_reported_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = dataset(tmp_path, cases=5)
    own_mask(folder, "c3", np.s_[5:8, 3:6, 5:8])
    found = fingerprint_dataset(read(folder), 0, False)
    assert [case.case for case in found.cases] == ["c0", "c1", "c2", "c4"]
    [line] = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert line.startswith("left out: ") and "c3.nii.gz marks a brain of 10 mL" in line
    assert "check that it is the mask of the whole brain" in line
    [problem] = verify_dataset(read(folder), 0, False)
    assert problem.case == "c3"
    for path in (folder / "imagesTr").glob("c0*"):
        path.unlink()
    with pytest.raises(DatasetError, match=r"keeps 3 of 4 cases, fewer than 4:\n  .*c3.nii.gz"):
        fingerprint_dataset(read(folder), 0, False)
    write(np.ones(SHAPE, np.float32), folder / "imagesTr" / "c0_0000.nii.gz")
    with pytest.raises(DatasetError, match="has 2 problems"):
        fingerprint_dataset(read(folder), 0, False)


def test_a_defect_names_its_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = read(dataset(tmp_path))

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("planning.case_measures.find_brain", fail)
    with pytest.raises(RuntimeError, match="Case c0") as caught:
        examine_dataset(raw, 0, False)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_table_shows_case_values_and_remedy(tmp_path: Path) -> None:
    folder = dataset(tmp_path, channels=2)
    write(brain(0), folder / "imagesTr" / "c0_0001.nii.gz", (4.0, 8.0, 12.5))
    problems = verify_dataset(read(folder), 0, False)
    assert [problem.case for problem in problems] == ["c0"]
    text = problem_table(problems, str(folder))
    assert text.splitlines()[0].split() == ["case", "what", "values", "remedy"]
    assert "imagesTr/c0_0001.nii.gz" in text and str(folder) not in text
    assert "4x8x12.5 mm" in " ".join(text.split()) and "register" in text
    assert max(map(len, text.splitlines())) < 140


def test_every_case_is_measured(tmp_path: Path) -> None:
    found = fingerprint_dataset(read(dataset(tmp_path, channels=2)), 0, False)
    for case in found.cases:
        assert len(case.noise) == len(case.bias) == len(case.resolution) == 2
        # Independent values in every voxel: all is noise, and nothing is interpolated. Few voxels.
        assert all(0.7 < noise < 1.4 for noise in case.noise)
        assert all(at == pytest.approx(case.spacing, rel=0.3) for at in case.resolution)
        assert case.slice_thickness == max(case.resolution[0]) >= 12.0
    assert len({case.content for case in found.cases}) == 4
    assert all(len(case.content) == 64 for case in found.cases)


def test_standardised_scans_have_the_same_measures(tmp_path: Path) -> None:
    folder = dataset(tmp_path, prior=False)
    s, p, l = np.meshgrid(*[np.linspace(-1, 1, n) for n in (44, 52, 48)], indexing="ij")
    tissue = np.random.default_rng(0).normal(100, 3, s.shape) * np.exp(0.3 * p)
    scan = np.where(s**2 + p**2 + l**2 < 0.9, tissue, 0).astype(np.float32)
    for name, array in (("c0", scan), ("c1", (scan - 90) / 25)):
        write(array, folder / "imagesTr" / f"{name}_0000.nii.gz", (2.5, 2.5, 2.5))
    found = fingerprint_dataset(read(folder), 0, False)
    plain, standardised = found.cases[:2]
    assert plain.bias[0] == pytest.approx(0.3 * p[scan > 0].std(), rel=0.15)
    assert standardised.bias == pytest.approx(plain.bias, rel=0.02)
    assert standardised.noise == pytest.approx(plain.noise, rel=0.02)
    assert standardised.resolution[0] == pytest.approx(plain.resolution[0], rel=0.02)
    assert found.channels[0].background_differs


def test_channels_orientations_and_labels_are_counted(tmp_path: Path) -> None:
    folder = dataset(tmp_path, channels=3)
    images = folder / "imagesTr"
    (images / "c1_0000.nii.gz").unlink()
    for path in images.glob("*_0002.nii.gz"):
        path.unlink()
    only_white = np.where(labels() == 3, 2, labels()).astype(np.int16)
    write(only_white, folder / "priorsTr" / "c2.nii.gz")
    for path in (*images.glob("c3_*"), folder / "priorsTr" / "c3.nii.gz"):
        sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "PIR"), str(path))
    found = fingerprint_dataset(read(folder), 0, False)
    assert found.orientations == {"LPS": 3, "PIR": 1}
    assert found.prior_labels == {"2": 4, "3": 3}
    volumes = [case.brain_volume_ml for case in found.cases]
    assert found.median_brain_volume_ml == pytest.approx(np.median(volumes), abs=0.001)
    first, second, third = found.channels
    assert [c.name for c in found.channels] == ["T1", "T2", "T3"]
    assert [c.cases for c in found.channels] == [3, 4, 0]
    noise = [found.cases[number].noise[0] for number in (0, 2, 3)]
    assert first.noise_median == pytest.approx(np.median(noise), abs=1e-4)
    assert first.noise_90th == pytest.approx(np.percentile(noise, 90), abs=1e-4)
    middle = [case.intensity_percentiles[-1][2] for case in found.cases]
    assert second.intensity_percentiles[2] == pytest.approx(np.median(middle), rel=1e-4)
    assert second.resolution == pytest.approx((12.0, 8.0, 4.0), rel=0.3)
    assert not first.background_differs
    assert third.intensity_percentiles == () and third.noise_median is third.resolution is None
    save_json(found, tmp_path / "fingerprint.json")
    assert load_json(tmp_path / "fingerprint.json", Fingerprint) == found
