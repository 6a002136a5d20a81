"""DICOM: slices in files of their own, all frames in one file, and what is no single volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import axes, write_frames, write_slices
from pydicom import dcmread
from sentences import refusal

from disanat.errors import DatasetError
from disanat.io.cases import find_cases
from disanat.io.images import Geometry, read_scan, same_grid

SHAPE, SPACING = (7, 12, 10), (3.0, 1.2, 1.5)
ORIGIN = (-80.0, -95.0, -71.5)


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 4000, SHAPE).astype(np.uint16)


def grid(turn_deg: float) -> Geometry:
    """Of what the builders write."""
    direction = tuple(np.stack(axes(turn_deg), axis=1).ravel())
    return Geometry(SHAPE[::-1], SPACING[::-1], ORIGIN, direction)


@pytest.mark.parametrize("turn_deg", [0.0, 20.0])
def test_slices_and_frames_are_the_same_image(
    array: np.ndarray, tmp_path: Path, turn_deg: float
) -> None:
    folder = write_slices(tmp_path / "s", array, SPACING, turn_deg)
    order = np.random.default_rng(1).permutation(len(array)).tolist()
    path = write_frames(tmp_path / "x.dcm", array, SPACING, order, turn_deg)
    for source in (folder, path):
        scan = read_scan(source)
        np.testing.assert_array_equal(scan.array, array)
        assert same_grid(scan.geometry, grid(turn_deg), 1e-3), scan.geometry
        assert scan.spacing == pytest.approx(SPACING)


def test_frames_run_backwards_or_alone_in_a_folder(array: np.ndarray, tmp_path: Path) -> None:
    path = write_frames(tmp_path / "p_0001" / "IM1", array, SPACING, range(6, -1, -1))
    [case] = find_cases(tmp_path)
    assert (case.name, dict(case.channels)) == ("p", {1: path.parent})
    np.testing.assert_array_equal(read_scan(path.parent).array, array)


def test_the_distance_of_frames_is_that_of_their_places(array: np.ndarray, tmp_path: Path) -> None:
    """Not the thickness, which leaves out the gap."""
    scan = read_scan(write_frames(tmp_path / "x.dcm", array, SPACING, step=3.6))
    assert scan.spacing == pytest.approx((3.6, 1.2, 1.5))


def test_scales_are_applied(array: np.ndarray, tmp_path: Path) -> None:
    """Each slice by its own, though the first would make them whole numbers."""
    slopes = [1.0, 0.25, 2.0, 1.0, 0.5, 0.1, 3.0]
    scan = read_scan(write_slices(tmp_path / "s", array, SPACING, slopes=slopes))
    np.testing.assert_allclose(scan.array, array * np.reshape(slopes, (-1, 1, 1)), rtol=1e-6)
    alike = write_frames(tmp_path / "x.dcm", array, SPACING, slopes=[0.5] * len(array))
    np.testing.assert_allclose(read_scan(alike).array, array * 0.5)
    other = write_frames(tmp_path / "y.dcm", array, SPACING, slopes=slopes)
    assert "have different scales: convert it to NIfTI" in refusal(read_scan, other)


def test_several_volumes_are_refused_with_advice(array: np.ndarray, tmp_path: Path) -> None:
    twice = [*range(7), *range(7)]
    path = write_frames(tmp_path / "x.dcm", array, SPACING, twice)
    message = refusal(read_scan, path)
    assert "holds 14 frames at 7 places" in message and "export one volume" in message
    folder = write_slices(tmp_path / "s", array, SPACING)
    for file in list(folder.iterdir()):
        data = dcmread(file)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{data.SOPInstanceUID}.2"
        data.save_as(folder / f"again{file.name}")
    assert "holds 2 DICOM volumes of the same place: give one" in refusal(read_scan, folder)


def test_frames_that_are_no_grid(array: np.ndarray, tmp_path: Path) -> None:
    gap = write_frames(tmp_path / "gap.dcm", array, SPACING, [0, 1, 2, 4, 5, 6])
    assert "3 to 6 mm apart, so that one is missing" in refusal(read_scan, gap)
    placeless = write_frames(tmp_path / "placeless.dcm", array, SPACING)
    data = dcmread(placeless)
    del data.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence
    data.save_as(placeless)
    assert "without saying where each lies" in refusal(read_scan, placeless)
    turned = write_frames(tmp_path / "turned.dcm", array, SPACING)
    data = dcmread(turned)
    shared = data.SharedFunctionalGroupsSequence[0]
    own = data.PerFrameFunctionalGroupsSequence[3]
    own.PlaneOrientationSequence = type(shared.PlaneOrientationSequence)([dcmread(gap).copy()])
    own.PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 0, 0, 1]
    data.save_as(turned)
    assert "are not parallel" in refusal(read_scan, turned)


def test_slices_beside_each_other_are_no_grid(array: np.ndarray, tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "s", array, SPACING)
    for file in folder.iterdir():
        data = dcmread(file)
        x, y, z = (float(v) for v in data.ImagePositionPatient)
        data.ImagePositionPatient = [x, f"{y + 0.2 * (z + 71.5):.4f}", z]
        data.save_as(file)
    assert "shifted against each other, as by a tilted gantry" in refusal(read_scan, folder)


def test_a_colour_series_is_refused(tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "s", np.ones(SHAPE), SPACING)
    for file in folder.iterdir():
        data = dcmread(file)
        data.SamplesPerPixel, data.PhotometricInterpretation = 3, "RGB"
        data.PlanarConfiguration = 0
        data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
        data.PixelData = bytes(range(120)) * 3
        data.save_as(file)
    assert "is in colour" in refusal(read_scan, folder)


@pytest.mark.parametrize("ending", [".dcm", ".IMA", "", ".55"])
def test_a_folder_is_known_by_names_or_by_their_marks(
    array: np.ndarray, tmp_path: Path, ending: str
) -> None:
    folder = write_slices(tmp_path / "in" / "pat_0000", array, SPACING, ending=ending)
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    for source in (tmp_path / "in", folder):
        [case] = find_cases(source)
        assert (case.name, dict(case.channels)) == ("pat", {0: folder})
    np.testing.assert_array_equal(read_scan(folder).array, array)


def test_the_folder_one_stands_in(
    array: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_slices(tmp_path / "pat", array, SPACING))
    [case] = find_cases(Path("."))
    assert case.name == "pat"


@pytest.mark.parametrize("name", ["pat_0002.dcm", "pat_0002"])
def test_a_file_by_itself(array: np.ndarray, tmp_path: Path, name: str) -> None:
    path = write_frames(tmp_path / name, array, SPACING)
    [case] = find_cases(path)
    assert (case.name, dict(case.channels)) == ("pat", {2: path})
    np.testing.assert_array_equal(read_scan(path).array, array)


def test_one_slice_by_itself_is_refused(array: np.ndarray, tmp_path: Path) -> None:
    path = sorted(write_slices(tmp_path / "s", array, SPACING).iterdir())[0]
    [case] = find_cases(path)
    assert "is a single slice: give the folder" in refusal(read_scan, case.channels[0])


@pytest.mark.parametrize("keep", [0, 10, 140, 900, -300])
def test_a_file_with_frames_that_is_cut_short(
    array: np.ndarray, tmp_path: Path, keep: int
) -> None:
    path = write_frames(tmp_path / "x.dcm", array, SPACING)
    path.write_bytes(path.read_bytes()[:keep])
    refusal(read_scan, path)


def test_a_series_that_lies_deeper_is_named(array: np.ndarray, tmp_path: Path) -> None:
    folder = write_slices(tmp_path / "in" / "patient" / "study" / "T1", array, SPACING)
    with pytest.raises(DatasetError, match="holds no image itself, but .*T1 is a DICOM series"):
        find_cases(tmp_path / "in")
    assert [case.name for case in find_cases(folder.parent)] == ["T1"]


def test_simpleitk_agrees_where_frames_are_in_order(array: np.ndarray, tmp_path: Path) -> None:
    path = write_frames(tmp_path / "x.dcm", array, SPACING, turn_deg=20)
    other, scan = sitk.ReadImage(str(path)), read_scan(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(other), scan.array)
    assert same_grid(
        scan.geometry,
        Geometry(other.GetSize(), other.GetSpacing(), other.GetOrigin(), other.GetDirection()),
        1e-3,
    )
