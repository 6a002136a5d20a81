"""The pages of a comparison, of results that were made up."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from disanat.experiments.compare_table import write_pages

COLUMNS = (
    "method | cases | AP | best_dice | dice | AP - best | dice - best | pooled AP | case AUROC | "
    "slice AUROC | healthy FP mL | found <0.1 mL | found 0.1-1 mL | found 1-5 mL | found >=5 mL | "
    "s | peak MB"
)


def table(page: str, heading: str) -> dict[str, dict[str, str]]:
    """The first table below a heading, by method."""
    lines = page.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    rows = [[c.strip() for c in x.strip("|").split("|")] for x in lines if x.startswith("|")]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


@pytest.fixture
def sets(by_hand: Any) -> list[Any]:
    good = [by_hand.case(f"p{n}", 0.5 + 0.05 * n, found=1) for n in range(6)]
    bad = [by_hand.case(f"p{n}", 0.3 + 0.05 * n) for n in range(5)]  # p5 failed
    well = by_hand.case("well", None)
    first = by_hand.set_result(
        "Ill_T1",
        7,
        good=by_hand.measured([*good, well]),
        bad=by_hand.measured([*bad, well], seconds=9.0),
    )
    second = by_hand.set_result(
        "Ill_T2",
        1,
        good=by_hand.measured([by_hand.case("q", 0.2)]),
        bad=by_hand.measured([by_hand.case("q", 0.6)]),
    )
    return [first, second]


def test_every_column_with_numbers_by_hand(by_hand: Any, sets: list[Any], tmp_path: Path) -> None:
    methods = [by_hand.trained("bad"), by_hand.trained("good")]
    page = write_pages([("dataset", "A")], methods, sets, [], tmp_path)
    assert (tmp_path / "compare.md").read_text() == page and "- dataset: A" in page
    found = table(page, "Ill_T1")
    assert list(found) == ["good", "bad"], "the best is first"
    assert " | ".join(found["good"]) == COLUMNS
    good, bad = found["good"], found["bad"]
    assert good["cases"] == bad["cases"] == "6 of 7", "p5 counts for neither"
    assert good["AP"].startswith("0.600 [") and bad["AP"].startswith("0.400 [")
    assert good["AP - best"] == "best" and bad["AP - best"] == "-0.200 [-0.200, -0.200]"
    assert bad["dice - best"] == "-0.100 [-0.100, -0.100]"
    assert (good["pooled AP"], good["slice AUROC"]) == ("0.321", "0.654")
    assert good["case AUROC"] == "1.000"
    assert good["healthy FP mL"] == "0.50 [n/a]"
    assert (good["found 1-5 mL"], bad["found 1-5 mL"], bad["found >=5 mL"]) == ("5/5", "0/5", "-")
    assert (bad["s"], bad["peak MB"]) == ("9.0", "512")
    for one in ("Ill_T1", "Ill_T2"):
        assert (tmp_path / f"{one}.png").stat().st_size > 5000 and f"]({one}.png)" in page


def test_ranks_over_sets(by_hand: Any, sets: list[Any], tmp_path: Path) -> None:
    one_more = by_hand.set_result("Only", 1, good=by_hand.measured([by_hand.case("q", 0.9)]))
    methods = [by_hand.trained("bad"), by_hand.trained("good")]
    page = write_pages([], methods, [*sets, one_more], [], tmp_path)
    found = table(page, "Over all sets")
    assert "Over 2 of 3 sets" in page
    for method, ap in (("good", "0.400"), ("bad", "0.500")):
        assert (found[method]["mean rank"], found[method]["AP"]) == ("1.50", ap)
        assert (found[method]["wins"], found[method]["losses"]) == ("1", "1")


def test_what_training_took_and_whose_model_it_is(by_hand: Any, tmp_path: Path) -> None:
    methods = [
        by_hand.trained("ae", published_features=64),
        by_hand.trained("dal", own=True, stopped="", minutes=None, published_features=16),
        by_hand.trained("threshold", stopped="untrained", parameters=0),
    ]
    page = write_pages([], methods, [], ["vae was not trained: no room."], tmp_path)
    found = table(page, "Training")
    assert found["ae"]["parameters"] == "1,234,567 (reduced: 16 of 64 channels)"
    assert found["ae"]["epochs x steps x batch"] == "12 x 250 x 8"
    assert (found["ae"]["minutes"], found["ae"]["stopped"]) == ("30.5", "at its plateau")
    assert found["ae"]["model"] == "trained for this comparison"
    assert found["dal"]["parameters"] == "1,234,567", "as wide as published"
    assert found["dal"]["model"].startswith("your own") and found["dal"]["stopped"] == "unknown"
    assert found["threshold"]["epochs x steps x batch"] == "-"
    assert page.rstrip().endswith("- vae was not trained: no room.")


def test_the_csv_holds_everything(by_hand: Any, sets: list[Any], tmp_path: Path) -> None:
    write_pages([], [by_hand.trained("bad"), by_hand.trained("good")], sets, [], tmp_path)
    with open(tmp_path / "compare.csv", newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [(r["set"], r["method"], r["rank"]) for r in rows] == [
        ("Ill_T1", "bad", "2.0"),
        ("Ill_T1", "good", "1.0"),
        ("Ill_T2", "bad", "1.0"),
        ("Ill_T2", "good", "2.0"),
    ]
    assert float(rows[0]["average_precision_minus_best"]) == pytest.approx(-0.2)
    assert rows[1]["average_precision_minus_best"] == "" and rows[0]["cases_in_set"] == "7"
    assert rows[0]["parameters"] == "1234567" and rows[0]["found 1-5 mL"] == "0"


def test_a_healthy_set_is_drawn_by_its_false_positives_and_ranks_nothing(
    by_hand: Any, tmp_path: Path
) -> None:
    healthy = by_hand.measured([by_hand.case("a", None, false_ml=3.0)])
    one = by_hand.set_result("Healthy", 1, ae=healthy, dae=healthy)
    page = write_pages([], [by_hand.trained("ae"), by_hand.trained("dae")], [one], [], tmp_path)
    assert one.judged_by == "false_positive_ml" and one.best is None
    assert "Over all sets" not in page and (tmp_path / "Healthy.png").exists()
    found = table(page, "Healthy")["ae"]
    assert (found["AP"], found["AP - best"], found["healthy FP mL"]) == ("n/a", "n/a", "3.00 [n/a]")


def test_without_a_common_case_there_is_a_sentence(by_hand: Any, tmp_path: Path) -> None:
    one = by_hand.set_result(
        "Odd",
        2,
        ae=by_hand.measured([by_hand.case("a", 0.5)]),
        dae=by_hand.measured([by_hand.case("b", 0.5)]),
    )
    page = write_pages([], [by_hand.trained("ae"), by_hand.trained("dae")], [one], [], tmp_path)
    assert "No case that all methods predicted." in page
    assert not (tmp_path / "Odd.png").exists()
