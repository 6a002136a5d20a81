"""Finding cases in a folder: `CASE_0000.nii.gz` and its sisters, or plain names for one channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from disanat.errors import DatasetError
from disanat.io.images import ENDINGS

__all__ = ["Case", "find_brain_mask", "find_cases", "stem"]

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


def find_brain_mask(folder: Path, case: str) -> Path | None:
    """The user's brain mask of a case: `CASE_brainmask.nii.gz`, else `CASE.nii.gz`; or None.

    In a folder of predictions `CASE.nii.gz` is the lesion mask, so the longer name wins.
    """
    names = [f"{case}{part}{ending}" for part in ("_brainmask", "") for ending in ENDINGS]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _is_dicom_series(folder: Path) -> bool:
    return any(p.suffix.lower() in (".dcm", ".ima") for p in folder.iterdir() if p.is_file())


def _split(name: str) -> tuple[str, int]:
    match = _CHANNEL.fullmatch(name)
    return (match["case"], int(match["channel"])) if match else (name, 0)


def find_cases(source: Path) -> list[Case]:
    """All cases in a folder, or the one case of a single file, sorted by name.

    A name that ends in four digits (`CASE_0001.nii.gz`) says its channel; any other name is a case
    with channel 0. A folder of DICOM slices is one image.

    Raises:
        DatasetError: no image is there, or two files claim the same channel of one case.
    """
    if not source.exists():
        raise DatasetError(f"{source} does not exist: check the path given with -i.")
    if source.is_file() or _is_dicom_series(source):
        entries = [source]
    else:
        entries = sorted(p for p in source.iterdir() if not p.name.startswith("."))
    found: dict[str, dict[int, Path]] = {}
    for path in entries:
        if path.is_dir():
            name = path.name if _is_dicom_series(path) else None
        else:
            name = stem(path)
        if name is None:
            continue
        case, channel = _split(name)
        channels = found.setdefault(case, {})
        if channel in channels:
            raise DatasetError(
                f"{path} and {channels[channel].name} are both channel {channel} of case {case}: "
                "keep one of them."
            )
        channels[channel] = path
    if not found:
        listed = ", ".join(p.name for p in entries[:5]) or "nothing"
        raise DatasetError(
            f"{source} holds no image (found: {listed}): put scans there as CASE_0000.nii.gz; "
            f"endings {', '.join(ENDINGS)} are read."
        )
    return [Case(name, dict(sorted(found[name].items()))) for name in sorted(found)]
