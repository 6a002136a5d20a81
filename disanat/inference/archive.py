"""A model as one file: written with a manifest, and looked through before anything is unpacked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from disanat.errors import ModelError
from disanat.home import atomic_path, write_json
from disanat.inference.card import model_card, version
from disanat.inference.export import export_model
from disanat.inference.model import DESCRIPTION, SHARED, load_model
from disanat.io.content import file_digest

__all__ = ["CARD", "MANIFEST", "Manifest", "read_archive", "write_archive"]

MANIFEST = "manifest.json"
CARD = "card.md"
_SCHEMA = 1
_NEEDED = (DESCRIPTION, CARD)
_ALLOWED = (*_NEEDED, SHARED)
_MOST_BYTES = 4 * 10**9
_MOST_TEXT_BYTES = 50 * 10**6
_MOST_RATIO = 1000.0
_BLOCK = 1 << 20
_REMEDY = "ask whoever made it for another copy"


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself; `files` are names -> size in bytes and SHA-256 (hex)."""

    made_by: str
    made_at: str
    disanat: str
    files: Mapping[str, tuple[int, str]]


def write_archive(model: Path, target: Path, author: str = "unknown") -> Manifest:
    """Write a finished model of one fold as one file, without the names of its training cases.

    Args:
        model: the model's folder.
        target: the archive, ending in .zip.
        author: who makes it, for those who get it.

    Raises:
        ModelError: the model cannot be exported; see `export_model`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export_model(model, folder, _MOST_BYTES / 1e6)
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        made_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        (folder / CARD).write_text(model_card(described, author, made_at), encoding="utf-8")
        names = [name for name in _ALLOWED if (folder / name).exists()]
        files = {n: ((folder / n).stat().st_size, file_digest(folder / n)) for n in names}
        manifest = Manifest(author, made_at, version(), files)
        with atomic_path(target) as part, zipfile.ZipFile(part, "w") as archive:
            archive.writestr(MANIFEST, json.dumps(_as_json(manifest), indent=2))
            for name in names:
                archive.write(folder / name, name, zipfile.ZIP_DEFLATED)
    return manifest


def read_archive(source: Path, target: Path, overwrite: bool = False) -> Manifest:
    """Unpack a model into a folder, once everything about the archive has been found in order.

    Nothing is written where the archive is not just what `write_archive` makes: plain files of
    known names, sizes and checksums as its manifest says. The model is loaded once beside its
    place, without executing anything, and then takes it in one step.

    Args:
        source: the archive.
        target: the model's folder.
        overwrite: replace a model that is there.

    Raises:
        ModelError: the archive is damaged, or not to be trusted, or the folder exists.
    """
    if target.exists() and not overwrite:
        raise ModelError(f"{target} exists already: give another --name, or --overwrite.")
    if not source.is_file():
        raise ModelError(f"{source} does not exist: give the file that disanat_export_model made.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import", dir=target.parent) as temporary:
        folder = Path(temporary) / "model"
        try:
            with zipfile.ZipFile(source) as archive:
                _check_entries(archive.infolist(), source)
                manifest = _manifest(archive, source)
                folder.mkdir()
                for name, (size, digest) in manifest.files.items():
                    _unpack(archive, name, size, digest, folder / name, source)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as cause:
            raise _damaged(source, f"{type(cause).__name__}: {cause}") from cause
        except Exception as cause:
            if isinstance(cause, ModelError):
                raise
            raise _damaged(source, type(cause).__name__) from cause  # zlib, struct and others
        try:
            load_model(folder)
        except ModelError as cause:
            reason = str(cause).replace(f"{folder}/", "").rpartition(": ")[0]
            raise ModelError(
                f"{source} holds a model that does not load ({reason}): {_REMEDY}."
            ) from cause
        _keep_manifest(manifest, folder)
        _move(folder, target, Path(temporary))
    return manifest


def _check_entries(entries: list[zipfile.ZipInfo], source: Path) -> None:
    """Only plain files of known names, each once, not too large."""
    names = [entry.filename for entry in entries]
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.filename not in (MANIFEST, *_ALLOWED) or names.count(entry.filename) > 1:
            raise _untrusted(source, f"it holds {entry.filename!r}, which no model has")
        if kind not in (0, stat.S_IFREG) or entry.flag_bits & 1:
            raise _untrusted(source, f"{entry.filename} is a link, or encrypted")
        limit = _MOST_BYTES if entry.filename == SHARED else _MOST_TEXT_BYTES
        ratio = entry.file_size / max(1, entry.compress_size)
        if entry.file_size > limit or ratio > _MOST_RATIO:
            raise _untrusted(source, f"{entry.filename} would unpack to {entry.file_size} bytes")
    missing = [name for name in (MANIFEST, *_NEEDED) if name not in names]
    if missing:
        raise ModelError(f"{source} is no disanat model (it lacks {missing[0]}): {_REMEDY}.")


def _manifest(archive: zipfile.ZipFile, source: Path) -> Manifest:
    """The manifest, which names just the other files.

    Raises:
        ModelError: it does not, or is of another version.
    """
    with archive.open(MANIFEST) as handle:
        data = json.loads(handle.read(_MOST_TEXT_BYTES))
    try:
        if data["schema_version"] != _SCHEMA:
            raise ModelError(
                f"{source} was written by another disanat ({data.get('disanat')}): install that "
                "version, or ask for an archive of this one."
            )
        files = {str(n): (int(f["bytes"]), str(f["sha256"])) for n, f in data["files"].items()}
        made = Manifest(str(data["made_by"]), str(data["made_at"]), str(data["disanat"]), files)
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise _damaged(source, f"{MANIFEST}: {cause!r}") from cause
    if {*files, MANIFEST} != set(archive.namelist()):
        raise _untrusted(source, "its manifest names other files than it holds")
    return made


def _unpack(
    archive: zipfile.ZipFile, name: str, size: int, digest: str, target: Path, source: Path
) -> None:
    """Write one file, no more than the manifest says, and check it; headers are not believed."""
    found, written = hashlib.sha256(), 0
    with archive.open(name) as packed, open(target, "xb") as handle:
        while block := packed.read(_BLOCK):
            written += len(block)
            if written > size:
                raise _untrusted(source, f"{name} is larger than its manifest says")
            found.update(block)
            handle.write(block)
        handle.flush()
        os.fsync(handle.fileno())
    if written != size or found.hexdigest() != digest:
        raise _damaged(source, f"the checksum of {name} does not fit")


def _keep_manifest(manifest: Manifest, folder: Path) -> None:
    """So that it can be said later who made the model."""
    write_json(_as_json(manifest), folder / MANIFEST)


def _move(folder: Path, target: Path, aside: Path) -> None:
    """Put the model in its place; what was there goes only when the new one is complete."""
    if target.exists():
        os.replace(target, aside / "former")
    os.replace(folder, target)
    shutil.rmtree(aside / "former", ignore_errors=True)


def _as_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "schema_version": _SCHEMA,
        "disanat": manifest.disanat,
        "made_by": manifest.made_by,
        "made_at": manifest.made_at,
        "files": {n: {"bytes": b, "sha256": d} for n, (b, d) in manifest.files.items()},
    }


def _damaged(source: Path, how: str) -> ModelError:
    return ModelError(f"{source} is damaged ({' '.join(how.split())[:120]}): {_REMEDY}.")


def _untrusted(source: Path, why: str) -> ModelError:
    return ModelError(f"{source} is not to be trusted ({why}): {_REMEDY}.")
