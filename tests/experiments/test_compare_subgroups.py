"""Subgroups of a comparison: which table is whose, and the page."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from sentences import check_sentence

from disanat.errors import DatasetError
from disanat.evaluation.participants import Participants, read_participants
from disanat.experiments.compare_subgroups import tables_of_sets, write_compared_subgroups
from disanat.experiments.sets import LabelledSet


def table(folder: Path, name: str, *participants: str) -> Participants:
    path = folder / name
    rows = [f"{one}\t{'FM'[n % 2]}" for n, one in enumerate(participants)]
    path.write_text("\n".join(["participant_id\tsex", *rows]) + "\n", encoding="utf-8")
    return read_participants(path)


@pytest.fixture
def sets(tmp_path: Path) -> list[LabelledSet]:
    for name, case in (("A", "a1"), ("B", "sub-b1_ses-1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{case}_0000.nii.gz").touch()
    return [LabelledSet(name, tmp_path / name, tmp_path) for name in "AB"]


def test_one_table_is_for_the_sets_that_it_has_rows_of(
    sets: list[LabelledSet], tmp_path: Path
) -> None:
    both, first = table(tmp_path, "both.tsv", "a1", "sub-b1"), table(tmp_path, "first.tsv", "a1")
    assert tables_of_sets([both], sets) == {"A": both, "B": both}
    assert tables_of_sets([first], sets) == {"A": first}
    second = table(tmp_path, "second.tsv", "b1")
    assert tables_of_sets([first, second], sets) == {"A": first, "B": second}


def test_tables_of_others_are_refused(sets: list[LabelledSet], tmp_path: Path) -> None:
    first, other = table(tmp_path, "first.tsv", "a1"), table(tmp_path, "other.tsv", "z")
    for given in ([other], [first, other]):
        with pytest.raises(DatasetError) as caught:
            tables_of_sets(given, sets)
        check_sentence(str(caught.value), "other.tsv has no row of any case")
    with pytest.raises(DatasetError, match="3 tables for 2 sets: give one for all, or one for"):
        tables_of_sets([first] * 3, sets)


def test_the_page_has_every_set_and_method(by_hand: Any, tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(12)]
    good = [by_hand.case(name, 0.6 + 0.01 * n, found=1) for n, name in enumerate(names)]
    bad = [by_hand.case(name, 0.6 - 0.4 * (n % 2) + 0.01 * n) for n, name in enumerate(names)]
    sets = [
        by_hand.set_result("Ill", 12, good=by_hand.measured(good), bad=by_hand.measured(bad)),
        by_hand.set_result("Others", 1, good=by_hand.measured([by_hand.case("x", None)])),
    ]
    write_compared_subgroups(sets, {"Ill": table(tmp_path, "t.tsv", *names)}, tmp_path)
    page = (tmp_path / "subgroups.md").read_text(encoding="utf-8")
    ill, others = page.split("## Ill\n")[1].split("\n## Others\n")
    of_good, of_bad = ill.split("### good\n")[1].split("### bad\n")
    assert "| sex    | no difference found (p " in of_good
    assert "| sex    | **differs** (p " in of_bad
    assert "#### sex" in of_good and "#### Lesions found, by size" in of_good
    assert "![Ill, bad](Ill_bad_subgroups.png)" in of_bad and "### good" in others
    assert sorted(p.name for p in tmp_path.glob("*.png")) == [
        "Ill_bad_subgroups.png", "Ill_good_subgroups.png",
    ]  # fmt: skip
    write_compared_subgroups(sets, {"Ill": table(tmp_path, "t.tsv", "failed")}, tmp_path / "b")
    page = (tmp_path / "b" / "subgroups.md").read_text(encoding="utf-8")
    assert "#### sex" not in page and "#### Lesions found, by size" in page
    with (tmp_path / "subgroups.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert {(r["set"], r["method"]) for r in rows if r["column"] == "sex"} == {
        ("Ill", "good"), ("Ill", "bad"),
    }  # fmt: skip
