"""The page that `make real` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from disanat.evaluation.bootstrap import FEWEST_CASES, Estimate, estimate_mean
from disanat.evaluation.evaluate import Evaluation
from disanat.evaluation.lesions import FOUND_FRACTION
from disanat.home import atomic_path
from disanat.reporting.markdown import markdown_table
from steps import machine

__all__ = ["Row", "write_page"]

_MEASURES = (("average_precision", "AP"), ("best_dice", "best_dice"), ("stored_dice", "dice"))
_METHODS = ("dal", "threshold")
_SMALL = ("0.1-1 mL", "1-5 mL")


@dataclass(frozen=True)
class Row:
    """One set and contrast: how many cases have it, what each method scored, what went wrong."""

    dataset: str
    contrast: str
    cases: int
    evaluations: Mapping[str, Evaluation]
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Both methods have a result."""
        return all(self.mean(m, "average_precision") is not None for m in _METHODS)

    @property
    def common(self) -> frozenset[str]:
        """Cases that every method with a result predicted: a failure must not flatter its mean."""
        found = [{r.case for r in e.cases} for e in self.evaluations.values()]
        return frozenset(set.intersection(*found)) if found else frozenset()

    def estimate(self, method: str, measure: str) -> Estimate:
        """Mean and interval of a measure of `CaseResult` over the common cases."""
        evaluation = self.evaluations.get(method)
        results = evaluation.cases if evaluation else ()
        return estimate_mean([getattr(r, measure) for r in results if r.case in self.common])

    def mean(self, method: str, measure: str) -> float | None:
        """Mean over the common cases; None where the method has none."""
        return self.estimate(method, measure).mean


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _cases(row: Row) -> str:
    judged = len(row.common)
    return str(judged) if judged == row.cases else f"{judged} of {row.cases}"


def _found(evaluation: Evaluation | None, sizes: Sequence[str]) -> str:
    if evaluation is None:
        return "n/a"
    chosen = [r for r in evaluation.recall if r.size in sizes]
    lesions, found = sum(r.lesions for r in chosen), sum(r.found for r in chosen)
    return f"{found}/{lesions}" if lesions else "-"


def _lost(evaluation: Evaluation | None) -> str:
    if evaluation is None or not evaluation.lesion_voxels:
        return "n/a"
    share = 100 * evaluation.lost_voxels / evaluation.lesion_voxels
    return f"{evaluation.lost_voxels} ({share:.1f}%)"


def _main_rows(rows: Sequence[Row]) -> list[dict[str, str]]:
    table = []
    for row in rows:
        dal = row.evaluations.get("dal")
        cells = {"set": row.dataset, "contrast": row.contrast, "cases": _cases(row)}
        for measure, title in _MEASURES:
            cells |= {f"{title} {m}": _number(row.mean(m, measure)) for m in _METHODS}
        cells["lost voxels"] = _lost(dal)
        cells["small found"] = _found(dal, _SMALL)
        table.append(cells)
    return [*table, _mean_row(rows)]


def _mean_row(rows: Sequence[Row]) -> dict[str, str]:
    whole = [row for row in rows if row.complete]
    mean = {"set": "**mean**", "contrast": f"{len(whole)} of {len(rows)}", "cases": ""}
    for measure, title in _MEASURES:
        for method in _METHODS:
            values = [v for row in whole if (v := row.mean(method, measure)) is not None]
            mean[f"{title} {method}"] = _number(float(np.mean(values)) if values else None)
    return {**mean, "lost voxels": "", "small found": ""}


def _interval_rows(rows: Sequence[Row]) -> list[dict[str, str]]:
    table = []
    for row in rows:
        for method in row.evaluations:
            if row.estimate(method, "average_precision").cases < FEWEST_CASES:
                continue
            cells = {"set": row.dataset, "contrast": row.contrast, "method": method}
            cells |= {title: row.estimate(method, measure).text() for measure, title in _MEASURES}
            table.append(cells)
    return table


def _set_rows(rows: Sequence[Row]) -> list[dict[str, str]]:
    """What concerns whole sets: pooled AP, slices, lesions by size; of `dal`."""
    table = []
    for row in rows:
        evaluation = row.evaluations.get("dal")
        if evaluation is None:
            continue
        cells = {
            "set": row.dataset,
            "contrast": row.contrast,
            "pooled AP": _number(evaluation.pooled_average_precision),
            "slice AUROC": _number(evaluation.slice_auroc),
        }
        cells |= {r.size: _found(evaluation, (r.size,)) for r in evaluation.recall}
        table.append(cells)
    return table


def _head(record: Mapping[str, Any]) -> list[str]:
    last = record["evaluate"]
    times = ", ".join(f"{step} {entry['minutes']:.1f}" for step, entry in record.items())
    total = sum(entry["minutes"] for entry in record.values())
    lines = [
        f"- date {last['date']}, commit {last['commit']}",
        f"- model: {last['model']}",
        f"- machine: {machine()}",
        f"- {total:.1f} minutes in all ({times})",
    ]
    for step, entry in record.items():
        if entry["commit"] != last["commit"]:
            lines.append(f"- {step}: reused, from commit {entry['commit']}, {entry['date']}")
        if "note" in entry:
            lines.append(f"- {step}: {entry['note']}")
    return lines


def write_page(
    record: Mapping[str, Any], rows: Sequence[Row], notes: Sequence[str], target: Path
) -> str:
    """Write and return the page.

    Args:
        record: step -> {"commit", "date", "minutes"}, in the order of the steps.
        rows: one for each set and contrast.
        notes: anything else that did not work.
        target: the Markdown file.
    """
    intervals = _interval_rows(rows)
    troubles = [f"{r.dataset} {r.contrast}, {note}" for r in rows for note in r.notes] + [*notes]
    parts = [
        "# Real brains",
        "",
        "Written by `make real`; not edited by hand. Trained on healthy IXI T1 at 2 mm and label",
        "maps, no lesion mask anywhere; every other scan is predicted at its native geometry, one",
        "contrast at a time. Few cases a set: read differences accordingly.",
        "",
        *_head(record),
        "",
        markdown_table(_main_rows(rows)),
        "",
        "AP: average precision over voxels in the brain, mean over the cases that both methods",
        'predicted ("7 of 8" where one failed). best_dice: at the best threshold of each case.',
        "dice: at the stored, label-free threshold. Lost voxels: lesion outside `dal`'s brain",
        "mask, counted as misses. Small found: lesions of 0.1 to 5 mL of which `dal`'s mask holds",
        f"{FOUND_FRACTION:.0%} or more. The mean is over set x contrast where both methods have a",
        "result.",
        "",
        f"## 95% bootstrap intervals over patients ({FEWEST_CASES} cases or more; else n/a)",
        "",
        markdown_table(intervals) if intervals else "n/a",
        "",
        "## By set: pooled AP, slices, lesions found by size (`dal`)",
        "",
        markdown_table(_set_rows(rows)) if _set_rows(rows) else "n/a",
        "",
        "## What did not work",
        "",
        *([f"- {trouble}" for trouble in troubles] or ["Nothing failed."]),
    ]
    page = "\n".join(parts) + "\n"
    with atomic_path(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return page
