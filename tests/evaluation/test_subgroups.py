"""Subgroups: what is worse is found, what is not is not."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from judged_cases import biased_cases, judged_case
from sentences import check_sentence

from disanat.errors import DatasetError
from disanat.evaluation.participants import read_participants
from disanat.evaluation.subgroups import (
    Column,
    Subgroups,
    find_subgroups,
    read_subgroups,
    write_subgroups,
)


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> Subgroups:
    cases, table = biased_cases(tmp_path_factory.mktemp("biased"))
    return find_subgroups(cases, read_participants(table))


def verdicts(found: Subgroups, column: str) -> list[str]:
    one = next(c for c in found.columns if c.name == column)
    return [tested.test.verdict if tested.test else "n/a" for tested in one.tests]


def small(folder: Path, rows: str, *cases: object) -> Subgroups:
    table = folder / "participants.tsv"
    table.write_text("participant_id\tsex\n" + rows.replace(" ", "\t"), encoding="utf-8")
    return find_subgroups(list(cases), read_participants(table))  # type: ignore[arg-type]


def test_the_scanner_that_was_made_worse_is_found_and_nothing_else(biased: Subgroups) -> None:
    assert verdicts(biased, "scanner") == ["differs"] * 3
    assert verdicts(biased, "sex") == ["no difference found"] * 3
    assert verdicts(biased, "age") == ["no difference found"] * 3
    groups = {g.name: g for g in next(c for c in biased.columns if c.name == "scanner").groups}
    worse, others = groups["B"].estimates, (groups["A"].estimates, groups["C"].estimates)
    for measure in ("average_precision", "stored_dice"):
        assert all((worse[measure].high or 1) < (one[measure].low or 0) for one in others)
    false = "false_positive_ml"
    assert all((worse[false].low or 0) > (one[false].high or 9) for one in others)
    assert (groups["B"].participants, groups["B"].found, groups["B"].lesions) == (20, 10, 30)


def test_everyone_is_in_just_one_group_of_each_column(biased: Subgroups) -> None:
    assert (biased.cases, biased.participants, biased.without_row) == (60, 60, 0)
    for column in biased.columns:
        assert sum(group.participants for group in column.groups) == 60
        assert sum(group.estimates["stored_dice"].cases for group in column.groups) == 30
        assert sum(group.estimates["false_positive_ml"].cases for group in column.groups) == 30
    assert [len(column.groups) for column in biased.columns] == [3, 2, 3]


def test_lesions_are_counted_by_size_by_contrast_and_by_both(biased: Subgroups) -> None:
    assert [(s.name, s.found, s.lesions) for s in biased.by_size] == [
        ("<0.1 mL", 0, 30), ("0.1-1 mL", 20, 30), ("1-5 mL", 0, 0), (">=5 mL", 30, 30),
    ]  # fmt: skip
    assert [(s.name, s.found, s.lesions) for s in biased.by_contrast] == [
        ("<1 SD", 0, 30), ("1-2 SD", 20, 30), ("2-3 SD", 0, 0), (">=3 SD", 30, 30),
    ]  # fmt: skip
    share = biased.by_contrast[1].share
    assert share.mean == pytest.approx(2 / 3) and share.cases == 30
    assert share.low is not None and share.low < 0.55
    both = {(c.size, c.contrast): (c.found, c.lesions) for c in biased.by_both}
    assert both == {
        ("<0.1 mL", "<1 SD"): (0, 30), ("0.1-1 mL", "1-2 SD"): (20, 30),
        (">=5 mL", ">=3 SD"): (30, 30),
    }  # fmt: skip


def test_two_scans_of_one_participant_count_once(tmp_path: Path) -> None:
    found = small(
        tmp_path, "sub-1 F\nsub-2 M\n", judged_case("sub-1_ses-1", 0.2),
        judged_case("sub-1_ses-2", 0.4), judged_case("sub-2", 0.9),
    )  # fmt: skip
    [column] = found.columns
    assert [g.values["average_precision"] for g in column.groups] == [
        pytest.approx((0.3,)), (0.9,),
    ]  # fmt: skip
    assert found.everyone["average_precision"].mean == pytest.approx(0.6)
    assert (found.cases, found.participants) == (3, 2)


def test_unknown_values_are_shown_and_in_no_test(tmp_path: Path) -> None:
    cases = [judged_case(str(n), 0.5 + 0.01 * n) for n in range(6)]
    found = small(tmp_path, "0 F\n1 M\n2 F\n3 M\n4 n/a\n5 n/a\n", *cases)
    [column] = found.columns
    assert [g.name for g in column.groups] == ["F", "M", "n/a"]
    test = column.tests[0].test
    assert test is not None and (test.groups, test.patients, test.verdict) == (2, 4, "too few")
    assert column.tests[2].test is None, "no healthy participant"


def test_a_column_that_is_left_out_has_no_part_in_the_correction(tmp_path: Path) -> None:
    cases, table = biased_cases(tmp_path)
    rows = table.read_text().splitlines()
    head, *others = (f"{row}\t{'hand' if row.startswith('part') else 'R'}" for row in rows)
    table.write_text("\n".join([head, *others]) + "\n")
    found = find_subgroups(cases, read_participants(table))
    assert found.columns[-1] == Column("hand", (), (), "all are R: there is nothing to compare")
    test = next(c for c in found.columns if c.name == "scanner").tests[0].test
    assert test is not None and test.corrected_p == pytest.approx(3 * test.p)


def test_who_has_no_row_is_named_and_in_no_group(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cases = [judged_case(str(n), 0.5) for n in range(9)]
    with caplog.at_level(logging.WARNING):
        found = small(tmp_path, "0 F\n1 M\n", *cases)
    assert found.without_row == 7 and found.participants == 2
    assert found.everyone["average_precision"].cases == 9
    [record] = caplog.records
    assert record.getMessage().endswith(
        "participants.tsv has no row of 2, 3, 4, 5, 6 and 2 more: in no subgroup."
    )
    with pytest.raises(DatasetError) as caught:
        small(tmp_path, "x F\ny M\n", *cases)
    check_sentence(str(caught.value), "participants.tsv")


def test_without_a_table_or_contrasts_lesions_are_counted_by_size() -> None:
    found = find_subgroups([judged_case("a", 0.5, lesions=[(0.5, True, None)])], None)
    assert (found.source, found.columns, found.by_contrast, found.by_both) == ("", (), (), ())
    assert [s.found for s in found.by_size] == [0, 1, 0, 0]
    nothing = find_subgroups([judged_case("a", None)], None)
    assert nothing.by_size == () and nothing.everyone["false_positive_ml"].mean == 0.5


def test_what_was_written_is_read_back_and_names_no_participant(
    biased: Subgroups, tmp_path: Path
) -> None:
    write_subgroups(biased, tmp_path)
    assert read_subgroups(tmp_path) == biased
    stored = json.loads((tmp_path / "subgroups.json").read_text())
    assert stored["schema_version"] == 1 and "sub-" not in json.dumps(stored)
    for change in ({"schema_version": 2}, {"columns": 3}, {"everyone": {}}):
        (tmp_path / "subgroups.json").write_text(json.dumps(stored | change))
        with pytest.raises(DatasetError) as caught:
            read_subgroups(tmp_path)
        check_sentence(str(caught.value), "subgroups.json")
    with pytest.raises(DatasetError, match="does not exist: run disanat_evaluate --participants"):
        read_subgroups(tmp_path / "none")
