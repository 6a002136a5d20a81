"""Reading into the canonical orientation, and writing back onto the file's own grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.errors import ImageError
from disanat.io.images import Geometry, read_labels, read_scan, same_grid, write_like

ORIENTATIONS = ("PSR", "LIA", "LPS", "LAS", "RPS", "RAS")
SHAPE, SPACING = (6, 9, 8), (5.0, 0.9, 1.25)


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 30, SHAPE).astype(np.float32)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd"])
@pytest.mark.parametrize("turn_deg", [0.0, 17.0])
def test_any_orientation_is_read_and_written_back(
    miniature: Any,
    array: np.ndarray,
    tmp_path: Path,
    orientation: str,
    ending: str,
    turn_deg: float,
) -> None:
    source, target = tmp_path / f"in{ending}", tmp_path / f"out{ending}"
    miniature.write(source, array, SPACING, orientation, turn_deg)
    scan = read_scan(source)
    np.testing.assert_array_equal(scan.array, array)
    assert scan.array.dtype == np.float32
    assert scan.spacing == pytest.approx(SPACING)
    assert scan.geometry.orientation == orientation
    write_like(scan.array, scan.geometry, target)
    before, after = (sitk.ReadImage(str(p)) for p in (source, target))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), sitk.GetArrayFromImage(before))
    exact = 1e-12 if ending == ".mha" else 1e-6
    np.testing.assert_allclose(after.GetSpacing(), before.GetSpacing(), rtol=exact)
    np.testing.assert_allclose(after.GetOrigin(), before.GetOrigin(), atol=100 * exact)
    np.testing.assert_allclose(after.GetDirection(), before.GetDirection(), atol=exact)


def test_axes_grow_towards_superior_posterior_left(tmp_path: Path) -> None:
    """By the physical position of one bright voxel, in SimpleITK's own coordinates (L, P, S)."""
    image = sitk.GetImageFromArray(np.random.default_rng(1).random(SHAPE).astype(np.float32))
    image.SetSpacing((1.25, 0.9, 5.0))
    image = sitk.DICOMOrient(image, "AIR")
    image.SetOrigin((11.0, -7.0, 3.0))
    image[2, 1, 3] = 9.0
    sitk.WriteImage(image, str(tmp_path / "x.nrrd"))
    scan = read_scan(tmp_path / "x.nrrd")
    found = np.array(np.unravel_index(scan.array.argmax(), scan.array.shape))
    corners = [
        image.TransformIndexToPhysicalPoint([i, j, k])
        for i in (0, image.GetWidth() - 1)
        for j in (0, image.GetHeight() - 1)
        for k in (0, image.GetDepth() - 1)
    ]
    place = np.array(image.TransformIndexToPhysicalPoint((2, 1, 3))) - np.min(corners, 0)
    np.testing.assert_allclose(found * np.array(scan.spacing), place[::-1], atol=1e-6)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".nrrd"])
def test_nan_and_infinity_are_counted_and_refused(
    miniature: Any, array: np.ndarray, tmp_path: Path, ending: str
) -> None:
    array[0, 0, :2], array[3, 4, 5] = np.nan, -np.inf
    path = tmp_path / f"x{ending}"
    miniature.write(path, array)
    with pytest.raises(ImageError, match=rf"x{ending} holds 3 voxels that are NaN or infinite: "):
        read_scan(path)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".nrrd"])
@pytest.mark.parametrize("kind", [np.float32, np.int16])
def test_a_file_that_is_cut_short_is_refused(
    miniature: Any, tmp_path: Path, ending: str, kind: type
) -> None:
    array = np.random.default_rng(0).integers(0, 9999, (30, 30, 30)).astype(kind)
    path = tmp_path / f"x{ending}"
    miniature.write(path, array)
    path.write_bytes(path.read_bytes()[:-2000])
    for read in (read_scan, read_labels):
        with pytest.raises(ImageError, match=rf"x{ending} (is cut short|cannot be read)"):
            read(path)


def test_scaled_integers_are_read_in_real_units(array: np.ndarray, tmp_path: Path) -> None:
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    image = nibabel.Nifti1Image(array.T, np.diag([1.0, 1, 1, 1]), header)
    nibabel.save(image, tmp_path / "x.nii.gz")
    step = float(array.max() - array.min()) / 60000
    assert np.sort(read_scan(tmp_path / "x.nii.gz").array.ravel()) == pytest.approx(
        np.sort(array.ravel()), abs=step
    )


def test_other_bad_files_are_named(miniature: Any, array: np.ndarray, tmp_path: Path) -> None:
    flat, text, colour, four = (tmp_path / f"{n}.nii.gz" for n in ("flat", "text", "rgb", "four"))
    miniature.write(flat, np.zeros(SHAPE, np.float32))
    text.write_text("no image")
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((*SHAPE, 3), np.uint8), True), str(colour))
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(array)] * 3), str(four))
    (tmp_path / "folder").mkdir()
    wrong = {
        tmp_path / "absent.nii.gz": "does not exist",
        flat: "same value in every voxel",
        text: "cannot be read as an image",
        colour: "not a single 3D image",
        four: r"not a single 3D image \(size 8x9x6x3",
        tmp_path / "folder": "0 DICOM series",
    }
    for path, words in wrong.items():
        with pytest.raises(ImageError, match=words) as caught:
            read_scan(path)
        message = str(caught.value)
        assert str(path) in message and message.endswith(".") and "\n" not in message


def test_a_fourth_axis_of_one_is_dropped(array: np.ndarray, tmp_path: Path) -> None:
    image = sitk.JoinSeries([sitk.GetImageFromArray(array)])
    sitk.WriteImage(image, str(tmp_path / "x.nii.gz"))
    assert read_scan(tmp_path / "x.nii.gz").array.shape == SHAPE


def test_labels_may_be_constant_and_are_whole_numbers(miniature: Any, tmp_path: Path) -> None:
    miniature.write(tmp_path / "x.nii.gz", np.full(SHAPE, 207, np.int16), orientation="LIA")
    labels = read_labels(tmp_path / "x.nii.gz")
    assert labels.array.dtype == np.int32 and (labels.array == 207).all()


def test_an_array_of_another_shape_is_not_written(
    miniature: Any, array: np.ndarray, tmp_path: Path
) -> None:
    miniature.write(tmp_path / "x.nii.gz", array, SPACING, "PSR")
    geometry = read_scan(tmp_path / "x.nii.gz").geometry
    with pytest.raises(ImageError, match=r"out.nii.gz was to be written with shape \(5, 9, 8\)"):
        write_like(array[1:], geometry, tmp_path / "out.nii.gz")
    assert [p.name for p in tmp_path.iterdir()] == ["x.nii.gz"]


def test_same_grid_looks_at_all_corners() -> None:
    turn = np.reshape(sitk.VersorTransform((0, 0, 1), 0.02).GetMatrix(), -1)
    grid = Geometry((10, 10, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    assert same_grid(grid, replace(grid, origin=(0.05, 0.0, 0.0)))
    assert not same_grid(grid, replace(grid, origin=(0.2, 0.0, 0.0)))
    assert not same_grid(grid, replace(grid, spacing=(1.0, 1.0, 1.02)))
    assert not same_grid(grid, replace(grid, direction=tuple(turn)))
    assert not same_grid(grid, replace(grid, size=(10, 10, 11)))
