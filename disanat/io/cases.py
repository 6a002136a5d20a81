"""Finding cases in a folder: `CASE_0000.nii.gz` and its sisters, or plain names for one channel."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from disanat.errors import DatasetError
from disanat.io.dicom import dicom_name, is_dicom_file, is_dicom_series
from disanat.io.images import ENDINGS

__all__ = ["Case", "find_brain_mask", "find_cases", "find_image", "stem"]

_LONGEST_NAME = 200
"""In bytes; disks take 255, and results have longer names than their case."""
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")


@dataclass(frozen=True)
class Case:
    """One subject: an identifier and a file for each channel that is there."""

    name: str
    channels: Mapping[int, Path]


def stem(path: Path) -> str | None:
    """The file's name without its image ending; None where it is no image."""
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return None


def find_image(folder: Path, *names: str) -> Path | None:
    """The image of one of these names, whatever its ending; None where there is none.

    An earlier name wins over a later one.

    Raises:
        DatasetError: one name is there with two endings.
    """
    for name in names:
        found = [p for ending in ENDINGS if (p := folder / f"{name}{ending}").is_file()]
        if len(found) > 1:
            raise DatasetError(
                f"{found[0]} and {found[1].name} have the same name: keep one of them."
            )
        if found:
            return found[0]
    return None


def find_brain_mask(folder: Path, case: str) -> Path | None:
    """The user's brain mask of a case: `CASE_brainmask.nii.gz`, else `CASE.nii.gz`; or None.

    In a folder of predictions `CASE.nii.gz` is the lesion mask, so the longer name wins.

    Raises:
        DatasetError: one name is there with two endings.
    """
    return find_image(folder, f"{case}_brainmask", case)


def _split(name: str) -> tuple[str, int]:
    match = _CHANNEL.fullmatch(name)
    return (match["case"], int(match["channel"])) if match else (name, 0)


def find_cases(source: Path) -> list[Case]:
    """All cases in a folder, or the one case of a single file, sorted by name.

    A name that ends in four digits (`CASE_0001.nii.gz`) says its channel; any other name is a case
    with channel 0. A folder of DICOM slices is one image, and so is a DICOM file that is given by
    itself.

    Raises:
        DatasetError: no image is there, two files claim the same channel of one case, two cases
            differ in capitals alone, or a name cannot be written.
    """
    try:
        there = source.exists()
    except (OSError, ValueError) as cause:
        raise DatasetError(
            f"{str(source)!r} cannot be looked up ({cause}): check the path given with -i."
        ) from cause
    if not there:
        raise DatasetError(f"{source} does not exist: check the path given with -i.")
    single = not source.is_dir() or is_dicom_series(source)
    if single:
        entries = [source if source.name else source.resolve()]
    else:
        entries = sorted(p for p in source.iterdir() if not p.name.startswith("."))
    found: dict[str, dict[int, Path]] = {}
    for path in entries:
        name = _image_name(path, single)
        if name is None:
            continue
        _check_name(path)
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise DatasetError(f"{path} is neither a file nor a folder: take it out.")
        case, channel = _split(name)
        channels = found.setdefault(case, {})
        if channel in channels:
            raise DatasetError(
                f"{path} and {channels[channel].name} are both channel {channel} of case {case}: "
                "keep one of them."
            )
        channels[channel] = path
    if not found:
        if deeper := _deeper_series(entries):
            raise DatasetError(
                f"{source} holds no image itself, but {deeper} is a DICOM series: give the folder "
                f"{deeper.parent} or that of the series."
            )
        listed = ", ".join(p.name for p in entries[:5]) or "nothing"
        raise DatasetError(
            f"{source} holds no image (found: {listed}): put scans there as CASE_0000.nii.gz; "
            f"endings {', '.join(ENDINGS)} are read."
        )
    _refuse_alike(source, sorted(found))
    return [Case(name, dict(sorted(found[name].items()))) for name in sorted(found)]


def _deeper_series(entries: Sequence[Path]) -> Path | None:
    """A DICOM series two levels below the input, as archives export them (patient, study, series);
    None without one."""
    for folder in (path for path in entries if path.is_dir()):
        for below in (path for path in sorted(folder.iterdir()) if path.is_dir()):
            for series in (below, *(p for p in sorted(below.iterdir()) if p.is_dir())):
                if is_dicom_series(series):
                    return series
    return None


def _image_name(path: Path, single: bool) -> str | None:
    """What an image is called, its ending left out; None where it is none.

    Among other images a DICOM file is none: many of them are the slices of one series.
    """
    if path.is_dir():
        return path.name if is_dicom_series(path) else None
    return dicom_name(path) if single and is_dicom_file(path) else stem(path)


def _check_name(path: Path) -> None:
    """Results are called like the case, so its name must be one that every table can hold."""
    encodable = path.name.encode("utf-8", "ignore").decode("utf-8") == path.name
    if not encodable or any(unicodedata.category(c) == "Cc" for c in path.name):
        raise DatasetError(
            f"{str(path)!r} has characters in its name that cannot be written: rename the file."
        )
    if len(path.name.encode()) > _LONGEST_NAME:
        raise DatasetError(
            f"{path} has a name of more than {_LONGEST_NAME} bytes: shorten it, so that those of "
            "its results fit."
        )


def _refuse_alike(source: Path, names: Sequence[str]) -> None:
    """On disks that do not tell them apart, results of one case would replace another's."""
    first: dict[str, str] = {}
    for name in names:
        alike = first.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if alike != name:
            raise DatasetError(
                f"{source} holds the cases {alike} and {name}, which many disks take for the same "
                "name: rename one of them."
            )
