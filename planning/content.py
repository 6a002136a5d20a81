"""What a case was measured from, as one number: the same content measures the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from disanat.errors import ImageError
from disanat.io.cases import Case
from disanat.io.dataset import RawDataset
from disanat.plans import BrainMaskTool
from disanat.preprocessing.brain_extractor import shipped_digest
from planning.measures import MEASURES_VERSION

__all__ = ["content_of"]

_DETACHED = (".mhd", ".nhdr")


def content_of(dataset: RawDataset, case: Case, tool: BrainMaskTool = "extractor") -> str:
    """SHA-256 (hex) over a case's images, label map and own brain mask, byte for byte.

    The numbers of its channels, the dataset's label mapping, what finds the brain in whole heads
    (of the extractor, its weights) and `MEASURES_VERSION` are part of it; names of files and when
    they were written are not.

    Raises:
        ImageError: a file cannot be read.
    """
    mapping = {name: sorted(numbers) for name, numbers in dataset.label_mapping.items()}
    finder = shipped_digest() if tool == "extractor" else tool
    parts = [json.dumps([MEASURES_VERSION, mapping, finder], sort_keys=True)]
    for channel, path in case.channels.items():
        parts += [f"channel {channel} {_digest(file)}" for file in _files(path)]
    beside = {
        "prior": dataset.prior_path(case.name),
        "brain mask": dataset.brain_mask_path(case.name),
    }
    for what, beside_path in beside.items():
        if beside_path is not None:
            parts += [f"{what} {_digest(file)}" for file in _files(beside_path)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as cause:
        raise ImageError(
            f"{file} cannot be read ({cause.strerror}): check that it is there, and its rights."
        ) from cause


def _files(path: Path) -> Iterator[Path]:
    """The files that make up an image: itself, a series' slices, or a header and what it names."""
    if path.is_dir():
        yield from sorted(entry for entry in path.iterdir() if entry.is_file())
        return
    yield path
    if path.name.lower().endswith(_DETACHED) and path.is_file():
        for line in path.read_text(encoding="latin-1").splitlines():
            named = path.parent / line.replace("=", ":").rpartition(":")[2].strip()
            if named != path.parent and _is_file(named):
                yield named


def _is_file(path: Path) -> bool:
    """Not every line of a header is a name that a disk could have."""
    try:
        return path.is_file()
    except OSError:
        return False
