"""What every converter shares: finding files, placing scans, writing labels and dataset.json.

A converter turns somebody's folder into `Subject`s; `write_dataset` does the rest. Scans are
copied byte for byte (or linked), so that no voxel changes; labels become 0/1 on the scan's grid.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from disanat.errors import DatasetError
from disanat.home import Home, atomic_path, write_json
from disanat.io.cases import stem
from disanat.io.images import (
    Geometry,
    read_geometry,
    read_labels,
    read_scan,
    same_grid,
    write_like,
)

__all__ = [
    "Description",
    "Subject",
    "dataset_folder",
    "find_file",
    "find_files",
    "find_folders",
    "find_optional",
    "mask_on_grid",
    "place",
    "write_dataset",
    "write_mask",
]

_log = logging.getLogger(__name__)
Split = Literal["Tr", "Ts"]


def mask_on_grid(mask: Path, scan: Path) -> np.ndarray:
    """Voxels above 0 of a label map that lies on the scan's grid; boolean, axes S, P, L.

    Raises:
        DatasetError: it lies on another grid.
    """
    labels = read_labels(mask)
    _require_grid(labels.geometry, read_geometry(scan), mask, scan)
    return np.asarray(labels.array > 0)


MaskReader = Callable[[Path, Path], np.ndarray]


@dataclass(frozen=True)
class Subject:
    """One case of the source: a file per channel, and what belongs to it.

    `labels` maps a folder of the dataset (`labelsTs`) to a mask; `read_mask` turns the mask's and
    the first scan's path into a boolean array on the scan's grid. `prior` is a label map on that
    grid.
    """

    name: str
    channels: Mapping[int, Path]
    labels: Mapping[str, Path] = field(default_factory=dict)
    prior: Path | None = None
    read_mask: MaskReader = mask_on_grid


@dataclass(frozen=True)
class Description:
    """What `dataset.json` says of a dataset."""

    name: str
    channel_names: tuple[str, ...]
    licence: str
    source: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        channels = {str(i): name for i, name in enumerate(self.channel_names)}
        return {
            "name": self.name,
            "channel_names": channels,
            **self.extra,
            "licence": self.licence,
            "source": self.source,
        }


def find_folders(source: Path, pattern: str, what: str) -> list[Path]:
    """Folders in `source` that match a glob pattern, sorted.

    Raises:
        DatasetError: there is none; the message names what was looked for.
    """
    found = sorted(p for p in source.glob(pattern) if p.is_dir())
    if not found:
        raise DatasetError(
            f"{source} holds no folder {pattern} ({what}): give the folder of that set with -i."
        )
    return found


def find_files(folder: Path, pattern: str, what: str) -> list[Path]:
    """Files in `folder` that match a glob pattern, sorted.

    Raises:
        DatasetError: there is none; the message names what was looked for.
    """
    found = sorted(p for p in folder.glob(pattern) if p.is_file() and not p.name.startswith("."))
    if not found:
        raise DatasetError(
            f"{folder} holds no file {pattern} ({what}): give the folder of that set with -i."
        )
    return found


def find_file(folder: Path, pattern: str, what: str) -> Path:
    """The one file in `folder` that matches a glob pattern.

    Raises:
        DatasetError: there is none, or there are several.
    """
    found = find_files(folder, pattern, what)
    if len(found) > 1:
        raise DatasetError(
            f"{folder} holds {len(found)} files {pattern} ({what}): keep the one that is meant."
        )
    return found[0]


def find_optional(folder: Path, pattern: str) -> Path | None:
    """The first file in `folder` that matches a glob pattern, or None."""
    return next((p for p in sorted(folder.glob(pattern)) if p.is_file()), None)


def dataset_folder(home: Home, dataset_id: int, name: str) -> Path:
    """`HOME/raw/DatasetXXX_Name`, not yet created.

    Raises:
        DatasetError: the number is out of range, or another dataset of this home has it.
    """
    if not 1 <= dataset_id <= 999:
        raise DatasetError(f"Dataset number {dataset_id} is out of range: use -d 1 to 999.")
    folder = f"Dataset{dataset_id:03d}_{name}"
    for other in home.dataset_names():
        if other.startswith(folder[:11]) and other != folder:
            raise DatasetError(
                f"Number {dataset_id} belongs to {other} in {home.root} already: "
                "give another number with -d."
            )
    return home.raw / folder


def write_dataset(
    home: Home,
    dataset_id: int,
    description: Description,
    subjects: Sequence[Subject],
    split: Split,
    link: bool = False,
) -> Path:
    """Write all subjects and, last of all, `dataset.json`; returns the dataset's folder.

    Raises:
        DatasetError: a label or prior lies on another grid than its scan, or the number is taken.
        ImageError: a file cannot be read.
    """
    folder = dataset_folder(home, dataset_id, description.name)
    for subject in tqdm(subjects, desc=folder.name, unit="case"):
        _write_subject(folder, subject, split, link)
    write_json(description.to_json(), folder / "dataset.json")
    _log.info("%s: %d cases", folder, len(subjects))
    return folder


def _write_subject(folder: Path, subject: Subject, split: Split, link: bool) -> None:
    first, grid = _check_channels(subject)
    for labels, path in subject.labels.items():
        mask = subject.read_mask(path, first)
        write_mask(mask, grid, folder / labels / f"{subject.name}.nii.gz")
    if subject.prior is not None:
        _require_grid(read_geometry(subject.prior), grid, subject.prior, first)
        place(subject.prior, folder / f"priors{split}" / subject.name, link)
    for channel, path in subject.channels.items():
        place(path, folder / f"images{split}" / f"{subject.name}_{channel:04d}", link)


def _check_channels(subject: Subject) -> tuple[Path, Geometry]:
    """The first channel and its grid, which all the others must share."""
    if not subject.channels:
        raise DatasetError(f"Case {subject.name} has no scan: remove it from the source folder.")
    first, *others = subject.channels.values()
    grid = read_scan(first).geometry
    for path in others:
        _require_grid(read_scan(path).geometry, grid, path, first)
    return first, grid


def _require_grid(geometry: Geometry, grid: Geometry, path: Path, scan: Path) -> None:
    if not same_grid(geometry, grid):
        raise DatasetError(
            f"{path} (size {geometry.size}) does not lie on the grid of {scan} (size {grid.size}): "
            "resample it to the scan's grid first."
        )


def write_mask(mask: np.ndarray, grid: Geometry, target: Path) -> None:
    """Write a boolean canonical array (axes S, P, L) as uint8 0/1 onto a scan's grid."""
    write_like(mask.astype(np.uint8), grid, target)


def place(source: Path, target: Path, link: bool) -> None:
    """Copy or link a file to `target` plus the file's own ending."""
    ending = source.name[len(stem(source) or source.stem) :]
    final = target.with_name(target.name + ending)
    if link:
        _link(source, final)
        return
    with atomic_path(final) as temporary:
        shutil.copyfile(source, temporary)


def _link(source: Path, target: Path) -> None:
    """A hard link where the file system allows one, else a symbolic link."""
    with atomic_path(target) as temporary:
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            temporary.symlink_to(source.resolve())
