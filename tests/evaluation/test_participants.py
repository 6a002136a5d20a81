"""Tables of participants: names, groups, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentences import check_sentence

from disanat.errors import DatasetError
from disanat.evaluation.participants import (
    UNKNOWN,
    Grouping,
    Participants,
    check_subgroup_wishes,
    group_column,
    read_participants,
)


def table(folder: Path, text: str, name: str = "participants.tsv") -> Path:
    path = folder / name
    path.write_text(text.replace(" ", "\t") if name.endswith("tsv") else text, encoding="utf-8")
    return path


def grouped(participants: Participants, column: str) -> Grouping:
    return group_column(participants, column, sorted(participants.rows))


def test_cases_are_matched_with_and_without_sub(tmp_path: Path) -> None:
    found = read_participants(table(tmp_path, "participant_id sex\nsub-01 F\n02 M\nP_3 M\n"))
    for case in ("sub-01", "01", "sub-01_ses-2", "01_ses-2", "sub-01_run-1_T1w"):
        assert found.of(case) == "01"
    assert (found.of("sub-02"), found.of("P_3"), found.of("P"), found.of("3")) == (
        "02", "P_3", None, None,
    )  # fmt: skip


def test_numbers_are_cut_into_terciles_of_those_that_are_there(tmp_path: Path) -> None:
    rows = "".join(f"sub-{n:02d} {20 + 5 * n}\n" for n in range(9)) + "sub-99 n/a\nsub-98 90\n"
    found = read_participants(table(tmp_path, f"participant_id age\n{rows}"))
    names = [name for name in found.rows if name != "98"]
    grouping = group_column(found, "age", names)
    assert grouping.groups == ("<33.3", "33.3 to <46.7", ">=46.7", UNKNOWN)
    assert grouping.of is not None and grouping.of["00"] == "<33.3" and grouping.of["99"] == UNKNOWN
    members = list(grouping.of.values())
    assert [members.count(g) for g in grouping.groups] == [3, 3, 3, 1]


def test_the_user_s_cuts_win_and_begin_the_upper_group(tmp_path: Path) -> None:
    path = table(tmp_path, "participant_id age sex\n1 39.9 F\n2 40 F\n3 89+ M\n")
    found = read_participants(path, cuts={"age": (40, 60)})
    grouping = grouped(found, "age")
    assert grouping.groups == ("<40", "40 to <60", ">=60")
    assert grouping.of == {"1": "<40", "2": "40 to <60", "3": ">=60"}
    only = read_participants(path, ["sex"], {"age": (40,)})
    assert only.columns == ("sex", "age"), "a column that is cut is one that is wanted"


def test_few_numbers_are_codes_and_texts_are_groups(tmp_path: Path) -> None:
    path = table(tmp_path, "participant_id tesla sex\n1 3 M\n2 1.5 \n3 3.0 F\n4 n/a M\n")
    found = read_participants(path)
    assert grouped(found, "tesla").groups == ("1.5", "3", UNKNOWN)
    assert grouped(found, "sex").groups == ("F", "M", UNKNOWN)


def test_columns_without_groups_say_why(tmp_path: Path) -> None:
    rows = "".join(f"{n} R n/a note{n}\n" for n in range(20))
    found = read_participants(table(tmp_path, f"participant_id hand scanner note\n{rows}"))
    said = {name: grouped(found, name) for name in found.columns}
    assert said["hand"].left_out.startswith("all are R")
    assert said["scanner"].left_out.startswith("nothing is known")
    assert said["note"].left_out.startswith("20 different values")
    assert all(grouping.groups == () for grouping in said.values())


def test_the_table_that_disanat_convert_writes_is_read(tmp_path: Path) -> None:
    path = table(tmp_path, 'case,age,site\nsub-01,30,"A, B"\nsub-02,,C\n', "participants.csv")
    found = read_participants(path)
    assert found.columns == ("age", "site") and found.rows["01"]["site"] == "A, B"


@pytest.mark.parametrize(
    ("text", "columns", "cuts", "said"),
    [
        ("", (), {}, "no participant in it"),
        ("participant_id sex\n", (), {}, "no participant in it"),
        ("id sex\n1 F\n", (), {}, "no column participant_id"),
        ("participant_id sex\n1 F\nsub-1 F\n", (), {}, "two rows of participant 1: keep one"),
        ("participant_id sex\n F\n", (), {}, "row without participant_id"),
        ("participant_id sex\n1 F M\n", (), {}, "another number of cells in row 1"),
        ("participant_id sex sex\n1 F M\n", (), {}, "two columns sex"),
        ("participant_id sex\n1 F\n", ("age",), {}, "no column age: give --columns one of sex"),
        ("participant_id sex\n1 F\n", (), {"age": (1,)}, "no column age: give --cut one of sex"),
        ("participant_id sex\n1 F\n", (), {"sex": (1,)}, "not a number ('F'): leave --cut sex out"),
        ("participant_id age\n1 4\n", (), {"age": (6, 5)}, "--cut age 6 5 does not rise"),
        ("participant_id age\n1 4\n", (), {"age": ()}, "does not rise"),
        ("participant_id age\n1 4\n", (), {"age": (float("nan"),)}, "does not rise"),
    ],
)
def test_each_mistake_is_one_sentence(
    tmp_path: Path, text: str, columns: tuple[str, ...], cuts: dict[str, tuple], said: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        read_participants(table(tmp_path, text), columns, cuts)
    check_sentence(str(caught.value), "participants.tsv", "--cut age")
    assert said in str(caught.value)


def test_a_table_that_is_not_there_and_wishes_without_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not there: check the path given with --parti"):
        read_participants(tmp_path / "no.tsv")
    with pytest.raises(DatasetError, match="give it with --participants"):
        check_subgroup_wishes(False, ["age"], None)
    check_subgroup_wishes(False, [], {})
