"""Subgroups and lesions as Markdown and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from disanat.evaluation.bootstrap import FEWEST_CASES, Estimate
from disanat.evaluation.contrast import SHELL_MM
from disanat.evaluation.lesion_shares import LesionCell, LesionShare
from disanat.evaluation.lesions import CONTRAST_BINS, FOUND_FRACTION, SIZE_BINS
from disanat.evaluation.permutation import FEWEST_IN_GROUP, LEVEL, GroupTest
from disanat.evaluation.subgroups import (
    SUBGROUP_MEASURES,
    Column,
    Group,
    SubgroupMeasure,
    Subgroups,
    write_subgroups,
)
from disanat.home import atomic_path
from disanat.reporting.markdown import markdown_table
from disanat.reporting.subgroup_figure import subgroup_figure

__all__ = [
    "HOW_TO_READ",
    "PAGE",
    "PICTURE",
    "TABLE",
    "SubgroupTable",
    "subgroup_rows",
    "subgroup_sections",
    "subgroup_tables",
    "subgroup_text",
    "write_subgroup_pages",
    "write_subgroup_table",
]

PAGE = "subgroups.md"
TABLE = "subgroups.csv"
PICTURE = "subgroups.png"
HOW_TO_READ = f"""AP and dice are means over participants with lesions, healthy FP over those
without; in brackets the 95% bootstrap interval (n/a below {FEWEST_CASES} participants), then how
many they are. p: chance of groups that are so far apart (by mean rank) if it did not matter who is
in which, from shuffling the participants; corrected by Holm's method for the columns tested with
the same measure. "differs": the corrected p is below {LEVEL}. "too few": no p below {LEVEL} was
possible. Groups of fewer than {FEWEST_IN_GROUP} and n/a are in no test. That no difference was
found does not show that there is none. A lesion is found if {FOUND_FRACTION:.0%} of its voxels or
more are in the mask. Its contrast: median intensity in it minus that in the brain within
{SHELL_MM:g} mm around it, in robust SDs of the brain, here without its sign; of several channels,
the one that shows it best."""
_FOUND = "Lesions found, by"
_DIGITS: dict[SubgroupMeasure, int] = {
    "average_precision": 3, "stored_dice": 3, "false_positive_ml": 2,
}  # fmt: skip


@dataclass(frozen=True)
class SubgroupTable:
    """A heading (or none), a sentence (or none), and rows with the same keys (or none)."""

    title: str
    text: str
    rows: list[dict[str, str]]


def subgroup_text(found: Subgroups) -> str:
    """The tables alone, as a command prints them."""
    return "\n".join(subgroup_sections(found, "##"))


def write_subgroup_pages(found: Subgroups, folder: Path) -> None:
    """Write `subgroups.json`, `.csv`, `.md` and, where there is anything to see, `.png`."""
    write_subgroups(found, folder)
    write_subgroup_table(subgroup_rows(found), folder / TABLE)
    parts = ["# For whom is it wrong?", "", *subgroup_sections(found, "##")]
    if subgroup_figure(found, folder / PICTURE):
        parts += [f"![Subgroups and lesions]({PICTURE})", ""]
    parts += ["## How to read it", "", HOW_TO_READ, ""]
    with atomic_path(folder / PAGE) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")


def write_subgroup_table(rows: Sequence[Mapping[str, object]], target: Path) -> None:
    """Write rows of `subgroup_rows` as CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (
        atomic_path(target) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as handle,
    ):
        writer = csv.DictWriter(handle, names or ["column"])
        writer.writeheader()
        writer.writerows(rows)


def subgroup_sections(found: Subgroups, level: str) -> list[str]:
    """The lines of the page without its title.

    Args:
        found: what to show.
        level: of the headings, such as `##`.
    """
    lines: list[str] = []
    for part in subgroup_tables(found):
        lines += [f"{level} {_plain(part.title)}", ""] if part.title else []
        rows = [{k: _bold(_plain(v)) for k, v in row.items()} for row in part.rows]
        lines += [_plain(part.text), ""] if part.text else []
        lines += [markdown_table(rows), ""] if rows else []
    return lines


def subgroup_tables(found: Subgroups) -> list[SubgroupTable]:
    """Everything that is shown, in its order."""
    measures = [m for m in SUBGROUP_MEASURES if found.everyone[m].cases]
    shown = [column for column in found.columns if column.groups]
    parts: list[SubgroupTable] = []
    if found.source:
        verdicts = [_verdicts(column, measures) for column in shown] if measures else []
        parts.append(SubgroupTable("", _about(found), verdicts))
    for column in shown:
        rows = [_cells(group, measures) for group in column.groups]
        rows += [_everyone(found, measures), _p_row(column, measures)]
        parts.append(SubgroupTable(column.name, "", rows))
    absent = [{"column": c.name, "why": c.left_out} for c in found.columns if c.left_out]
    if absent:
        parts.append(SubgroupTable("Columns left out", "", absent))
    return parts + _lesion_tables(found)


