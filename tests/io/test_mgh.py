"""FreeSurfer's images are the same as their NIfTI, voxel for voxel and in mm."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from sentences import refusal

from disanat.io.images import read_labels, read_scan, same_grid, write_like

SHAPE = (9, 7, 11)


def affine(turned: bool) -> np.ndarray:
    """FreeSurfer's usual axes (LIA), with three voxel sizes; or turned by 25 degrees."""
    axes = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    if turned:
        a = np.deg2rad(25)
        axes = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ axes
    full = np.eye(4)
    full[:3, :3], full[:3, 3] = axes * (1.0, 0.8, 1.3), (12.0, -34.5, 7.25)
    return full


def save(path: Path, array: np.ndarray, turned: bool = False) -> Path:
    kind = nibabel.Nifti1Image if path.name.endswith("nii.gz") else nibabel.MGHImage
    nibabel.save(kind(array, affine(turned)), path)
    return path


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("ending", [".mgz", ".mgh"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
def test_the_same_as_nifti(tmp_path: Path, turned: bool, ending: str, kind: type) -> None:
    array = np.random.default_rng(0).integers(0, 120, SHAPE).astype(kind)
    scan = read_scan(save(tmp_path / f"x{ending}", array, turned))
    other = read_scan(save(tmp_path / "x.nii.gz", array, turned))
    np.testing.assert_array_equal(scan.array, other.array)
    assert scan.spacing == pytest.approx(other.spacing)
    assert same_grid(scan.geometry, other.geometry, 1e-3)
    assert scan.geometry.orientation == other.geometry.orientation
    labels = read_labels(tmp_path / f"x{ending}")
    np.testing.assert_array_equal(labels.array, other.array)


def test_results_lie_on_its_grid(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(50, 9, SHAPE).astype(np.float32)
    scan = read_scan(save(tmp_path / "x.mgz", array, True))
    write_like(scan.array, scan.geometry, tmp_path / "out.nii.gz")
    again = nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(again.get_fdata(dtype=np.float32), array)
    np.testing.assert_allclose(again.affine, affine(True), atol=1e-4)


def test_several_volumes_and_damaged_files(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(50, 9, (*SHAPE, 3)).astype(np.float32)
    message = refusal(read_scan, save(tmp_path / "four.mgz", array))
    assert "that is 3 volumes in one file): take one of them" in message
    path = save(tmp_path / "x.mgz", array[..., 0])
    whole = path.read_bytes()
    for end in (0, 1, 50, 300, len(whole) // 2, -30, -1):
        path.write_bytes(whole[:end])
        refusal(read_scan, path)
    path.write_bytes(whole + b"junk")
    refusal(read_scan, path)
    bad = save(tmp_path / "bad.mgh", array[..., 0])
    content = bytearray(bad.read_bytes())
    content[4:8] = (0).to_bytes(4, "big")
    bad.write_bytes(content)
    assert "its size is 0x7x11x1" in refusal(read_scan, bad)
    array[1, 2, 3, 0] = np.nan
    assert "holds 1 voxels that are NaN" in refusal(
        read_scan, save(tmp_path / "nan.mgz", array[..., 0])
    )
