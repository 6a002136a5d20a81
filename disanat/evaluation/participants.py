"""A table of participants as BIDS has it, and the groups that its columns make of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from disanat.errors import DatasetError
from disanat.evaluation.tables import read_table

__all__ = [
    "UNKNOWN",
    "Grouping",
    "Participants",
    "check_subgroup_wishes",
    "group_column",
    "read_participants",
]

UNKNOWN = "n/a"
"""The group of those for whom a column says nothing."""
_IDENTIFIERS = ("participant_id", "case")
"""BIDS has the first; the table that disanat_convert writes has the second."""
_REMEDY = "write it as BIDS does, a row for each participant and a tab between two cells"
_MOST_GROUPS = 12
_MOST_NUMBERS = 5
"""A column of so few different numbers at most holds codes (1, 2) or kinds (1.5, 3): no ranges."""
_BIDS_CASE = re.compile(r"sub-(?P<id>[^_]+)(_.*)?|(?P<bare>[^_]+)_ses-.*")


@dataclass(frozen=True)
class Participants:
    """Rows by participant (without `sub-`), the columns to look at, and where to cut numbers."""

    path: Path
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, str]]
    cuts: Mapping[str, tuple[float, ...]]

    def of(self, case: str) -> str | None:
        """The participant that a case is of; None where the table has no such row.

        `sub-01`, `01`, `sub-01_ses-2` and `01_ses-2` are all cases of `sub-01`.
        """
        name = _bare(case)
        if name in self.rows:
            return name
        match = _BIDS_CASE.fullmatch(case)
        name = (match["id"] or match["bare"]) if match else name
        return name if name in self.rows else None


@dataclass(frozen=True)
class Grouping:
    """The groups of one column in their order; none where it was left out, and `left_out` says why.

    `of` names the group of each participant.
    """

    column: str
    groups: tuple[str, ...] = ()
    of: Mapping[str, str] | None = None
    left_out: str = ""


def read_participants(
    path: Path,
    columns: Sequence[str] = (),
    cuts: Mapping[str, Sequence[float]] | None = None,
) -> Participants:
    """Read `participants.tsv`; a table whose name ends in .csv has commas between its cells.

    Args:
        path: the table, with a column `participant_id` (or `case`).
        columns: those to look at; none takes all.
        cuts: for columns of numbers, where a new group begins; others are cut into terciles.

    Raises:
        DatasetError: the table is not there or damaged, has two rows of one participant, or lacks
            a column; a cut is no number, or is in a column of texts.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is not there: check the path given with --participants.")
    delimiter = "," if path.suffix.lower() == ".csv" else "\t"
    table = read_table(path, (), _REMEDY, delimiter)
    if not table:
        raise DatasetError(f"{path} has no participant in it: {_REMEDY}.")
    headings = tuple(table[0])
    identifier = next((name for name in _IDENTIFIERS if name in headings), None)
    if identifier is None:
        raise DatasetError(f"{path} has no column participant_id: {_REMEDY}.")
    rows: dict[str, dict[str, str]] = {}
    for row in table:
        name = _bare(row[identifier].strip())
        if not name:
            raise DatasetError(f"{path} has a row without {identifier}: name it or take it out.")
        if name in rows:
            raise DatasetError(f"{path} has two rows of participant {name}: keep one of them.")
        rows[name] = {key: cell.strip() for key, cell in row.items() if key != identifier}
    there = tuple(name for name in headings if name != identifier)
    chosen = tuple(dict.fromkeys(columns)) or there
    made = {name: tuple(float(value) for value in values) for name, values in (cuts or {}).items()}
    for name, flag in [*((c, "--columns") for c in chosen), *((c, "--cut") for c in made)]:
        if name not in there:
            raise DatasetError(
                f"{path} has no column {name}: give {flag} one of {', '.join(there) or 'none'}."
            )
    for name, values in made.items():
        _check_cuts(path, name, values, [row[name] for row in rows.values()])
    chosen += tuple(name for name in made if name not in chosen)
    return Participants(path, chosen, rows, made)


