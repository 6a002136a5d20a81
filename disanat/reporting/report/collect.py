"""What a folder of predictions says of its cases: the tables, the record, the lesions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError
from disanat.evaluation.tables import read_number, read_table
from disanat.home import read_json
from disanat.inference.layout import Channel
from disanat.inference.lesions import FoundLesion
from disanat.inference.records import LESIONS, TABLE, CaseRow

__all__ = ["Folder", "ReportCase", "check_channels", "chosen_channels", "collect"]

_REMEDY = "predict the cases again with disanat_predict"
_TEXTS = ("case", "status", "channels", "contrasts", "flags", "channel_names", "registration",
          "message")  # fmt: skip


@dataclass(frozen=True)
class ReportCase:
    """One case of the report.

    `lesions` are those of the table, largest first; None where an earlier disanat wrote no table.
    """

    row: CaseRow
    lesions: tuple[FoundLesion, ...] | None

    @property
    def name(self) -> str:
        return self.row.case

    @property
    def ok(self) -> bool:
        return self.row.status != "failed"

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(flag for flag in self.row.flags.split(";") if flag)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All that were there; one of which nothing is known where an earlier disanat kept none."""
        return self.row.seen or (Channel(0),)


@dataclass(frozen=True)
class Folder:
    """A folder of predictions. `facts` is its prediction.json, empty where there is none."""

    path: Path
    facts: Mapping[str, Any]
    cases: tuple[ReportCase, ...]

    @property
    def threshold(self) -> float:
        """Of the lesion masks; 0 where it is not known."""
        stored = self.facts.get("threshold")
        return float(stored) if isinstance(stored, int | float) else 0.0

    def text(self, key: str) -> str:
        """A fact as text; empty where it is not known."""
        value = self.facts.get(key)
        return "" if value is None else str(value)


def collect(folder: Path) -> Folder:
    """Read what `disanat_predict` wrote beside the images.

    Raises:
        DatasetError: there are no predictions, or a table is damaged.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder: check the path given with -i.")
    table = folder / TABLE
    if not table.is_file():
        raise DatasetError(
            f"{folder} holds no predictions (no {TABLE}): run disanat_predict with -o {folder} "
            "first."
        )
    rows = [_row(table, texts) for texts in read_table(table, ("case", "status"), _REMEDY)]
    if not rows:
        raise DatasetError(f"{table} has no case in it: {_REMEDY}.")
    if len({row.case for row in rows}) < len(rows):
        raise DatasetError(f"{table} has two rows of one case: {_REMEDY}.")
    lesions = _lesions(folder / LESIONS)
    cases = [
        ReportCase(row, None if lesions is None else tuple(lesions.get(row.case, ())))
        for row in rows
    ]
    return Folder(folder, _facts(folder / "prediction.json"), tuple(cases))


def chosen_channels(case: ReportCase, wanted: Sequence[str]) -> list[Channel]:
    """The channels of a case that are to be shown, in the order asked for; its first one where
    nothing is asked for, or where it has none of these.

    Args:
        case: that was predicted.
        wanted: numbers, or names in any case; or `all`.
    """
    if "all" in wanted:
        return list(case.channels)
    found = [one for word in wanted for one in case.channels if _is_called(one, word)]
    return list(dict.fromkeys(found)) or [case.channels[0]]


def check_channels(folder: Folder, wanted: Sequence[str]) -> None:
    """Raises:
    DatasetError: no case has one of the channels.
    """
    there = {one for case in folder.cases if case.ok for one in case.channels}
    for word in wanted:
        if word != "all" and not any(_is_called(one, word) for one in there):
            known = sorted({str(one.number) for one in there}) + sorted(
                {one.name for one in there if one.name}
            )
            raise DatasetError(
                f"No case of {folder.path} has a channel {word}: give some of {', '.join(known)}, "
                "or all, with --channels."
            )


def _is_called(channel: Channel, word: str) -> bool:
    named = channel.name.casefold() == word.casefold() != ""
    return named or (word.isdecimal() and int(word) == channel.number)


def _facts(source: Path) -> dict[str, Any]:
    if not source.is_file():
        return {}
    facts = read_json(source, DatasetError, _REMEDY)
    if not isinstance(facts, dict):
        raise DatasetError(f"{source} is no JSON object: {_REMEDY}.")
    return facts


def _row(table: Path, texts: Mapping[str, str]) -> CaseRow:
    names = [field.name for field in fields(CaseRow)]
    words = {name: texts.get(name, "") for name in names if name in _TEXTS}
    numbers = {
        name: _number(table, name, texts.get(name, "")) for name in names if name not in _TEXTS
    }
    return CaseRow(**words, **numbers)  # type: ignore[arg-type]


def _number(table: Path, column: str, text: str) -> float | None:
    return read_number(table, column, text, _REMEDY) if text else None


def _lesions(table: Path) -> dict[str, list[FoundLesion]] | None:
    """Lesions by case; None without a table."""
    if not table.is_file():
        return None
    columns = [field.name for field in fields(FoundLesion)]
    found: dict[str, list[FoundLesion]] = {}
    for texts in read_table(table, ("case", *columns), _REMEDY):
        values = {name: _number(table, name, texts[name]) for name in columns if name != "region"}
        if None in values.values():
            raise DatasetError(f"{table} has an empty cell of case {texts['case']}: {_REMEDY}.")
        number = int(values.pop("number") or 0)
        lesion = FoundLesion(number=number, region=texts["region"], **values)  # type: ignore[arg-type]
        found.setdefault(texts["case"], []).append(lesion)
    return found
