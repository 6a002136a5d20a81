"""For whom is each method of a comparison wrong? `subgroups.md`, `subgroups.csv` and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from disanat.errors import DatasetError
from disanat.evaluation.participants import Participants
from disanat.evaluation.subgroups import Subgroups, find_subgroups
from disanat.experiments.results import SetResult
from disanat.experiments.sets import LabelledSet
from disanat.home import atomic_path
from disanat.reporting.subgroup_figure import subgroup_figure
from disanat.reporting.subgroup_page import (
    HOW_TO_READ,
    PAGE,
    TABLE,
    subgroup_rows,
    subgroup_sections,
    write_subgroup_table,
)

__all__ = ["tables_of_sets", "write_compared_subgroups"]


def tables_of_sets(
    tables: Sequence[Participants], sets: Sequence[LabelledSet]
) -> dict[str, Participants]:
    """The table of each set, by the set's name; a single one is for all sets that it has rows of.

    Raises:
        DatasetError: there are more tables than one but not one for each set, or a table has no
            row of any case.
    """
    if len(tables) not in (1, len(sets)):
        raise DatasetError(
            f"--participants names {len(tables)} tables for {len(sets)} sets: give one for all, "
            "or one for each, in their order."
        )
    each = list(tables) * len(sets) if len(tables) == 1 else tables
    found = {
        one.name: table
        for one, table in zip(sets, each)
        if any(table.of(case.name) is not None for case in one.cases())
    }
    for table in tables:
        if not any(other is table for other in found.values()):
            raise DatasetError(
                f"{table.path} has no row of any case: its participant_id must be a case's name, "
                "with or without sub-."
            )
    return found


def write_compared_subgroups(
    sets: Sequence[SetResult], tables: Mapping[str, Participants], folder: Path
) -> None:
    """Write the page, the table and a picture of each set and method into a folder.

    Args:
        sets: with their results; as in the comparison, the cases that all methods predicted count.
        tables: by the set's name; a set without one has its lesions shown alone.
        folder: of the comparison.
    """
    lines = ["# For whom is each method wrong?", ""]
    lines += ["Over the cases that all methods predicted.", ""]
    rows: list[dict[str, object]] = []
    for one in (one for one in sets if one.common):
        lines += [f"## {one.one.name}", ""]
        table = tables.get(one.one.name)
        if table is not None and not any(table.of(case) for case in one.common):
            table = None  # it has rows of cases alone that a method failed to predict
        for method in one.found:
            found = find_subgroups(one.results(method), table)
            head = {"set": one.one.name, "method": method}
            rows += [head | row for row in subgroup_rows(found)]
            lines += [f"### {method}", "", *subgroup_sections(found, "####")]
            lines += _picture(found, folder, f"{one.one.name}, {method}")
    lines += ["## How to read it", "", HOW_TO_READ, ""]
    write_subgroup_table(rows, folder / TABLE)
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _picture(found: Subgroups, folder: Path, title: str) -> list[str]:
    name = f"{title.replace(', ', '_')}_subgroups.png"
    return [f"![{title}]({name})", ""] if subgroup_figure(found, folder / name, title) else []
