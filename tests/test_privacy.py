"""Whose scan it was stands in no output and in no message: only the case's name does."""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import write_frames, write_slices
from pydicom.datadict import DicomDictionary

PAGE = Path(__file__).resolve().parents[1] / "documentation" / "security.md"
MARK = "Zzsecret"
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


def marked_fields() -> pydicom.Dataset:
    """A text, date or time of its own in every field for these that DICOM knows."""
    data = pydicom.Dataset()
    for tag, (kind, _, _, retired, keyword) in DicomDictionary.items():
        wanted = keyword and not retired and tag >> 16 in (0x08, 0x10, 0x18, 0x20, 0x32, 0x38, 0x40)
        if not wanted or keyword in ("Manufacturer", "SpecificCharacterSet"):
            continue
        number = len(data)
        if kind in ("LO", "LT", "PN", "SH", "ST", "UC", "UT"):
            setattr(data, keyword, f"{MARK}{tag:08X}")
        elif kind == "DA":
            setattr(data, keyword, f"{1900 + number // 12}{number % 12 + 1:02}11")
        elif kind == "TM":
            setattr(data, keyword, f"{number // 60:02}{number % 60:02}")
        elif kind == "AS":
            setattr(data, keyword, "077Y")
    data.PatientSex = "F"
    return data


def mark_every_field(path: Path, fields: pydicom.Dataset) -> None:
    data = pydicom.dcmread(path)
    data.update(fields)
    data.OtherPatientIDsSequence = [pydicom.Dataset()]
    data.OtherPatientIDsSequence[0].PatientID = f"{MARK}OTHER"
    data.private_block(0x11, "ACME", create=True).add_new(1, "LO", f"{MARK}PRIVATE")
    data.save_as(path)


def told_of(source: pydicom.Dataset, made: pydicom.Dataset, fields: pydicom.Dataset) -> set[str]:
    """Fields of the source whose values stand in what was made, wherever they do."""
    identifiers = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    names = (*(element.keyword for element in fields), *identifiers)
    values = {str(source[name].value): name for name in names}
    assert len(values) == len(names)
    return {values[str(e.value)] for e in made.iterall() if str(e.value) in values}


def words_of_the_page(start: str) -> set[str]:
    """What stands in code marks in one point of the page."""
    page = PAGE.read_text(encoding="utf-8")
    [point] = re.findall(rf"^- \*\*{start}.*?(?=^- )", page, re.S | re.M)
    return {word for word in re.findall(r"`(\w+)`", point) if word[0].isupper()}


@pytest.mark.parametrize("frames", [False, True], ids=["slices", "frames"])
def test_a_dicom_segmentation_tells_just_what_the_page_says(
    frames: bool,
    miniature: Any,
    trained_home: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("highdicom")
    series, out, image = tmp_path / "in" / "p", tmp_path / "out", miniature.brain(60).image[::4]
    if frames:
        write_frames(series / "all.dcm", image, (16.0, 4.0, 4.0))
    else:
        write_slices(series, image, (16.0, 4.0, 4.0))
    fields = marked_fields()
    for path in series.iterdir():
        mark_every_field(path, fields)
    assert len(fields) > 150
    flags = ("--save", "dicom_seg", "--threshold", 1.5, "--home", trained_home, "--device", "cpu")
    assert miniature.run("predict", "-i", tmp_path / "in", "-o", out, *flags) == 0
    made = pydicom.dcmread(out / "p_seg.dcm")
    sources = [pydicom.dcmread(path) for path in series.iterdir()]
    told = set().union(*(told_of(source, made, fields) for source in sources))
    assert told == words_of_the_page("A DICOM segmentation")
    text = str(made)
    assert f"{MARK}OTHER" not in text and f"{MARK}PRIVATE" not in text
    (out / "p_seg.dcm").unlink()
    for rest in (everything_in(out).decode("latin-1"), *capfd.readouterr()):
        assert MARK not in rest


@pytest.mark.parametrize("write", [write_nifti, write_dicom])
def test_a_bids_folder_tells_names_of_cases_and_files_and_no_more(
    write: Write, miniature: Any, trained_home: Path, tmp_path: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    name = write(scans, miniature.brain(60, lesion=True).image).name
    flags = ("--bids", "--home", trained_home, "--device", "cpu")
    assert miniature.run("predict", "-i", scans, "-o", out, *flags) == 0
    everything = everything_in(out).decode("latin-1")
    assert "Doe" not in everything and "Jane" not in everything
    texts = {p.name: p.read_text("latin-1") for p in out.rglob("*") if p.is_file()}
    assert [n for n, text in texts.items() if str(tmp_path) in text] == ["prediction.json"]
    described = json.loads(texts["dataset_description.json"])
    assert described["DatasetLinks"] == {"input": "../scans"}
    beside = [json.loads(path.read_text()) for path in out.rglob("sub-*.json")]
    assert len(beside) == 4
    assert {source for one in beside for source in one["Sources"]} == {f"bids:input:{name}"}


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
