"""A model as one file: weights, description, card and a manifest of hashes in a zip archive.

An archive comes from somebody else. Nothing of it is written before all of it was read, bounded in
size and compared with its hashes; it takes its place only after it was loaded once.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import disanat
from disanat.errors import ModelError
from disanat.home import atomic_path
from disanat.inference.bundled import is_bundled
from disanat.inference.export import export_model, texts_in
from disanat.inference.manifest import MANIFEST, UNKNOWN, FileEntry, Manifest, parse_manifest
from disanat.inference.model import (
    DESCRIPTION,
    SHARED_WEIGHTS,
    check_sizes,
    load_model,
    read_weights,
)
from disanat.inference.model_card import CARD, card_beside, write_card

__all__ = ["MOST_ARCHIVE_MB", "known_author", "read_archive", "write_archive"]

MOST_ARCHIVE_MB = 1000.0
"""What all files of an archive together may have, in units of 10^6 bytes."""
_MOST = {MANIFEST: 100_000, CARD: 1_000_000, DESCRIPTION: 10_000_000}
"""Bytes of a single file; weights may take all that is left."""
_NEEDED, _ALLOWED = {MANIFEST, CARD, DESCRIPTION}, {MANIFEST, CARD, DESCRIPTION, SHARED_WEIGHTS}
_MOST_RATIO = 200
"""Of unpacked to packed size; text is packed to a tenth, a bomb to a thousandth."""
_NAME = re.compile(r"\w[\w.+-]*")
_ENTRY_BYTES, _END_BYTES = 30 + 46, 22
"""Of the headers of an entry without its name, and of the end (PKWARE's APPNOTE 4.3)."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REMEDY = "get the archive again, from somebody you trust"


def write_archive(
    folder: Path, target: Path, author: str | None = None, overwrite: bool = False
) -> Manifest:
    """Write a finished model of one fold as one file, without the names of its cases.

    Args:
        folder: the model's.
        target: the file to write.
        author: who made the model; what it says itself by default, or `unknown`.
        overwrite: whether the target may be there.

    Raises:
        ModelError: there is no finished model of a single fold, it is too large or names cases
            where it need not, or the target is there.
    """
    if target.is_dir() or (target.exists() and not overwrite):
        raise ModelError(f"{target} is there already: give another file, or --overwrite.")
    made_by = author or known_author(folder) or UNKNOWN
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".tmp.") as made:
        exported = Path(made)
        export_model(folder, exported, MOST_ARCHIVE_MB)
        content = {path.name: path.read_bytes() for path in sorted(exported.iterdir())}
    today = datetime.now(timezone.utc).isoformat(timespec="seconds")
    card = card_beside(folder) or write_card(json.loads(content[DESCRIPTION]), made_by)
    content[CARD] = card.encode()
    files = {name: FileEntry.of(data) for name, data in content.items()}
    try:
        manifest = Manifest(made_by, disanat.__version__, today, files)
    except ValueError as cause:
        raise ModelError(f"--author cannot be taken ({cause}): give a short name.") from cause
    _pack({MANIFEST: manifest.to_json().encode(), **content}, target)
    return manifest


def known_author(folder: Path) -> str:
    """Who made a model by what lies beside it; empty where nothing says so.

    Raises:
        ModelError: what lies beside it is damaged.
    """
    if is_bundled(folder):
        return "disanat"
    source = folder / MANIFEST
    return parse_manifest(source.read_bytes(), source, _REMEDY).author if source.exists() else ""


def _pack(content: Mapping[str, bytes], target: Path) -> None:
    """The same content gives the same bytes."""
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def read_archive(source: Path, target: Path, overwrite: bool = False) -> Manifest:
    """Put the model of an archive into a folder of its own.

    Args:
        source: the archive.
        target: the folder to be made.
        overwrite: whether to put it in the place of a folder that is there.

    Returns:
        What the archive says about itself.

    Raises:
        ModelError: the archive is damaged, holds what does not belong in one, or no model that can
            be loaded; or the target is there, or is no model's folder.
    """
    if target.exists() and not overwrite:
        raise ModelError(f"{target} is there already: give another name, or --overwrite.")
    if target.exists() and not (target / DESCRIPTION).exists():
        raise ModelError(f"{target} is not the folder of a model: give another name.")
    content = _unpack(source)
    manifest = _checked(source, content)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".tmp.") as near:
        made = Path(near) / target.name
        made.mkdir()
        for name, data in content.items():
            with atomic_path(made / name) as temporary:
                temporary.write_bytes(data)
        _try_out(made, source)
        _take_place(made, target, Path(near) / ".before")
    return manifest


def _refused(source: Path, why: str) -> ModelError:
    return ModelError(f"{source} {why}: {_REMEDY}.")


