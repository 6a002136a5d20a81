"""One DICOM series as one image: every slice of it is used, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError
from disanat.io.dicom_frames import frame_order, number_of_frames, read_frames

__all__ = [
    "dicom_name",
    "is_dicom_file",
    "is_dicom_series",
    "read_dicom",
    "read_dicom_file",
    "series_files",
    "stored_order",
]

_ENDINGS = (".dcm", ".ima", ".dicom")
_POSITION, _ORIENTATION = "0020|0032", "0020|0037"
_SAMPLES = "0028|0002"
_UNEVEN = 0.05
"""Share of the usual distance by which that of two slices may differ from it."""
_SHIFT_MM = 0.5
"""How far, all in all, slices may lie beside each other instead of above each other."""
_LOOKED_AT = 5
"""Files without an ending of which the first bytes are read."""
_COPY = "export the series again, alone and complete"


def is_dicom_series(folder: Path) -> bool:
    """Whether a folder holds DICOM files, by their names; without telling names, by their mark."""
    files = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")]
    if any(p.suffix.lower() in _ENDINGS for p in files):
        return True
    return any(_is_marked(p) for p in [p for p in files if _has_no_ending(p)][:_LOOKED_AT])


def is_dicom_file(path: Path) -> bool:
    """Whether a file is DICOM, by its name; without an ending, by its mark."""
    return path.suffix.lower() in _ENDINGS or (_has_no_ending(path) and _is_marked(path))


def dicom_name(path: Path) -> str:
    """The name of a DICOM file without its ending."""
    return path.stem if path.suffix.lower() in _ENDINGS else path.name


def _has_no_ending(path: Path) -> bool:
    """Scanners name files IM0001 or by a UID, whose last part is a number."""
    return path.name.upper() != "DICOMDIR" and (not path.suffix or path.suffix[1:].isdigit())


def _is_marked(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as handle:
        return handle.read(132)[128:] == b"DICM"


def series_files(folder: Path) -> list[Path]:
    """The files of the one series of a folder, in the order of its slices.

    Raises:
        ImageError: there is not exactly one, or a file does not belong to it or cannot be read.
    """
    strange = [p for p in folder.iterdir() if not (p.is_file() or p.is_dir())]
    if strange:
        raise ImageError(f"{strange[0]} is neither a file nor a folder: take it out.")
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise ImageError(
            f"{folder} holds {len(series)} DICOM series: give a folder with exactly one (of "
            "several, each in a folder of its own)."
        )
    names = [Path(name) for name in reader.GetGDCMSeriesFileNames(str(folder), series[0])]
    left = sorted({p for p in folder.iterdir() if _seems_a_slice(p)} - set(names))
    if left:
        raise ImageError(
            f"{left[0]} is no readable slice of the series in its folder ({len(left)} such files): "
            f"take it out, or {_COPY}."
        )
    return names


def read_dicom(folder: Path) -> sitk.Image:
    """Read the one series of a folder.

    Raises:
        ImageError: there is not exactly one, a file does not belong to it or cannot be read, a
            slice is missing or there twice, or it holds several volumes.
    """
    names = series_files(folder)
    if number_of_frames(names[0]) > 1:
        if len(names) > 1:
            raise _several(folder, len(names))
        return read_frames(names[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(name) for name in names])
    reader.MetaDataDictionaryArrayUpdateOn()
    # Slices may have scales of their own: as whole numbers they would lose what the first lacks.
    reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        image = reader.Execute()
    except RuntimeError as cause:
        raise ImageError(
            f"The DICOM series in {folder} cannot be read: check that all its files are there."
        ) from cause
    if reader.HasMetaDataKey(0, _SAMPLES) and reader.GetMetaData(0, _SAMPLES).strip() != "1":
        raise ImageError(f"The DICOM series in {folder} is in colour: give the scan itself.")
    _check_slices(folder, [_place(reader, i) for i in range(len(names))])
    return image


def read_dicom_file(path: Path) -> sitk.Image:
    """Read a DICOM file that holds a whole volume as its frames.

    Raises:
        ImageError: it holds a single slice, several volumes, or cannot be read.
    """
    if number_of_frames(path) == 1:
        raise ImageError(
            f"{path} is a single slice: give the folder with all files of its series."
        )
    return read_frames(path)


def stored_order(path: Path) -> tuple[list[Path], list[int]]:
    """Where the slices of a DICOM image are stored, from its first slice to its last.

    Args:
        path: a folder with one series, or a file with all frames.

    Returns:
        The files, and the number of the frame of each slice in the one file that there is; no
        numbers where each slice is a file.
    """
    files = series_files(path) if path.is_dir() else [path]
    return files, frame_order(files[0]) if number_of_frames(files[0]) > 1 else []


def _seems_a_slice(path: Path) -> bool:
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR" or path.is_dir():
        return False
    return path.suffix.lower() in _ENDINGS or _is_marked(path)


def _several(source: Path, volumes: int) -> ImageError:
    return ImageError(
        f"{source} holds {volumes} DICOM volumes of the same place: give one of them, in a folder "
        "of its own."
    )


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
    positions = np.array([position for position, _ in stated])
    heights = positions @ normal
    _check_volumes(folder, heights)
    distances = np.abs(np.diff(np.sort(heights)))
    if not len(distances):
        return
    usual = float(np.median(distances))
    if (np.abs(distances - usual) > _UNEVEN * usual).any() or usual == 0:
        raise ImageError(
            f"The DICOM slices in {folder} lie {distances.min():.3g} to {distances.max():.3g} mm "
            f"apart, so that one is missing or there twice: {_COPY}."
        )
    beside = positions - np.outer(heights, normal)
    if np.ptp(beside, axis=0).max() > _SHIFT_MM:
        raise ImageError(
            f"The DICOM slices in {folder} are shifted against each other, as by a tilted gantry: "
            "resample them to an ordinary grid."
        )


def _check_volumes(folder: Path, heights: np.ndarray) -> None:
    """Several volumes: each place is there equally often."""
    counts = np.unique(np.round(heights, 2), return_counts=True)[1]
    if counts.min() > 1 and counts.min() == counts.max():
        raise _several(folder, int(counts[0]))
