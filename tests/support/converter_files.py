"""Small scans and masks as files, and a scan as a folder of DICOM slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

SHAPE = (10, 14, 12)  # z, y, x of the file
ORIGIN = (3.0, -5.0, 7.0)
LESION = (slice(2, 4), slice(3, 5), slice(1, 4))  # 12 voxels
_DIRECTIONS = {
    "LPS": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "LAS": (1, 0, 0, 0, -1, 0, 0, 0, 1),
    "PSR": (0, 0, -1, 1, 0, 0, 0, 1, 0),
}


def save(
    path: Path,
    array: np.ndarray,
    spacing: tuple[float, ...] = (1.0, 1.0, 2.0),
    origin: tuple[float, ...] = ORIGIN,
    orientation: str = "LAS",
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(_DIRECTIONS[orientation])
    sitk.WriteImage(image, str(path))
    return path


def scan(path: Path, seed: int = 0, **grid: Any) -> Path:
    values = np.random.default_rng(seed).normal(100, 10, SHAPE).astype(np.float32)
    return save(path, values, **grid)


def labels(path: Path, value: int = 4, **grid: Any) -> Path:
    """A mask of 12 voxels, one of which has another label than the others."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[LESION] = value
    mask[2, 3, 1] = 1
    return save(path, mask, **grid)


def series(folder: Path) -> None:
    """A scan as DICOM slices, one file each."""
    folder.mkdir(parents=True)
    values = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for i, plane in enumerate(values):
        image = sitk.GetImageFromArray(plane[None])
        image.SetSpacing((1.0, 1.0, 2.0))
        tags = {
            "0008|0060": "MR", "0020|000e": "1.2.3.4", "0020|000d": "1.2.3",
            "0008|0018": f"1.2.3.4.{i}", "0020|0013": str(i),
            "0020|0032": f"0\\0\\{2.0 * i}", "0020|0037": "1\\0\\0\\0\\1\\0",
        }  # fmt: skip
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{i:03d}.dcm"))
        writer.Execute(image)
