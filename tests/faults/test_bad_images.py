"""Images with odd sizes, kinds of numbers, values and grids: read rightly, or refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from sentences import refusal

from disanat.io.images import read_geometry, read_labels, read_scan, write_like

SHAPE = (6, 9, 8)
KINDS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
REALS = ("float32", "float64")


def write(path: Path, array: np.ndarray, spacing: Any = (1.25, 0.9, 5.0)) -> Path:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path), True)
    return path


@pytest.fixture
def header(tmp_path: Path) -> Any:
    """Writes a sound int16 file with some fields of its header replaced."""
    sound = np.random.default_rng(0).integers(0, 999, SHAPE).astype(np.int16)
    data = gzip.decompress(write(tmp_path / "sound.nii.gz", sound).read_bytes())

    def made(name: str, *changes: tuple[int, str, Any], ending: str = ".nii") -> Path:
        spoilt = bytearray(data)
        for offset, kind, value in changes:
            struct.pack_into(f"<{kind}", spoilt, offset, value)
        path = tmp_path / f"{name}{ending}"
        path.write_bytes(gzip.compress(spoilt) if ending == ".nii.gz" else bytes(spoilt))
        return path

    return made


@pytest.mark.parametrize("kind", [*KINDS, *REALS])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha", ".nrrd"])
def test_every_kind_of_number_is_read_with_its_value(
    tmp_path: Path, kind: str, ending: str
) -> None:
    low = -100 if kind[0] in "if" else 0
    array = np.random.default_rng(0).integers(low, 100, SHAPE).astype(kind)
    path = write(tmp_path / f"x{ending}", array)
    np.testing.assert_array_equal(read_scan(path).array, array.astype(np.float32))
    write(path, np.abs(array))
    np.testing.assert_array_equal(read_labels(path).array, np.abs(array).astype(np.int32))


@pytest.mark.parametrize("shape", [(1, 9, 8), (6, 1, 8), (6, 9, 1), (1, 1, 8), (2, 900, 2)])
@pytest.mark.parametrize("ending", [".nii.gz", ".mha"])
def test_single_slices_and_long_axes_are_read(
    tmp_path: Path, shape: tuple[int, ...], ending: str
) -> None:
    array = np.random.default_rng(0).integers(0, 999, shape).astype(np.int16)
    scan = read_scan(write(tmp_path / f"x{ending}", array))
    np.testing.assert_array_equal(scan.array, array)
    write_like(scan.array, scan.geometry, tmp_path / "back.nii.gz")
    np.testing.assert_array_equal(read_scan(tmp_path / "back.nii.gz").array, array)


def test_a_header_without_slices_or_with_far_too_many_is_refused(header: Any) -> None:
    for count in (0, -1, 5, 7, 30000):
        for ending in (".nii", ".nii.gz"):
            path = header(f"dim{count}", (46, "h", count), ending=ending)
            assert "header says" in refusal(read_scan, path) or count < 1


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_size_that_no_memory_holds_is_refused_before_any_is_taken(
    header: Any, ending: str
) -> None:
    path = header("vast", *((at, "h", 30000) for at in (42, 44, 46)), ending=ending)
    assert "GB of memory are needed" in refusal(read_scan, path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".nrrd"])
@pytest.mark.parametrize("read", [read_scan, read_labels])
def test_nan_and_infinity(tmp_path: Path, value: float, ending: str, read: Any) -> None:
    for kind in REALS:
        array = np.ones(SHAPE, kind)
        array[0, 0, 0], array[0, 0, 1] = value, 3
        path = write(tmp_path / f"x{kind}{ending}", array)
        assert "1 voxels that are NaN or infinite" in refusal(read, path)


def test_a_number_too_large_for_float32_counts_as_infinite(tmp_path: Path) -> None:
    array = np.arange(432.0).reshape(SHAPE)
    array[0, 0, 0] = 1e300
    assert "NaN or infinite" in refusal(read_scan, write(tmp_path / "x.nii.gz", array))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, 1e10, 1e-10])
@pytest.mark.parametrize("offset", [80, 84, 88])
def test_voxel_sizes_that_cannot_be(header: Any, value: float, offset: int) -> None:
    assert "voxel" in refusal(read_scan, header("x", (offset, "f", value)))
    without = ((252, "h", 1), (254, "h", 0))
    assert "voxel" in refusal(read_scan, header("y", (offset, "f", value), *without))


@pytest.mark.parametrize("word", ["-1.25", "0", "nan", "1e9", "what"])
def test_voxel_sizes_of_text_headers(tmp_path: Path, word: str) -> None:
    array = np.arange(432, dtype=np.int16).reshape(SHAPE)
    meta, nrrd = write(tmp_path / "x.mha", array), write(tmp_path / "x.nrrd", array)
    meta.write_bytes(meta.read_bytes().replace(b"= 1.25", f"= {word}".encode()))
    nrrd.write_bytes(nrrd.read_bytes().replace(b"(1.25,0,0)", f"({word},0,0)".encode()))
    refusal(read_scan, meta)
    if word != "-1.25":  # a direction may have any sign
        refusal(read_scan, nrrd)


@pytest.mark.parametrize(("unit", "name"), [(1, "metres"), (3, "micrometres")])
def test_a_wrong_unit_of_length_is_refused(header: Any, unit: int, name: str) -> None:
    assert "unit of length" in refusal(read_scan, header(name, (123, "B", unit)))


def test_a_right_unit_of_length_is_heeded(header: Any) -> None:
    place = ((252, "h", 0), (254, "h", 0))
    sizes = [(80 + 4 * i, "f", s / 1000) for i, s in enumerate((1.25, 0.9, 5.0))]
    scan = read_scan(header("metres", (123, "B", 1), *place, *sizes))
    assert scan.geometry.spacing == pytest.approx((1.25, 0.9, 5.0))


def test_axes_that_are_not_at_right_angles(tmp_path: Path, header: Any) -> None:
    skewed = ((284, "f", 0.5), (252, "h", 0))
    assert "right angles" in refusal(read_scan, header("skew", *skewed))
    array = np.arange(432, dtype=np.int16).reshape(SHAPE)
    path = write(tmp_path / "x.mha", array)
    text = path.read_bytes().replace(b"= 1 0 0 0 1 0 0 0 1", b"= 1 0.5 0 0 1 0 0 0 1")
    path.write_bytes(text)
    assert "right angles" in refusal(read_scan, path)


@pytest.mark.parametrize(
    ("offset", "kind", "value"),
    [
        (0, "i", 7), (0, "i", 540), (40, "h", 0), (40, "h", 8), (70, "h", 99), (70, "h", 1),
        (70, "h", 1536), (72, "h", 8), (108, "f", 0), (108, "f", 368), (108, "f", np.nan),
        (108, "f", 1e9), (112, "f", np.inf), (256, "f", np.nan), (256, "f", 2.0),
        (268, "f", np.inf), (280, "f", np.nan), (280, "f", 77.0), (300, "f", 0.0),
        (344, "i", 0),
    ],
)  # fmt: skip
def test_headers_that_contradict_themselves(
    header: Any, offset: int, kind: str, value: float
) -> None:
    refusal(read_scan, header("x", (offset, kind, value)))


def test_no_scaling_is_said_by_0_or_nan(header: Any) -> None:
    wanted = read_scan(header("sound")).array
    for value in (0.0, np.nan):
        found = read_scan(header("x", (112, "f", value), (116, "f", np.nan))).array
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("value", [0.5, -1.0, 3e9])
def test_label_maps_hold_whole_numbers_from_0(tmp_path: Path, value: float) -> None:
    array = np.zeros(SHAPE)
    array[0, 0, 0] = value
    path = write(tmp_path / "x.nii.gz", array)
    assert f"holds the value {value:g}" in refusal(read_labels, path)
    assert read_geometry(path).size == SHAPE[::-1]


def test_labels_that_scaling_made_inexact_are_rounded(tmp_path: Path) -> None:
    array = np.zeros(SHAPE, np.float32)
    array[0, 0, :2] = 0.99999, 2.00001
    found = read_labels(write(tmp_path / "x.nii.gz", array)).array
    assert found[0, 0, :3].tolist() == [1, 2, 0]


def test_complex_numbers_are_refused(header: Any) -> None:
    path = header("x", (70, "h", 32), (72, "h", 64), (42, "h", 2))
    assert "complex" in refusal(read_scan, path)
