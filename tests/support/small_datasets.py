"""A small dataset of boxes instead of brains, for what planning measures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.io.dataset import RawDataset, read_dataset

SHAPE = (20, 24, 22)  # S, P, L
BRAIN = (slice(4, 16), slice(3, 21), slice(5, 17))
SPACING = (4.0, 8.0, 12.0)  # x, y, z of the file: L, P, S; the brain has 995 mL


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


def own_mask(folder: Path, name: str, voxels: tuple[slice, ...]) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[voxels] = 1
    write(mask, folder / "brainmasksTr" / f"{name}.nii.gz")
