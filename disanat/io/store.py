"""The compressed store of preprocessed cases: blosc2 arrays that are read slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import blosc2
import numpy as np

from disanat.errors import DatasetError
from disanat.home import atomic_path, read_json, write_json

__all__ = ["StoredCase", "open_case", "save_case", "stored_cases", "stored_label_maps"]

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


def _write(array: np.ndarray, target: Path) -> None:
    parameters = {"codec": blosc2.Codec.ZSTD, "clevel": 5, "nthreads": 1}
    chunks = (*(1,) * (array.ndim - 3), min(8, array.shape[-3]), *array.shape[-2:])
    with atomic_path(target) as temporary:
        temporary.unlink(missing_ok=True)
        blosc2.asarray(
            np.ascontiguousarray(array), urlpath=str(temporary), chunks=chunks, cparams=parameters
        )


def save_case(folder: Path, case: StoredCase) -> None:
    """Write one case; its JSON comes last and says that the case is complete."""
    _write(case.image.astype(np.float32), folder / f"{case.name}.b2nd")
    _write(case.labels.astype(np.uint8), folder / f"{case.name}_labels.b2nd")
    write_json({"case": case.name, "channels": list(case.channels)}, folder / f"{case.name}.json")


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
    return {p.stem: bool(read_json(p, DatasetError, _REMEDY)["channels"]) for p in found}


def open_case(folder: Path, name: str) -> StoredCase:
    """Open a case without reading its voxels.

    Raises:
        DatasetError: a file of the case is missing or damaged.
    """
    facts = read_json(folder / f"{name}.json", DatasetError, _REMEDY)
    # One thread: blosc2's own pool does not survive the fork of a loader's worker.
    parameters = {"nthreads": 1}
    try:
        image = blosc2.open(str(folder / f"{name}.b2nd"), mode="r", dparams=parameters)
        labels = blosc2.open(str(folder / f"{name}_labels.b2nd"), mode="r", dparams=parameters)
    except (OSError, RuntimeError, FileNotFoundError) as cause:
        raise DatasetError(
            f"{folder / name}.b2nd cannot be opened ({type(cause).__name__}): {_REMEDY}."
        ) from cause
    return StoredCase(name, image, labels, tuple(facts["channels"]))
