"""One DICOM series as one image: every slice of the folder is used, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError

__all__ = ["is_dicom_series", "read_dicom"]

_ENDINGS = (".dcm", ".ima")
_POSITION, _ORIENTATION = "0020|0032", "0020|0037"
_UNEVEN = 0.05
"""Share of the usual distance by which that of two slices may differ from it."""
_COPY = "export the series again, alone and complete"


def is_dicom_series(folder: Path) -> bool:
    """Whether a folder holds DICOM slices, by their names."""
    return any(p.suffix.lower() in _ENDINGS for p in folder.iterdir() if p.is_file())


def read_dicom(folder: Path) -> sitk.Image:
    """Read the one series of a folder.

    Raises:
        ImageError: there is not exactly one, a file does not belong to it or cannot be read, or a
            slice is missing or there twice.
    """
    strange = [p for p in folder.iterdir() if not (p.is_file() or p.is_dir())]
    if strange:
        raise ImageError(f"{strange[0]} is neither a file nor a folder: take it out.")
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise ImageError(
            f"{folder} holds {len(series)} DICOM series: give a folder with exactly one."
        )
    names = reader.GetGDCMSeriesFileNames(str(folder), series[0])
    left = sorted({p for p in folder.iterdir() if _seems_a_slice(p)} - {Path(n) for n in names})
    if left:
        raise ImageError(
            f"{left[0]} is no readable slice of the series in its folder ({len(left)} such files): "
            f"take it out, or {_COPY}."
        )
    reader.SetFileNames(names)
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
    except RuntimeError as cause:
        raise ImageError(
            f"The DICOM series in {folder} cannot be read: check that all its files are there."
        ) from cause
    _check_slices(folder, [_place(reader, i) for i in range(len(names))])
    return image


def _seems_a_slice(path: Path) -> bool:
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR" or path.is_dir():
        return False
    if path.suffix.lower() in _ENDINGS:
        return True
    if not path.is_file():
        return False
    with open(path, "rb") as handle:
        return handle.read(132)[128:] == b"DICM"


def _place(reader: sitk.ImageSeriesReader, index: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Position and the two axes of a slice in mm; None where the slice does not say."""
    found = []
    for key, count in ((_POSITION, 3), (_ORIENTATION, 6)):
        text = reader.GetMetaData(index, key) if reader.HasMetaDataKey(index, key) else ""
        try:
            values = np.array([float(word) for word in text.split("\\")])
        except ValueError:
            return None
        if len(values) != count or not np.isfinite(values).all():
            return None
        found.append(values)
    return found[0], found[1]


def _check_slices(folder: Path, places: Sequence[tuple[np.ndarray, np.ndarray] | None]) -> None:
    stated = [place for place in places if place is not None]
    if len(stated) < len(places):
        raise ImageError(f"The DICOM slices in {folder} do not say where they lie: {_COPY}.")
    axes = stated[0][1]
    if any(np.abs(other - axes).max() > 1e-3 for _, other in stated):
        raise ImageError(f"The DICOM slices in {folder} are not parallel: {_COPY}.")
    normal = np.cross(axes[:3], axes[3:])
    distances = np.abs(np.diff(np.sort([float(position @ normal) for position, _ in stated])))
    if not len(distances):
        return
    usual = float(np.median(distances))
    if (np.abs(distances - usual) > _UNEVEN * usual).any() or usual == 0:
        raise ImageError(
            f"The DICOM slices in {folder} lie {distances.min():.3g} to {distances.max():.3g} mm "
            f"apart, so that one is missing or there twice: {_COPY}."
        )
