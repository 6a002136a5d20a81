"""For whom is it wrong? The measures of an evaluation by groups of participants, and by lesions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import cattrs
import numpy as np

from disanat.errors import DatasetError
from disanat.evaluation.bootstrap import Estimate, estimate_mean
from disanat.evaluation.evaluate import CaseResult
from disanat.evaluation.lesion_shares import (
    LesionCell,
    LesionShare,
    shares_by_contrast,
    shares_by_size,
    size_and_contrast,
)
from disanat.evaluation.participants import UNKNOWN, Participants, group_column
from disanat.evaluation.permutation import GroupTest, holm, permutation_test
from disanat.home import read_json, write_json
from disanat.plans import fault_in, from_dict

__all__ = [
    "SUBGROUPS",
    "SUBGROUP_MEASURES",
    "Column",
    "Group",
    "SubgroupMeasure",
    "Subgroups",
    "TestedMeasure",
    "find_subgroups",
    "read_subgroups",
    "write_subgroups",
]

log = logging.getLogger(__name__)

SUBGROUPS = "subgroups.json"
SubgroupMeasure = Literal["average_precision", "stored_dice", "false_positive_ml"]
SUBGROUP_MEASURES: dict[SubgroupMeasure, str] = {
    "average_precision": "AP",
    "stored_dice": "dice",
    "false_positive_ml": "healthy FP mL",
}
"""Those that are compared, and what tables call them. The first two are of ill cases."""
_SHOWN = 5
"""So many cases are named in a message."""


@dataclass(frozen=True)
class Group:
    """The participants of one group. `values` are theirs, for a picture, in no order of names."""

    name: str
    participants: int
    estimates: dict[SubgroupMeasure, Estimate]
    values: dict[SubgroupMeasure, tuple[float, ...]]
    lesions: int
    found: int


@dataclass(frozen=True)
class TestedMeasure:
    """The test of one measure; None where fewer than two groups have two participants."""

    measure: SubgroupMeasure
    test: GroupTest | None


@dataclass(frozen=True)
class Column:
    """One column: its groups, and whether each measure differs between them."""

    name: str
    groups: tuple[Group, ...]
    tests: tuple[TestedMeasure, ...]
    left_out: str = ""
    """Why there are no groups."""


@dataclass(frozen=True)
class Subgroups:
    """All that is told of groups and lesions. The unit is the participant, not the case."""

    source: str
    """Name of the table of participants; empty without one."""
    cases: int
    participants: int
    without_row: int
    """How many cases have no row: in no group, but in `everyone` and among the lesions."""
    everyone: dict[SubgroupMeasure, Estimate]
    columns: tuple[Column, ...]
    by_size: tuple[LesionShare, ...]
    by_contrast: tuple[LesionShare, ...]
    """Empty where no lesion has a contrast."""
    by_both: tuple[LesionCell, ...]
    schema_version: int = 1


def find_subgroups(cases: Sequence[CaseResult], participants: Participants | None) -> Subgroups:
    """Compare the groups of every column, and count lesions by size and contrast.

    Cases of one participant are averaged first, so that nobody counts twice.

    Args:
        cases: of an evaluation.
        participants: the table; None counts lesions only.

    Raises:
        DatasetError: no case has a row.
    """
    owners = _owners(cases, participants)
    matched = {case: owner for case, owner in owners.items() if owner is not None}
    columns: tuple[Column, ...] = ()
    if participants is not None:
        columns = _compared(participants, cases, matched)
    who = {case: owner or case for case, owner in owners.items()}
    values = {m: _by_participant(cases, who, m) for m in SUBGROUP_MEASURES}
    return Subgroups(
        source=participants.path.name if participants else "",
        cases=len(cases),
        participants=len(set(matched.values())),
        without_row=len(owners) - len(matched) if participants else 0,
        everyone={m: estimate_mean(sorted(values[m].values())) for m in SUBGROUP_MEASURES},
        columns=columns,
        by_size=shares_by_size(cases, who),
        by_contrast=shares_by_contrast(cases, who),
        by_both=size_and_contrast(cases),
    )


def _owners(
    cases: Sequence[CaseResult], participants: Participants | None
) -> dict[str, str | None]:
    """The participant of each case; says who has no row."""
    if participants is None:
        return {result.case: None for result in cases}
    owners = {result.case: participants.of(result.case) for result in cases}
    absent = [case for case, owner in owners.items() if owner is None]
    if absent and len(absent) == len(owners):
        raise DatasetError(
            f"{participants.path} has no row of any case ({_listed(absent)}): its participant_id "
            "must be a case's name, with or without sub-."
        )
    if absent:
        log.warning("%s has no row of %s: in no subgroup.", participants.path, _listed(absent))
    return owners


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _by_participant(
    cases: Sequence[CaseResult], who: Mapping[str, str], measure: SubgroupMeasure
) -> dict[str, float]:
    """The mean over each participant's cases, where the measure exists."""
    found: dict[str, list[float]] = {}
    for result in cases:
        value: float | None = getattr(result, measure)
        counts = result.healthy or measure != "false_positive_ml"
        if counts and value is not None and result.case in who:
            found.setdefault(who[result.case], []).append(value)
    return {name: float(np.mean(several)) for name, several in found.items()}