def _about(found: Subgroups) -> str:
    lacking = ""
    if found.without_row:
        many = found.without_row
        lacking = f" {many} case{'s' if many > 1 else ''} had no row: in no group."
    return (
        f"{found.cases} cases of {found.participants} participants, groups from "
        f"{found.source}.{lacking}"
    )


def _bold(cell: str) -> str:
    return cell.replace("differs", "**differs**") if cell.startswith("differs (p ") else cell


def _plain(text: str) -> str:
    """What a user wrote, so that it stays one cell on one line."""
    return " ".join(text.split()).replace("|", "\\|")


def _verdicts(column: Column, measures: Sequence[SubgroupMeasure]) -> dict[str, str]:
    tests = {one.measure: one.test for one in column.tests}
    said = {SUBGROUP_MEASURES[m]: _said(tests.get(m)) for m in measures}
    return {"column": column.name} | said


def _said(test: GroupTest | None) -> str:
    if test is None:
        return "n/a"
    return f"{test.verdict} (p {_p(test.corrected_p)})"


def _p(value: float) -> str:
    return f"{value:.4f}" if value < 0.001 else f"{value:.3f}"


def _text(estimate: Estimate, measure: SubgroupMeasure) -> str:
    many = f" ({estimate.cases})" if estimate.cases else ""
    return estimate.text(_DIGITS[measure]) + many


def _cells(group: Group, measures: Sequence[SubgroupMeasure]) -> dict[str, str]:
    row = {"group": group.name, "participants": str(group.participants)}
    row |= {SUBGROUP_MEASURES[m]: _text(group.estimates[m], m) for m in measures}
    return row | {"lesions found": f"{group.found}/{group.lesions}" if group.lesions else "-"}


def _everyone(found: Subgroups, measures: Sequence[SubgroupMeasure]) -> dict[str, str]:
    lesions, hits = sum(s.lesions for s in found.by_size), sum(s.found for s in found.by_size)
    row = {"group": "all", "participants": ""}
    row |= {SUBGROUP_MEASURES[m]: _text(found.everyone[m], m) for m in measures}
    return row | {"lesions found": f"{hits}/{lesions}" if lesions else "-"}


def _p_row(column: Column, measures: Sequence[SubgroupMeasure]) -> dict[str, str]:
    tests = {one.measure: one.test for one in column.tests}
    row = {"group": "p (corrected)", "participants": ""}
    for measure in measures:
        test = tests.get(measure)
        said = "n/a" if test is None else f"{_p(test.p)} ({_p(test.corrected_p)})"
        row[SUBGROUP_MEASURES[measure]] = said
    return row | {"lesions found": ""}


def _lesion_tables(found: Subgroups) -> list[SubgroupTable]:
    parts: list[SubgroupTable] = []
    for title, shares in (("size", found.by_size), ("contrast", found.by_contrast)):
        if shares:
            rows = [_share(title, one) for one in shares if one.lesions]
            parts.append(SubgroupTable(f"{_FOUND} {title}", "", rows))
    if found.by_both:
        parts.append(SubgroupTable(f"{_FOUND} size and contrast", "", _both(found.by_both)))
    elif found.by_size:
        said = "The contrast of the lesions is not known: the scans were not at hand."
        parts.append(SubgroupTable(f"{_FOUND} contrast", said, []))
    return parts


def _share(title: str, one: LesionShare) -> dict[str, str]:
    return {title: one.name, "found": f"{one.found}/{one.lesions}", "share": one.share.text(2),
            "participants": str(one.share.cases)}  # fmt: skip


def _both(cells: Sequence[LesionCell]) -> list[dict[str, str]]:
    counts = {(one.size, one.contrast): f"{one.found}/{one.lesions}" for one in cells}
    return [
        {"size": size} | {name: counts.get((size, name), "-") for name, _, _ in CONTRAST_BINS}
        for size, _, _ in SIZE_BINS
        if any(one.size == size for one in cells)
    ]


def subgroup_rows(found: Subgroups) -> list[dict[str, object]]:
    """A row for each group of each column, and for each size and contrast of lesions."""
    rows: list[dict[str, object]] = []
    for column in found.columns:
        tests = {one.measure: one.test for one in column.tests}
        for group in column.groups:
            row: dict[str, object] = {"column": column.name, "group": group.name}
            row["participants"] = group.participants
            for measure in SUBGROUP_MEASURES:
                row |= _flat(measure, group.estimates[measure])
                test = tests.get(measure)
                row |= {f"{measure}_p": test and test.p}
                row |= {f"{measure}_p_corrected": test and test.corrected_p}
            rows.append(row | {"lesions": group.lesions, "found": group.found})
    for title, shares in (("size", found.by_size), ("contrast", found.by_contrast)):
        for one in shares:
            row = {"column": f"lesion {title}", "group": one.name}
            row |= {"participants": one.share.cases, "lesions": one.lesions, "found": one.found}
            rows.append(row | _flat("recall", one.share))
    return [{k: round(v, 6) if isinstance(v, float) else v for k, v in r.items()} for r in rows]


def _flat(name: str, estimate: Estimate) -> dict[str, object]:
    return {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high,
            f"{name}_participants": estimate.cases}  # fmt: skip
