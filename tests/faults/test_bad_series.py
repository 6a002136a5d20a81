"""DICOM folders and images in two files: every part is there, or the whole is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from sentences import refusal

from disanat.errors import ImageError
from disanat.io.cases import find_cases
from disanat.io.images import read_scan

SHAPE = (7, 20, 24)


def write_series(folder: Path, series: str = "1.2.3.4", step: float = 3.0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index, plane in enumerate(array):
        image = sitk.GetImageFromArray(plane)
        image.SetSpacing((1.5, 1.2))
        tags = {
            "0008|0060": "MR", "0008|0018": f"{series}.{index}", "0020|000d": "1.2.3",
            "0020|000e": series, "0020|0013": str(index + 1),
            "0020|0032": f"0\\0\\{index * step}", "0020|0037": "1\\0\\0\\0\\1\\0",
        }  # fmt: skip
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{series[-1]}_{index}.dcm"))
        writer.Execute(image)
    return sorted(folder.iterdir())


def test_a_whole_series_is_read(tmp_path: Path) -> None:
    write_series(tmp_path / "case_0000")
    (tmp_path / "case_0000" / "notes.txt").write_text("hello")
    [case] = find_cases(tmp_path)
    scan = read_scan(case.channels[0])
    assert scan.array.shape == SHAPE and scan.spacing == pytest.approx((3.0, 1.2, 1.5))


def test_a_missing_slice(tmp_path: Path) -> None:
    write_series(tmp_path / "s")[3].unlink()
    assert "lie 3 to 6 mm apart" in refusal(read_scan, tmp_path / "s")


def test_a_slice_that_is_there_twice(tmp_path: Path) -> None:
    files = write_series(tmp_path / "s")
    shutil.copy(files[3], tmp_path / "s" / "again.dcm")
    assert "there twice" in refusal(read_scan, tmp_path / "s")


@pytest.mark.parametrize("keep", [0, 5, 200, -300, -1])
@pytest.mark.parametrize("number", [0, 3, 6])
def test_a_slice_that_is_cut_short(tmp_path: Path, keep: int, number: int) -> None:
    path = write_series(tmp_path / "s")[number]
    path.write_bytes(path.read_bytes()[:keep])
    assert "is no readable slice" in refusal(read_scan, path.parent)


@pytest.mark.parametrize("name", ["x.dcm", "x.IMA"])
def test_a_foreign_file(tmp_path: Path, name: str) -> None:
    write_series(tmp_path / "s")
    (tmp_path / "s" / name).write_text("hello")
    with pytest.raises(ImageError, match=f"{name} is no readable slice"):
        read_scan(tmp_path / "s")


def test_a_broken_link_and_a_pipe_among_the_slices(tmp_path: Path) -> None:
    files = write_series(tmp_path / "s")
    files[-1].unlink()
    files[-1].symlink_to("nowhere")
    with pytest.raises(ImageError, match=f"{files[-1].name} is neither a file nor a folder"):
        read_scan(tmp_path / "s")
    files[-1].unlink()
    os.mkfifo(files[-1])
    with pytest.raises(ImageError, match=f"{files[-1].name} is neither a file nor a folder"):
        read_scan(tmp_path / "s")


def test_two_series(tmp_path: Path) -> None:
    write_series(tmp_path / "s")
    write_series(tmp_path / "s", "1.2.3.5")
    assert "holds 2 DICOM series" in refusal(read_scan, tmp_path / "s")


@pytest.mark.parametrize("ending", [".mhd", ".nhdr"])
def test_voxels_in_a_file_of_their_own(tmp_path: Path, ending: str) -> None:
    array = np.arange(3360, dtype=np.int16).reshape(SHAPE)
    path, voxels = tmp_path / f"x{ending}", tmp_path / "x.raw"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    np.testing.assert_array_equal(read_scan(path).array, array)
    whole = voxels.read_bytes()
    voxels.write_bytes(whole[:-2])
    assert "is cut short" in refusal(read_scan, path)
    voxels.write_bytes(whole + b"\0\0")
    assert "more voxels than its header says" in refusal(read_scan, path)
    voxels.unlink()
    assert "x.raw as the file with its voxels, which does not exist" in refusal(read_scan, path)


@pytest.mark.parametrize("ending", [".mha", ".nrrd", ".nii.gz"])
def test_every_cut_of_a_compressed_file_is_seen(tmp_path: Path, ending: str) -> None:
    array = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    path = tmp_path / f"x{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path), True)
    whole = path.read_bytes()
    for end in (*range(len(whole) - 12, len(whole)), 0, 1, 9, 100, len(whole) // 2):
        path.write_bytes(whole[:end])
        refusal(read_scan, path)
    for at in (*range(-8, 0), -100):
        spoilt = bytearray(whole)
        spoilt[at] ^= 4
        path.write_bytes(spoilt)
        refusal(read_scan, path)
    path.write_bytes(whole + b"junk")
    refusal(read_scan, path)
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_scan(path).array, array)
