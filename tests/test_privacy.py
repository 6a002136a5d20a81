"""Whose scan it was stands in no output and in no message: only the case's name does."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

SECRET = "Doe^Jane"
FIELDS = {
    "0010|0010": SECRET,
    "0010|0020": SECRET,
    "0010|4000": SECRET,
    "0008|0080": SECRET,
    "0008|0090": SECRET,
    "0008|103e": SECRET,
    "0020|4000": SECRET,
}
"""Patient's name, ID and comments, institution, physician, descriptions."""
Write = Callable[[Path, np.ndarray], Path]


def write_nifti(folder: Path, array: np.ndarray) -> Path:
    """A scan whose header's free texts all tell."""
    path = folder / "case1.nii.gz"
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((4.0, 4.0, 4.0))
    sitk.WriteImage(image, str(path))
    again = nibabel.load(path)
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        again.header[field] = SECRET
    again.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", SECRET.encode()))
    nibabel.save(again, path)
    assert gzip.decompress(path.read_bytes()).count(SECRET.encode()) == 5
    return path


def write_nrrd(folder: Path, array: np.ndarray) -> Path:
    path = folder / "case1.nrrd"
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((4.0, 4.0, 4.0))
    image.SetMetaData("patient", SECRET)
    sitk.WriteImage(image, str(path))
    assert SECRET.encode() in path.read_bytes()
    return path


def write_dicom(folder: Path, array: np.ndarray) -> Path:
    """A series of slices, with the fields in which names stand."""
    series = folder / "case1"
    series.mkdir()
    whole = sitk.Cast(sitk.GetImageFromArray(np.clip(array, 0, None)), sitk.sitkUInt16)
    whole.SetSpacing((4.0, 4.0, 4.0))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number in range(whole.GetDepth()):
        part = whole[:, :, number]
        placed = {
            "0008|0060": "MR",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.1",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.1.1",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.1.1.{number + 1}",
            "0020|0037": r"1\0\0\0\1\0",
            "0020|0032": rf"0\0\{4 * number}",
            "0020|0013": str(number + 1),
            "0018|0050": "4",
        }
        for key, value in (FIELDS | placed).items():
            part.SetMetaData(key, value)
        writer.SetFileName(str(series / f"{number:03}.dcm"))
        writer.Execute(part)
    assert all(SECRET.encode() in path.read_bytes() for path in series.iterdir())
    return series


def everything_in(folder: Path) -> bytes:
    """The content of all files, unpacked."""
    parts = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        parts.append(gzip.decompress(data) if path.suffix == ".gz" else data)
    assert parts
    return b"\n".join(parts)


@pytest.mark.parametrize("write", [write_nifti, write_nrrd, write_dicom])
def test_a_prediction_tells_no_field_of_a_header(
    write: Write,
    miniature: Any,
    trained_home: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    write(scans, miniature.brain(60, lesion=True).image)
    flags = ("--save", "phi", "anatomy", "edges", "--verbose", "--home", trained_home)
    with caplog.at_level(logging.DEBUG):
        assert miniature.run("predict", "-i", scans, "-o", out, *flags, "--device", "cpu") == 0
    assert (out / "case1.nii.gz").is_file() and (out / "case1_0000_phi.nii.gz").is_file()
    told = capfd.readouterr()
    assert b"case1" in everything_in(out)
    for text in (everything_in(out).decode("latin-1"), told.out, told.err, caplog.text):
        assert "Doe" not in text and "Jane" not in text


@pytest.mark.parametrize("write", [write_nifti, write_dicom])
def test_neither_does_an_error(
    write: Write, miniature: Any, trained_home: Path, tmp_path: Path, capfd: Any
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    write(scans, np.zeros((8, 8, 8), np.float32))
    flags = ("-i", scans, "-o", out, "--home", trained_home, "--device", "cpu")
    assert miniature.run("predict", *flags) == 1
    told = capfd.readouterr()
    assert "same value in every voxel" in told.err
    for text in (everything_in(out).decode("latin-1"), told.out, told.err):
        assert "Doe" not in text and "Jane" not in text


def test_a_plan_and_what_is_prepared_tell_none(
    miniature: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    raw = miniature.dataset(tmp_path) / "imagesTr"
    for path in sorted(raw.iterdir()):
        image = nibabel.load(path)
        for field in ("descrip", "aux_file", "intent_name"):
            image.header[field] = SECRET
        nibabel.save(image, path)
        assert SECRET.encode() in gzip.decompress(path.read_bytes())
    assert miniature.run("plan", "-d", "5", "--home", tmp_path, "-np", 0, "--verbose") == 0
    told = capfd.readouterr()
    made = everything_in(tmp_path / "preprocessed").decode("latin-1")
    for text in (made, told.out, told.err):
        assert "Doe" not in text and "Jane" not in text
