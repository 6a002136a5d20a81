"""Means against strength, the point where the promise breaks, and the pages."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from disanat.experiments.stress import UNTOUCHED, Stress
from disanat.experiments.stress_kinds import DEGRADATIONS, chosen
from disanat.experiments.stress_scans import StressResult
from disanat.experiments.stress_table import breaks_at, gains, summarise, write_pages

KINDS = {one.name: one for one in DEGRADATIONS}
GHOSTS = KINDS["ghosts"]


def result(case: str, name: str, strength: float, **more: Any) -> StressResult:
    return StressResult(case, name, strength, **({"healthy": False} | more))


def healthy(volumes: dict[float, list[float]], name: str = "ghosts") -> list[StressResult]:
    """By strength the false positives of healthy cases; 0 stands for the untouched scan."""
    return [
        result(f"h{number}", name if strength else UNTOUCHED, strength, healthy=True,
               false_positive_ml=ml)
        for strength, values in volumes.items()
        for number, ml in enumerate(values)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("volumes", "said"),
    [
        ({0: [0.2, 0.9, 5.0], 0.5: [0.3, 1.0, 9.0], 1.0: [0.1, 1.1, 1.2], 2.0: [0, 0, 0]}, "1 mm"),
        ({0: [0.2], 0.5: [0.3], 1.0: [1.0]}, "holds throughout"),
        ({0: [1.2], 0.5: [0.3]}, "broken before"),
    ],
)
def test_the_promise_breaks_where_the_median_exceeds_a_millilitre(
    volumes: dict[float, list[float]], said: str
) -> None:
    assert breaks_at(summarise(healthy(volumes), [GHOSTS]), GHOSTS) == said


def test_no_healthy_scan_no_promise() -> None:
    some = [result("i", UNTOUCHED, 0.0, false_positive_ml=9.0)]
    some += [result("i", "ghosts", 0.5, false_positive_ml=9.0)]
    assert breaks_at(summarise(some, [GHOSTS]), GHOSTS) == "n/a (no healthy scan)"


def test_means_have_intervals_from_five_cases_on() -> None:
    few = [result(str(n), UNTOUCHED, 0.0, average_precision=n / 10) for n in range(4)]
    row = summarise(few, [GHOSTS])[0]
    assert row.estimates["AP"].mean == pytest.approx(0.15) and row.estimates["AP"].low is None
    five = [*few, result("4", UNTOUCHED, 0.0, average_precision=0.4)]
    found = summarise(five, [GHOSTS])[0].estimates["AP"]
    assert found.low is not None and found.low < 0.2 == pytest.approx(found.mean)


def test_strengths_that_no_case_has_yet_are_left_out_and_failures_counted() -> None:
    some = [result("a", UNTOUCHED, 0.0), result("a", "ghosts", 2.0, message="no")]
    rows = summarise(some, [GHOSTS])
    assert [row.text for row in rows] == ["none", "2 mm"] and rows[1].failed == 1


def test_gains_are_paired() -> None:
    some = [
        result("a", "slices", 4.0, average_precision=0.5, anatomy_dice=0.8, likeness=0.9),
        result("a", "slices_restored", 4.0, average_precision=0.7, anatomy_dice=0.9, likeness=0.95),
        result("b", "slices", 4.0, average_precision=0.1),
        result("h", "slices", 4.0, healthy=True, false_positive_ml=3.0),
        result("h", "slices_restored", 4.0, healthy=True, false_positive_ml=1.0),
    ]
    (row,) = gains(some)
    assert row["thickness"] == "4 mm" and row["AP"] == "0.200 [n/a]"
    assert row["healthy FP mL"] == "-2.000 [n/a]" and row["likeness"] == "0.050 [n/a]"
    assert row["best_dice"] == "n/a"
    assert gains(some[:1]) == []


def test_the_pages(tmp_path: Path) -> None:
    kinds = chosen(["ghosts", "slices", "cartesian", "cartesian_tv"], restore=True)
    results = [
        result(case, name, strength, healthy=case == "h", false_positive_ml=strength / 2,
               average_precision=None if case == "h" else 0.9 - strength / 20,
               best_dice=None if case == "h" else 0.8, anatomy_dice=0.9, likeness=0.9)
        for case in ("h", "i")
        for name, strength in [
            (UNTOUCHED, 0.0), *((k.name, s) for k in kinds for s in k.strengths)
        ]
    ]  # fmt: skip
    found = Stress(tuple(results), {"bad": "it is bad."})
    text = write_pages([("model", "dal")], found, kinds, tmp_path)
    assert text == (tmp_path / "stress.md").read_text(encoding="utf-8")
    assert "Everything here is simulated from magnitude images." in text
    assert "| motion ghosts " in text and "| 3 mm " in text
    assert "## What restoring thick slices gains" in text
    assert "- bad is left out: it is bad." in text and "- model: dal" in text
    assert "### Cartesian undersampling, zero-filled" in text
    with open(tmp_path / "stress.csv", newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 1 + 25 and rows[0]["degradation"] == "untouched"
    ghost = next(r for r in rows if (r["degradation"], r["strength"]) == ("ghosts", "2.0"))
    assert ghost["unit"] == "mm" and float(ghost["AP"]) == pytest.approx(0.8)
    assert float(ghost["healthy_FP_mL"]) == 1.0 and ghost["AP_low"] == ""
    assert (tmp_path / "stress.png").stat().st_size > 10_000