def _check_cuts(path: Path, column: str, cuts: Sequence[float], cells: Sequence[str]) -> None:
    rising = all(low < high for low, high in zip(cuts, cuts[1:]))
    if not cuts or not rising or not all(math.isfinite(cut) for cut in cuts):
        listed = " ".join(f"{cut:g}" for cut in cuts)
        raise DatasetError(f"--cut {column} {listed} does not rise: give numbers in their order.")
    known = [cell for cell in cells if _known(cell)]
    text = next((cell for cell in known if _number(cell) is None), None)
    if text is not None:
        raise DatasetError(
            f"{path} has a {column} that is not a number ({text[:40]!r}): leave --cut {column} out."
        )


def check_subgroup_wishes(
    table: bool, columns: Sequence[str], cuts: Mapping[str, Sequence[float]] | None
) -> None:
    """Refuse columns and cuts where there is no table that could have them.

    Raises:
        DatasetError: there are some.
    """
    if not table and (columns or cuts):
        raise DatasetError("--columns and --cut need a table: give it with --participants.")


def group_column(participants: Participants, column: str, names: Sequence[str]) -> Grouping:
    """Put participants into the groups of one column.

    Numbers are cut where the user says, else into terciles of these participants; up to five
    different numbers, and texts, are groups themselves.

    Args:
        participants: the table.
        column: one of its columns.
        names: participants that have a row.
    """
    cells = {name: participants.rows[name][column] for name in names}
    known = {name: cell for name, cell in cells.items() if _known(cell)}
    numbers = {name: n for name, cell in known.items() if (n := _number(cell)) is not None}
    cuts = participants.cuts.get(column)
    if known and len(numbers) == len(known):
        if cuts is None and len(set(numbers.values())) > _MOST_NUMBERS:
            cuts = _terciles(list(numbers.values()))
        if cuts:
            labels = _ranges(cuts)
            places = {name: int(np.searchsorted(cuts, n, "right")) for name, n in numbers.items()}
            of = {name: labels[place] for name, place in places.items()}
        else:
            labels = tuple(f"{n:g}" for n in sorted(set(numbers.values())))
            of = {name: f"{n:g}" for name, n in numbers.items()}
    else:
        labels, of = tuple(sorted(set(known.values()))), dict(known)
    there = set(of.values())
    groups = tuple(label for label in labels if label in there)
    if len(groups) < 2:
        said = f"all are {groups[0]}" if groups else "nothing is known"
        return Grouping(column, left_out=f"{said}: there is nothing to compare")
    if len(groups) > _MOST_GROUPS:
        return Grouping(column, left_out=f"{len(groups)} different values are no groups")
    unknown = {name: UNKNOWN for name in cells if name not in of}
    return Grouping(column, (*groups, *([UNKNOWN] if unknown else [])), of | unknown)


def _bare(name: str) -> str:
    return name.removeprefix("sub-")


def _known(cell: str) -> bool:
    return cell not in ("", UNKNOWN)


def _number(cell: str) -> float | None:
    """A finite number; `89+`, as ages are written to hide who is very old, is 89."""
    try:
        value = float(cell.removesuffix("+"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _terciles(values: Sequence[float]) -> tuple[float, ...]:
    """Cuts that leave a third on each side, with no more digits than the range needs."""
    low, high = min(values), max(values)
    digits = 2 - math.floor(math.log10(high - low))
    return tuple(sorted({round(float(c), digits) for c in np.quantile(values, (1 / 3, 2 / 3))}))


def _ranges(cuts: Sequence[float]) -> tuple[str, ...]:
    texts = [f"{cut:.10g}" for cut in cuts]
    between = [f"{low} to <{high}" for low, high in zip(texts, texts[1:])]
    return (f"<{texts[0]}", *between, f">={texts[-1]}")
