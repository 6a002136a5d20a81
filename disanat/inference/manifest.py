"""What an archive of a model says about itself: who made it, when, and a hash of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from disanat.errors import ModelError

__all__ = ["MANIFEST", "UNKNOWN", "FileEntry", "Manifest", "parse_manifest"]

MANIFEST = "manifest.json"
UNKNOWN = "unknown"
"""Who made a model that does not say so."""
_SCHEMA = 1
_LONGEST = 200


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and SHA-256 (hex) of one file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> FileEntry:
        """The entry that fits this content."""
        return cls(len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class Manifest:
    """Who made an archive, with what and when (ISO format), and its other files by name."""

    author: str
    disanat_version: str
    date: str
    files: Mapping[str, FileEntry]
    schema_version: int = _SCHEMA

    def __post_init__(self) -> None:
        for text in (self.author, self.disanat_version, self.date):
            if not isinstance(text, str) or not text.isprintable() or len(text) > _LONGEST:
                raise ValueError(f"{str(text)[:40]!r} is not one short line of text")

    def to_json(self) -> str:
        """As it is written."""
        return json.dumps(asdict(self), indent=2) + "\n"


def parse_manifest(content: bytes, source: object, remedy: str) -> Manifest:
    """Read what `Manifest.to_json` has written.

    Args:
        content: of the file.
        source: what messages name.
        remedy: what messages end with.

    Raises:
        ModelError: it is damaged, or of another schema version.
    """
    try:
        data = json.loads(content)
        version = data["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as cause:
        raise _damaged(source, cause, remedy) from cause
    if version != _SCHEMA:
        raise ModelError(
            f"{source} has the schema version {str(version)[:20]}, but this disanat reads "
            f"{_SCHEMA}: export the model again with the disanat that is to read it."
        )
    try:
        files = {str(name): _entry(entry) for name, entry in data["files"].items()}
        return Manifest(data["author"], data["disanat_version"], data["date"], files)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise _damaged(source, cause, remedy) from cause


def _entry(entry: Mapping[str, Any]) -> FileEntry:
    size, digest = entry["size"], entry["sha256"]
    if not isinstance(size, int) or not isinstance(digest, str):
        raise TypeError("a file without size and hash")
    return FileEntry(size, digest)


def _damaged(source: object, cause: Exception, remedy: str) -> ModelError:
    said = f"{type(cause).__name__}: {str(cause)[:80]!r}"
    return ModelError(f"{source} is damaged ({said}): {remedy}.")
