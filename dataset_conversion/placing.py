"""Putting one case's files into a dataset, and knowing whether they are there already.

Scans are copied byte for byte (or linked), so that no voxel changes; masks become 0 and 1 on the
grid of their case. What was written is recorded case by case, so that a conversion which was
interrupted goes on, and one that is given again does only what has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from dataset_conversion.conversion import geometry_of
from dataset_conversion.converter import Made, Split, Subject, require_grid
from disanat.errors import DatasetError, ImageError
from disanat.home import BOOKS, atomic_path, read_json, write_json
from disanat.io.cases import stem
from disanat.io.content import image_files
from disanat.io.dicom import read_dicom
from disanat.io.images import (
    Geometry,
    read_geometry,
    read_scan,
    write_like,
)
from disanat.io.integrity import check_file

__all__ = ["Place", "place", "write_mask"]

RECORDS = f"{BOOKS}/converted"
_SCHEMA = 1
_ALONE = ", or convert this contrast as a dataset of its own"
_IN_SEVERAL_FILES = (".mhd", ".nhdr")


@dataclass(frozen=True)
class Place:
    """Where the cases of one conversion go, and how."""

    folder: Path
    split: Split
    channels: Sequence[str]
    link: bool

    def up_to_date(self, subject: Subject) -> bool:
        """Whether the case is there as it would be written, from unchanged sources."""
        record = self._record(subject.name)
        files = record.get("files", [])
        return (
            bool(files)
            and record.get("made_from") == self._made_from(subject)
            and all((self.folder / name).is_file() for name in files)
        )

    def write(self, subject: Subject) -> None:
        """Write the case's files, then the record of them.

        Raises:
            DatasetError: a mask, prior or channel lies on another grid than its case.
            ImageError: a file cannot be read or written.
        """
        subject = _in_one_file(subject)
        first, *others = (subject.channels[c] for c in self.channels if c in subject.channels)
        grid = _checked_grid(first)
        for image in others:
            require_grid(_checked_grid(image), grid, _path(image), _ALONE)
        masks = {where: _mask(subject, mask, grid) for where, mask in subject.labels.items()}
        if subject.prior is not None:
            require_grid(read_geometry(subject.prior), grid, subject.prior)
        self.forget(subject.name)
        files = []
        for where, mask in masks.items():
            files.append(self.folder / where / f"{subject.name}.nii.gz")
            write_mask(mask, grid, files[-1])
        if subject.prior is not None:
            target = self.folder / f"priors{self.split}" / subject.name
            files.append(place(subject.prior, target, self.link))
        for number, name in enumerate(self.channels):
            if name in subject.channels:
                target = self.folder / f"images{self.split}" / f"{subject.name}_{number:04d}"
                files.append(place(subject.channels[name], target, self.link))
        record = {
            "schema_version": _SCHEMA,
            "made_from": self._made_from(subject),
            "files": [path.relative_to(self.folder).as_posix() for path in files],
        }
        write_json(record, self._record_path(subject.name))

    def forget(self, name: str) -> None:
        """Remove what was written for a case, if anything was."""
        for file in self._record(name).get("files", []):
            path = self.folder / file
            if path.resolve().parent.parent == self.folder.resolve():
                path.unlink(missing_ok=True)
        self._record_path(name).unlink(missing_ok=True)

    def recorded(self) -> list[str]:
        """Names of the cases that were written earlier."""
        return sorted(path.stem for path in (self.folder / RECORDS).glob("*.json"))

    def _record_path(self, name: str) -> Path:
        return self.folder / RECORDS / f"{name}.json"

    def _record(self, name: str) -> Mapping[str, Any]:
        path = self._record_path(name)
        if not path.is_file():
            return {}
        try:
            record = read_json(path, DatasetError, "")
        except DatasetError:
            return {}
        usable = isinstance(record, dict) and record.get("schema_version") == _SCHEMA
        return record if usable else {}

    def _made_from(self, subject: Subject) -> str:
        """Changes with what is written: its sources' paths, sizes and times, and the channels."""
        parts: list[object] = [_SCHEMA, self.split, self.link, list(self.channels)]
        images = {**subject.channels, **subject.labels}
        if subject.prior is not None:
            images["prior"] = subject.prior
        for name, image in sorted(images.items()):
            parts.append(name)
            for path in image.files if isinstance(image, Made) else tuple(image_files(image)):
                state = path.stat()
                parts.append([str(path.resolve()), state.st_size, state.st_mtime_ns])
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _in_one_file(subject: Subject) -> Subject:
    return Subject(
        subject.name,
        {name: _whole(image) for name, image in subject.channels.items()},
        subject.labels,
        subject.prior,
        subject.read_mask,
        subject.facts,
    )


def _whole(image: Path | Made) -> Path | Made:
    """An image in several files (a DICOM series, a header with its voxels apart) becomes one."""
    if isinstance(image, Made):
        return image
    files = tuple(image_files(image))
    if image.is_dir():
        return Made(files, lambda: read_dicom(image))
    if image.suffix.lower() in _IN_SEVERAL_FILES:
        return Made(files, lambda: _read(image))
    return image


def _read(path: Path) -> sitk.Image:
    read_scan(path)
    return sitk.ReadImage(str(path))


def _path(image: Path | Made) -> Path:
    return image.files[0] if isinstance(image, Made) else image


def _checked_grid(image: Path | Made) -> Geometry:
    if not isinstance(image, Made):
        return read_scan(image).geometry
    made = image.read()
    array = sitk.GetArrayViewFromImage(made)
    if not np.isfinite(array).all() or array.min() == array.max():
        raise ImageError(
            f"{image.files[0]} has the same value in every voxel, or some that are NaN or "
            "infinite: get this file again, or leave the case out."
        )
    return geometry_of(made)


def _mask(subject: Subject, mask: Path | Made, grid: Geometry) -> np.ndarray:
    if not isinstance(mask, Made):
        return subject.read_mask(mask, grid)
    image = mask.read()
    require_grid(geometry_of(image), grid, mask.files[0])
    return np.asarray(sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS")) > 0)


def write_mask(mask: np.ndarray, grid: Geometry, target: Path) -> None:
    """Write a boolean canonical array (axes S, P, L) as uint8 0/1 onto a case's grid."""
    write_like(mask.astype(np.uint8), grid, target)


def place(image: Path | Made, target: Path, link: bool) -> Path:
    """Copy, link or make a file called `target` plus its own ending; returns where it is.

    Raises:
        ImageError: a made image could not be written in full.
    """
    if isinstance(image, Made):
        final = target.with_name(f"{target.name}.nii.gz")
        with atomic_path(final) as temporary:
            sitk.WriteImage(image.read(), str(temporary), useCompression=True)
            check_file(temporary, to_read=False)
        return final
    ending = image.name[len(stem(image) or image.stem) :]
    final = target.with_name(target.name + ending)
    with atomic_path(final) as temporary:
        if link:
            _link(image, temporary)
        else:
            shutil.copyfile(image, temporary)
    return final


def _link(source: Path, target: Path) -> None:
    """A hard link where the file system allows one, else a symbolic link."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        target.symlink_to(source.resolve())
