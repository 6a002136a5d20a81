"""Carrying out a conversion: one process at a time, in one piece, and only what has changed."""

from __future__ import annotations

import csv
import logging
import os
import shutil
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dataset_conversion.conversion import Conversion, prepare
from dataset_conversion.converter import Converter, Subject
from dataset_conversion.placing import RECORDS, Place
from disanat.errors import DatasetError
from disanat.home import BOOKS, Home, atomic_path, read_json, remove_temporaries, write_json
from disanat.locks import hold

__all__ = ["convert", "write_conversion"]

_log = logging.getLogger(__name__)
_DECLARATION = "dataset.json"
_PARTICIPANTS = "participants.csv"


def convert(
    converter: Converter,
    source: Path,
    home: Home,
    dataset_id: int | None = None,
    link: bool = False,
    channels: Sequence[str] = (),
    **options: Any,
) -> Path:
    """Write the dataset of a set; returns its folder. What `disanat_convert` does.

    Args:
        converter: of the set, as its module declares it.
        source: the set's folder.
        home: holds the datasets.
        dataset_id: the dataset's number; None takes the converter's usual one.
        link: link the scans instead of copying them.
        channels: contrasts wanted; none takes the usual ones.
        options: the converter's own.

    Raises:
        DatasetError: nothing is found, something is ambiguous or on another grid, or the number is
            taken.
        ImageError: a file cannot be read.
        BusyError: another process writes there.
    """
    if converter.write is not None:
        number = converter.number if dataset_id is None else dataset_id
        return converter.write(source, home, number, link)
    return write_conversion(prepare(converter, source, home, dataset_id, channels, options), link)


def write_conversion(conversion: Conversion, link: bool = False) -> Path:
    """Write all cases and, last of all, `dataset.json`; returns the dataset's folder.

    Cases that are there from the same sources stay as they are; cases that an earlier conversion
    wrote and this one would not are removed. Files that no conversion wrote are never touched.
    """
    folder = conversion.folder
    _require_own(conversion)
    with hold(folder, "converting"):
        try:
            _write(conversion, Place(folder, conversion.split, conversion.channels, link))
        except BaseException:
            _remove_if_empty(folder)
            raise
    _log.info("%s: %d cases", folder, len(conversion.subjects))
    return folder


def _write(conversion: Conversion, place: Place) -> None:
    """What `write_conversion` does while it holds the folder."""
    folder = conversion.folder
    for part in folder.iterdir():
        if part.is_dir():
            remove_temporaries(part)
    todo = [s for s in conversion.subjects if not place.up_to_date(s)]
    stale = sorted(set(place.recorded()) - {s.name for s in conversion.subjects})
    if todo or stale:
        _set_aside(folder)
    for name in stale:
        place.forget(name)
    there = len(conversion.subjects) - len(todo)
    if there:
        _log.info("%s: %d cases are there already.", folder, there)
    for subject in tqdm(todo, desc=folder.name, unit="case", disable=not todo):
        place.write(subject)
    _write_participants(folder, conversion.subjects)
    _declare(conversion)


def _remove_if_empty(folder: Path) -> None:
    """A conversion that was refused at its first case does not keep the number for itself."""
    entries = [path for path in folder.rglob("*") if BOOKS not in path.parts]
    records = folder / RECORDS
    if not entries and not (records.is_dir() and any(records.iterdir())):
        shutil.rmtree(folder, ignore_errors=True)


def _require_own(conversion: Conversion) -> None:
    """A dataset that no conversion of this set wrote is not written into."""
    folder = conversion.folder
    declaration = folder / _DECLARATION
    if not declaration.exists() or (folder / RECORDS).is_dir():
        return
    declared = read_json(declaration, DatasetError, "remove the dataset, or repair it")
    if declared.get("source") != conversion.declaration["source"]:
        raise DatasetError(
            f"{folder} is there already, and was not written from this set: give another number "
            "with -d, or remove it."
        )


def _set_aside(folder: Path) -> None:
    """While cases are written there is no dataset.json: the dataset is not whole."""
    (folder / BOOKS).mkdir(parents=True, exist_ok=True)
    if (folder / _DECLARATION).is_file():
        os.replace(folder / _DECLARATION, folder / BOOKS / _DECLARATION)


def _declare(conversion: Conversion) -> None:
    """Write dataset.json, with what was declared of label maps that were added to the dataset."""
    folder = conversion.folder
    declared = dict(conversion.declaration)
    aside = folder / BOOKS / _DECLARATION
    for former in (folder / _DECLARATION, aside):
        if former.is_file() and (folder / "labelmapsTr").is_dir():
            data = read_json(former, DatasetError, "convert the label maps again")
            declared |= {key: data[key] for key in ("label_maps",) if key in data}
            break
    write_json(declared, folder / _DECLARATION)
    aside.unlink(missing_ok=True)


def _write_participants(folder: Path, subjects: Sequence[Subject]) -> None:
    columns = sorted({column for s in subjects for column in s.facts})
    if not columns:
        return
    lines = StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["case", *columns])
    for subject in subjects:
        writer.writerow([subject.name, *(subject.facts.get(c, "") for c in columns)])
    with atomic_path(folder / _PARTICIPANTS) as temporary:
        temporary.write_text(lines.getvalue(), encoding="utf-8")
