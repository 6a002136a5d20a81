"""The compressed store of preprocessed cases: blosc2 arrays that are read slice by slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blosc2
import numpy as np

from disanat.errors import DatasetError
from disanat.home import atomic_path, read_json, write_json
from disanat.io.content import file_digest

__all__ = [
    "StoredCase",
    "is_stored",
    "open_case",
    "remove_case",
    "save_case",
    "stored_cases",
    "stored_label_maps",
]

_REMEDY = "preprocess the dataset again with disanat_plan_and_preprocess"


@dataclass(frozen=True)
class StoredCase:
    """One healthy case at the plan's spacing.

    `image` has the axes (channels, S, P, L), standardised in the brain; `labels` (S, P, L) holds
    0 for air, the class numbers inside the brain and 101 and up for tissue outside it. Both are
    numpy arrays, or blosc2 arrays that read only what is indexed. A case without channels is a
    label map without a scan; its image is a picture of it.
    """

    name: str
    image: np.ndarray
    labels: np.ndarray
    channels: tuple[int, ...]


def _write(array: np.ndarray, target: Path) -> str:
    """Write an array; returns the SHA-256 of its file."""
    parameters = {"codec": blosc2.Codec.ZSTD, "clevel": 5, "nthreads": 1}
    chunks = (*(1,) * (array.ndim - 3), min(8, array.shape[-3]), *array.shape[-2:])
    with atomic_path(target) as temporary:
        temporary.unlink(missing_ok=True)
        blosc2.asarray(
            np.ascontiguousarray(array), urlpath=str(temporary), chunks=chunks, cparams=parameters
        )
        return file_digest(temporary)


def save_case(folder: Path, case: StoredCase, made_from: str = "") -> None:
    """Write one case; its JSON comes last and says that the case is complete.

    Args:
        folder: where to.
        case: the case.
        made_from: stands for all that the case follows from; see `is_stored`.
    """
    (folder / f"{case.name}.json").unlink(missing_ok=True)
    image, labels = _files(folder, case.name)
    digests = {
        image.name: _write(case.image.astype(np.float32), image),
        labels.name: _write(case.labels.astype(np.uint8), labels),
    }
    facts = {"case": case.name, "channels": list(case.channels), "made_from": made_from}
    write_json({**facts, "sha256": digests}, folder / f"{case.name}.json")


def remove_case(folder: Path, name: str) -> None:
    """Remove a case, its JSON first: from then on it counts as not there."""
    for path in (folder / f"{name}.json", *_files(folder, name)):
        path.unlink(missing_ok=True)


def is_stored(folder: Path, name: str, made_from: str) -> bool:
    """Whether a case is there, whole, and made from just this."""
    source = folder / f"{name}.json"
    if not made_from or not source.exists():
        return False
    try:
        facts = read_json(source, DatasetError, _REMEDY)
        return bool(facts["made_from"] == made_from) and not _damaged(folder, facts)
    except (DatasetError, KeyError, TypeError):
        return False


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.b2nd", folder / f"{name}_labels.b2nd"


def _damaged(folder: Path, facts: Mapping[str, Any]) -> str:
    """The first file of a case that is missing or not as it was written; empty if none."""
    for name, digest in dict(facts.get("sha256", {})).items():
        path = folder / name
        if not path.exists() or file_digest(path) != digest:
            return str(name)
    return ""


def stored_cases(folder: Path) -> list[str]:
    """Names of all complete cases with scans in a folder, sorted.

    Raises:
        DatasetError: the folder holds none.
    """
    names = [name for name, scanned in _stored(folder).items() if scanned]
    if not names:
        raise DatasetError(f"{folder} holds no preprocessed case: {_REMEDY}.")
    return names


def stored_label_maps(folder: Path) -> list[str]:
    """Names of all label maps without a scan in a folder, sorted."""
    return [name for name, scanned in _stored(folder).items() if not scanned]


def _stored(folder: Path) -> dict[str, bool]:
    """Name of each complete case -> whether it has a scan."""
    found = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return {path.stem: _scanned(path) for path in found}


def _scanned(source: Path) -> bool:
    facts = read_json(source, DatasetError, _REMEDY)
    if not isinstance(facts, dict) or not isinstance(facts.get("channels"), list):
        raise DatasetError(f"{source} does not name the channels of its case: {_REMEDY}.")
    return bool(facts["channels"])


def open_case(folder: Path, name: str) -> StoredCase:
    """Open a case; its files are checked against their checksums, its voxels read when indexed.

    Raises:
        DatasetError: a file of the case is missing or damaged.
    """
    source = folder / f"{name}.json"
    facts = read_json(source, DatasetError, _REMEDY)
    # One thread: each rendering process reads for itself, and there are as many as cores allow.
    parameters = {"nthreads": 1}
    try:
        channels = tuple(int(channel) for channel in facts["channels"])
        if damaged := _damaged(folder, facts):
            raise DatasetError(f"{folder / damaged} is missing or damaged: {_REMEDY}.")
        image, labels = (
            blosc2.open(str(path), mode="r", dparams=parameters) for path in _files(folder, name)
        )
    except (KeyError, TypeError, ValueError) as cause:
        raise DatasetError(f"{source} is damaged ({cause!r}): {_REMEDY}.") from cause
    except (OSError, RuntimeError) as cause:
        raise DatasetError(
            f"{folder / name}.b2nd cannot be opened ({type(cause).__name__}): {_REMEDY}."
        ) from cause
    return StoredCase(name, image, labels, channels)