def _compared(
    participants: Participants, cases: Sequence[CaseResult], who: Mapping[str, str]
) -> tuple[Column, ...]:
    names = sorted(set(who.values()))
    groupings = [group_column(participants, column, names) for column in participants.columns]
    values = {m: _by_participant(cases, who, m) for m in SUBGROUP_MEASURES}
    tests: dict[SubgroupMeasure, dict[str, GroupTest]] = {m: {} for m in SUBGROUP_MEASURES}
    made: dict[str, tuple[Group, ...]] = {}
    for grouping in groupings:
        of = grouping.of or {}
        made[grouping.column] = tuple(
            _group(name, [p for p in names if of[p] == name], values, cases, who)
            for name in grouping.groups
        )
        for measure in SUBGROUP_MEASURES:
            test = permutation_test(
                {g.name: g.values[measure] for g in made[grouping.column] if g.name != UNKNOWN}
            )
            if test is not None:
                tests[measure][grouping.column] = test
    corrected = {measure: holm(found) for measure, found in tests.items()}
    return tuple(
        Column(
            g.column,
            made[g.column],
            tuple(TestedMeasure(m, corrected[m].get(g.column)) for m in SUBGROUP_MEASURES)
            if g.groups
            else (),
            g.left_out,
        )
        for g in groupings
    )


def _group(
    name: str,
    members: Sequence[str],
    values: Mapping[SubgroupMeasure, Mapping[str, float]],
    cases: Sequence[CaseResult],
    who: Mapping[str, str],
) -> Group:
    theirs = {
        m: tuple(sorted(values[m][p] for p in members if p in values[m])) for m in SUBGROUP_MEASURES
    }
    inside = set(members)
    recalls = [r for result in cases if who.get(result.case) in inside for r in result.recall]
    return Group(
        name=name,
        participants=len(members),
        estimates={m: estimate_mean(list(v)) for m, v in theirs.items()},
        values=theirs,
        lesions=sum(r.lesions for r in recalls),
        found=sum(r.found for r in recalls),
    )


def write_subgroups(found: Subgroups, folder: Path) -> None:
    """Write `subgroups.json` into a folder."""
    write_json(asdict(found), folder / SUBGROUPS)


def read_subgroups(folder: Path) -> Subgroups:
    """What `write_subgroups` wrote into a folder.

    Raises:
        DatasetError: it is absent or damaged.
    """
    source, remedy = folder / SUBGROUPS, "run disanat_evaluate --participants again"
    data = read_json(source, DatasetError, remedy)
    try:
        found = from_dict(data, Subgroups)
        for group in (group for column in found.columns for group in column.groups):
            _check_measures(group.estimates)
            _check_measures(group.values)
        _check_measures(found.everyone)
        return found
    except (cattrs.BaseValidationError, TypeError, ValueError, OverflowError) as cause:
        details = " ".join(fault_in(cause).split())[:240]
        raise DatasetError(f"{source} is no table of subgroups ({details}): {remedy}.") from cause


def _check_measures(found: Mapping[SubgroupMeasure, object]) -> None:
    if set(found) != set(SUBGROUP_MEASURES):
        raise ValueError(f"it has {', '.join(found) or 'no measure'}")
