"""Reading tables that a command wrote and a user may have opened since."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from disanat.errors import DatasetError

__all__ = ["read_case_table", "read_number", "read_table"]


def read_table(
    table: Path, columns: Sequence[str], remedy: str, delimiter: str = ","
) -> list[dict[str, str]]:
    """The rows of a table, each with the text of its columns.

    Args:
        table: the file, with a row of headings.
        columns: those that must be there.
        remedy: what to do about a damaged file, without a full stop.
        delimiter: between two cells.

    Raises:
        DatasetError: the file cannot be read, lacks a column or has one twice, or its rows are of
            different lengths.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True, delimiter=delimiter)
            rows, headings = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DatasetError(f"{table} cannot be read as a table ({cause}): {remedy}.") from cause
    absent = [name for name in columns if list(headings).count(name) != 1]
    if absent:
        raise DatasetError(f"{table} does not have just one column {absent[0]}: {remedy}.")
    twice = next((name for name in headings if list(headings).count(name) > 1), None)
    if twice is not None:
        raise DatasetError(f"{table} has two columns {twice}: {remedy}.")
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise DatasetError(f"{table} has another number of cells in row {number}: {remedy}.")
    return rows


def read_number(table: Path, column: str, text: str, remedy: str) -> float:
    """The finite number that a cell holds.

    Args:
        table: the file, for the message.
        column: the cell's heading.
        text: what stands in it.
        remedy: what to do about a damaged file, without a full stop.

    Raises:
        DatasetError: it holds no finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(
            f"{table} has a {column} that is not a number ({text[:40]!r}): {remedy}."
        )
    return value


def read_case_table(table: Path) -> tuple[dict[str, float], dict[str, tuple[int, ...]]]:
    """Case scores, and the channels that each case was predicted from, where they are known.

    Args:
        table: predictions.csv; one that is not there says nothing.

    Raises:
        DatasetError: it is damaged.
    """
    if not table.is_file():
        return {}, {}
    rows = read_table(table, ("case", "case_score"), "predict the cases again")
    scores: dict[str, float] = {}
    channels: dict[str, tuple[int, ...]] = {}
    for row in rows:
        case, score = row["case"], row["case_score"]
        if case in scores:
            raise DatasetError(f"{table} has two rows of case {case}: predict the cases again.")
        if score:
            scores[case] = read_number(table, "case_score", score, "predict the cases again")
        if words := row.get("channels", "").split():
            channels[case] = tuple(int(word) for word in words if word.isdecimal())
    return scores, channels
