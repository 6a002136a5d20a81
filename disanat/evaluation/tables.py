"""Reading tables that a command wrote and a user may have opened since."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from disanat.errors import DatasetError

__all__ = ["read_number", "read_table"]


def read_table(table: Path, columns: Sequence[str], remedy: str) -> list[dict[str, str]]:
    """The rows of a CSV file, each with the text of these columns.

    Args:
        table: the file, with a row of headings.
        columns: those that must be there.
        remedy: what to do about a damaged file, without a full stop.

    Raises:
        DatasetError: the file cannot be read, lacks a column, or has rows of another length.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            rows, headings = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DatasetError(f"{table} cannot be read as a table ({cause}): {remedy}.") from cause
    absent = [name for name in columns if list(headings).count(name) != 1]
    if absent:
        raise DatasetError(f"{table} does not have just one column {absent[0]}: {remedy}.")
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