def _unpack(source: Path) -> dict[str, bytes]:
    """The content of each file of an archive that holds nothing else, in memory."""
    if not source.is_file():
        raise ModelError(f"{source} is no file: give an archive that disanat_export_model wrote.")
    most = MOST_ARCHIVE_MB * 1e6
    if source.stat().st_size > most:
        raise _refused(source, f"has more than {MOST_ARCHIVE_MB:g} MB")
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            _check_entries(source, entries)
            if _length(entries) != source.stat().st_size:
                raise _refused(source, "holds bytes that belong to none of its files")
            return {entry.filename: _read(archive, entry) for entry in entries}
    except ModelError:
        raise
    except Exception as cause:  # damaged bytes make the reader fail in every way there is
        raise _refused(source, f"is no whole zip archive ({type(cause).__name__})") from cause


def _length(entries: list[zipfile.ZipInfo]) -> int:
    """Bytes of an archive of just these entries, as `write_archive` lays them out."""
    names = sum(len(entry.orig_filename.encode()) for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    return _ENTRY_BYTES * len(entries) + 2 * names + packed + _END_BYTES


def _check_entries(source: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.orig_filename for entry in entries]
    foreign = next((name for name in names if name not in _ALLOWED), None)
    if foreign is not None:
        raise _refused(source, f"holds {foreign[:80]!r}, which is no part of a model")
    if len(set(names)) < len(names):
        raise _refused(source, "holds a file twice")
    if lacking := _NEEDED - set(names):
        raise _refused(source, f"lacks {', '.join(sorted(lacking))}")
    for entry in entries:
        _check_entry(source, entry)
    if sum(entry.file_size for entry in entries) > MOST_ARCHIVE_MB * 1e6:
        raise _refused(source, f"unpacks to more than {MOST_ARCHIVE_MB:g} MB")


def _check_entry(source: Path, entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.external_attr & 0x10:
        raise _refused(source, f"holds {entry.filename} as something other than a plain file")
    if entry.flag_bits & 0x41:
        raise _refused(source, f"holds {entry.filename} encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(source, f"holds {entry.filename} packed in an unusual way")
    if entry.file_size > _MOST.get(entry.filename, MOST_ARCHIVE_MB * 1e6):
        raise _refused(source, f"holds {entry.filename} with {entry.file_size:,} bytes")
    if entry.file_size > _MOST_RATIO * max(entry.compress_size, 1):
        raise _refused(source, f"unpacks {entry.filename} to over {_MOST_RATIO} times its size")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One file, never more of it than the archive's list of files has owned up to."""
    with archive.open(entry) as handle:
        data = handle.read(entry.file_size)
        if len(data) != entry.file_size or handle.read(1):
            raise zipfile.BadZipFile(entry.filename)
    return data


def _checked(source: Path, content: Mapping[str, bytes]) -> Manifest:
    """The manifest, where it fits the other files, and these are a single model's."""
    manifest = parse_manifest(content[MANIFEST], f"{MANIFEST} in {source}", _REMEDY)
    listed, there = set(manifest.files), set(content) - {MANIFEST}
    if listed != there:
        odd = ", ".join(repr(name[:80]) for name in sorted(listed ^ there))
        raise _refused(source, f"and its {MANIFEST} do not hold the same files ({odd})")
    for name in sorted(there):
        if manifest.files[name] != FileEntry.of(content[name]):
            raise _refused(source, f"holds {name} other than its {MANIFEST} says")
    try:
        _check_description(json.loads(content[DESCRIPTION]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise _refused(source, f"holds a damaged {DESCRIPTION} ({str(cause)[:80]})") from cause
    return manifest


def _check_description(data: Any) -> None:
    """What it says is printed, and makes part of paths: plain names, no control characters."""
    if data.get("members"):
        raise ValueError("an ensemble")
    for name in (data["plans"]["dataset"], data["configuration"]["name"], data["method"]):
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"the name {name[:40]!r}")
    for text in texts_in(data):
        if not text.replace("\n", " ").isprintable():
            raise ValueError(f"the text {text[:40]!r}")


def _try_out(folder: Path, source: Path) -> None:
    """Load the model once.

    Raises:
        ModelError: that cannot be done, whatever the reason.
    """
    try:
        check_sizes(folder)
        load_model(folder)
        weights = read_weights(folder) if (folder / SHARED_WEIGHTS).exists() else {}
        if not all(tensor.isfinite().all() for tensor in weights.values()):
            raise ModelError("some weights are no numbers")
    except Exception as cause:  # a description from others can make a network fail in any way
        said = str(cause).replace(f"{folder}{os.sep}", "").replace(str(folder), "it")
        if isinstance(cause, ModelError):
            said = said.rpartition(": ")[0] or said  # its remedy is not that of an archive
        raise _refused(source, f"holds no model that can be loaded ({said[:200]})") from cause


def _take_place(made: Path, target: Path, aside: Path) -> None:
    """Move a folder to its place by one rename; what was there goes aside, and only then away."""
    if not target.exists():
        os.rename(made, target)
        return
    os.rename(target, aside)
    try:
        os.rename(made, target)
    except BaseException:
        os.rename(aside, target)
        raise
