"""What images and files are made of, byte for byte: the same content has the same digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from disanat.errors import ImageError

__all__ = ["file_digest", "image_digest", "image_files"]

_DETACHED = (".mhd", ".nhdr")
_BLOCK = 1 << 20


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes.

    Raises:
        ImageError: it cannot be read.
    """
    found = hashlib.sha256()
    try:
        with open(path, "rb") as handle:
            while block := handle.read(_BLOCK):
                found.update(block)
    except OSError as cause:
        raise ImageError(
            f"{path} cannot be read ({cause.strerror}): check that it is there, and its rights."
        ) from cause
    return found.hexdigest()


def image_digest(path: Path) -> str:
    """SHA-256 (hex) of all files that make up an image; their names are not part of it.

    Raises:
        ImageError: one cannot be read.
    """
    digests = [file_digest(file) for file in image_files(path)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def image_files(path: Path) -> Iterator[Path]:
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
