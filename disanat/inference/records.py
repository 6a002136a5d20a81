"""What was predicted of each case, and from what: the table, and what need not be done again."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

from disanat.errors import BusyError, DatasetError
from disanat.home import BOOKS, atomic_path, read_json, write_json
from disanat.inference.layout import Channel
from disanat.inference.lesions import FoundLesion
from disanat.io.content import file_digest
from disanat.locks import hold

__all__ = [
    "LESIONS",
    "TABLE",
    "CaseRow",
    "Record",
    "Table",
    "done_before",
    "files_of",
    "forget",
    "keep",
    "made_from",
    "scans_of",
]

log = logging.getLogger(__name__)

TABLE = "predictions.csv"
LESIONS = "lesions.csv"
_RECORDS = f"{BOOKS}/cases"
_VERSION = 5
"""To be raised whenever prediction makes something else of the same scans with the same model."""
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class CaseRow:
    """One row of `predictions.csv`."""

    case: str
    status: str
    channels: str = ""
    contrasts: str = ""
    threshold: float | None = None
    peak_threshold: float | None = None
    brain_volume_ml: float | None = None
    lesion_volume_ml: float | None = None
    case_score: float | None = None
    case_p: float | None = None
    case_p_resolution: float | None = None
    flags: str = ""
    channel_names: str = ""
    registration: str = ""
    """For each registered channel: how far it was moved, and how well that is known."""
    seconds: float | None = None
    message: str = ""

    @property
    def seen(self) -> tuple[Channel, ...]:
        """The channels, as files of results are named after them."""
        numbers, names = self.channels.split(), self.channel_names.split()
        rows = zip_longest(numbers, names, self.contrasts.split(), fillvalue="")
        return tuple(Channel(int(n), name, seen) for n, name, seen in rows if n.isdigit())


@dataclass(frozen=True)
class Record:
    """What is known of a case. `files` maps paths below the folder to their SHA-256 (hex)."""

    row: CaseRow
    lesions: tuple[FoundLesion, ...]
    files: Mapping[str, str]


def made_from(about: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of all that a prediction depends on, JSON data."""
    text = json.dumps({"version": _VERSION, **about}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def keep(
    target: Path,
    row: CaseRow,
    settings: str,
    source: str = "",
    files: Sequence[Path] = (),
    lesions: Sequence[FoundLesion] = (),
    scans: Mapping[int, str] | None = None,
) -> None:
    """Record what became of a case.

    Args:
        target: folder of the predictions.
        row: of the table.
        settings: stands for model and settings.
        source: what the case was made from; empty for one that failed.
        files: written for it.
        lesions: of its mask.
        scans: SHA-256 (hex) of what was read, by channel; names and places are not kept.
    """
    digests = {path.relative_to(target).as_posix(): file_digest(path) for path in files}
    record = {
        "schema_version": 1,
        "settings": settings,
        "made_from": source,
        "scans": {str(number): digest for number, digest in (scans or {}).items()},
        "files": digests,
        "row": asdict(row),
        "lesions": [asdict(lesion) for lesion in lesions],
    }
    write_json(record, _path(target, row.case))


def done_before(target: Path, case: str, source: str) -> CaseRow | None:
    """The row of a case that was predicted from just this and whose files are as they were."""
    record = _read(target, case)
    if not source or record.get("made_from") != source:
        return None
    for name, digest in record["files"].items():
        path = target / name
        if not path.is_file() or file_digest(path) != digest:
            return None
    return CaseRow(**record["row"])


def scans_of(target: Path, case: str) -> dict[int, str]:
    """SHA-256 (hex) of the scans that a case was predicted from, by channel; empty if unknown."""
    return dict(_read(target, case).get("scans", {}))


def files_of(target: Path, case: str) -> list[Path]:
    """What was written of a case when it was predicted last; nothing if unknown."""
    inside = [Path(name) for name in _read(target, case).get("files", {})]
    return [target / path for path in inside if not path.is_absolute() and ".." not in path.parts]


def forget(target: Path, case: str) -> None:
    """From now on the case counts as not predicted."""
    _path(target, case).unlink(missing_ok=True)


class Table:
    """`predictions.csv` of a folder, written anew with each case.

    Args:
        target: folder of the predictions.
        cases: names of all cases, in the order of the table.
        settings: stands for model and settings; rows that others made are left out.
        alone: no other process predicts other parts into the folder. Else the table is written
            once a minute and at the end, with the rows of all of them.
    """

    def __init__(self, target: Path, cases: Sequence[str], settings: str, alone: bool) -> None:
        self._target, self._cases, self._settings = target, tuple(cases), settings
        self._alone = alone
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._read_again()
        self._written = time.monotonic()

    def add(self, row: CaseRow) -> None:
        self._rows[row.case] = asdict(row)
        if self._alone or time.monotonic() - self._written > _PATIENCE_S:
            self.write()

    def write(self) -> None:
        """Write all rows that there are."""
        with self._held():
            self._write()

    def finish(self, also: Callable[[Iterator[Record]], None] | None = None) -> None:
        """Write all rows, and those of `lesions.csv`, which are not held in memory.

        Args:
            also: writes more from the records of all cases, while no other part writes.
        """
        with self._held():
            self._write()
            columns = ["case", *(f.name for f in fields(FoundLesion))]
            _write_csv(columns, self._lesions(), self._target / LESIONS)
            if also is not None:
                also(self._records())

    def _write(self) -> None:
        if not self._alone:
            self._read_again()
        rows = [self._rows[case] for case in self._cases if case in self._rows]
        _write_csv([f.name for f in fields(CaseRow)], rows, self._target / TABLE)
        self._written = time.monotonic()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Wait for those who write the rows of other parts."""
        with ExitStack() as stack:
            until = time.monotonic() + _PATIENCE_S
            while True:
                try:
                    stack.enter_context(hold(self._target, "writing the table", part="table"))
                    break
                except BusyError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.05)
            yield

    def _records(self) -> Iterator[Record]:
        for case in self._cases:
            record = _read(self._target, case)
            if record.get("settings") == self._settings:
                lesions = tuple(FoundLesion(**lesion) for lesion in record["lesions"])
                yield Record(CaseRow(**record["row"]), lesions, record["files"])

    def _lesions(self) -> Iterator[dict[str, Any]]:
        for record in self._records():
            for lesion in record.lesions:
                yield {"case": record.row.case, **asdict(lesion)}

    def _read_again(self) -> None:
        for case in self._cases:
            record = _read(self._target, case)
            if record.get("settings") == self._settings:
                self._rows[case] = record["row"]


def _write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as handle,
    ):
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        writer.writerows(rows)


def _path(target: Path, case: str) -> Path:
    return target / _RECORDS / f"{case}.json"


def _read(target: Path, case: str) -> dict[str, Any]:
    """A case's record; empty where there is none that can be understood."""
    path = _path(target, case)
    if not path.exists():
        return {}
    try:
        record = dict(read_json(path, DatasetError, "the case is predicted again"))
        CaseRow(**record["row"])
        lesions = [asdict(FoundLesion(**lesion)) for lesion in record["lesions"]]
        scans = {int(number): str(digest) for number, digest in record.get("scans", {}).items()}
        return record | {"files": dict(record["files"]), "lesions": lesions, "scans": scans}
    except (DatasetError, AttributeError, KeyError, TypeError, ValueError) as cause:
        log.debug("%s: %r", path, cause)
        return {}
