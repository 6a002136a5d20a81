"""What a stress study found: means against strength, the points at which the promise breaks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from disanat.evaluation.bootstrap import (
    FEWEST_CASES,
    Estimate,
    estimate_mean,
    estimate_median,
)
from disanat.experiments.stress import UNTOUCHED, Stress
from disanat.experiments.stress_kinds import RESTORED, SLICES, Degradation
from disanat.experiments.stress_scans import StressResult
from disanat.home import atomic_path
from disanat.reporting.markdown import markdown_table
from disanat.reporting.strengths import Measure, Panel, strengths_figure

__all__ = ["PROMISED_ML", "Row", "breaks_at", "gains", "summarise", "write_pages"]

PROMISED_ML = 1.0
"""Most false positives at the stored threshold in the median healthy brain, in mL."""
_AP, _BEST, _DICE, _FP, _ANATOMY, _LIKE = (
    "AP", "best_dice", "dice", "healthy FP mL", "anatomy Dice", "likeness",
)  # fmt: skip
_DRAWN = (
    Measure(_AP, (0.0, 1.0)),
    Measure(_BEST, (0.0, 1.0)),
    Measure(_FP, None, PROMISED_ML),
    Measure(_ANATOMY, (0.0, 1.0)),
)

_SIMULATED = """**Everything here is simulated from magnitude images.** Nothing was acquired anew.
One receiver coil is assumed, with a smooth phase drawn at random; there is no parallel imaging.
Scans that were stripped before show no skull whose signal could fold or ghost into the brain. The
brain mask is that of the untouched scan throughout."""
_EXPLAINED = f"""AP, best_dice and dice: means over the cases with lesions, with 95% bootstrap
intervals over patients (n/a below {FEWEST_CASES} cases). AP: average precision over the voxels in
the brain mask. best_dice: at the best threshold of each case, which needs the label. dice: at the
stored threshold. healthy FP: mL above the stored threshold in healthy brains, the median, of which
at most {PROMISED_ML:g} mL is promised. anatomy Dice: between the anatomy of the untouched scan and
that of the degraded one, mean over tissues and cases. likeness: correlation of the degraded scan
with the untouched one in the brain, mean over cases."""


@dataclass(frozen=True)
class Row:
    """One degradation at one strength; `degradation` None for the untouched scans."""

    degradation: Degradation | None
    strength: float
    estimates: dict[str, Estimate]
    failed: int

    @property
    def text(self) -> str:
        return "none" if self.degradation is None else self.degradation.text(self.strength)


def summarise(results: Sequence[StressResult], kinds: Sequence[Degradation]) -> list[Row]:
    """Means over cases, the untouched scans first; strengths that no case has yet are left out."""
    rows = []
    asked: list[tuple[Degradation | None, float]] = [(None, 0.0)]
    asked += [(kind, strength) for kind in kinds for strength in kind.strengths]
    for kind, strength in asked:
        name = UNTOUCHED if kind is None else kind.name
        some = [r for r in results if (r.degradation, r.strength) == (name, strength)]
        if some:
            failed = sum(bool(r.message) for r in some)
            rows.append(Row(kind, strength, _estimates(some), failed))
    return rows


def _estimates(results: Sequence[StressResult]) -> dict[str, Estimate]:
    return {
        _AP: estimate_mean([r.average_precision for r in results]),
        _BEST: estimate_mean([r.best_dice for r in results]),
        _DICE: estimate_mean([r.stored_dice for r in results]),
        _FP: estimate_median([r.false_positive_ml for r in results if r.healthy]),
        _ANATOMY: estimate_mean([r.anatomy_dice for r in results]),
        _LIKE: estimate_mean([r.likeness for r in results]),
    }


def breaks_at(rows: Sequence[Row], kind: Degradation) -> str:
    """The weakest strength at which the median healthy brain has more than is promised."""
    before = [r.estimates[_FP].mean for r in rows if r.degradation is None]
    own = [r for r in rows if r.degradation == kind and r.estimates[_FP].mean is not None]
    if not own or not before or before[0] is None:
        return "n/a (no healthy scan)"
    if before[0] > PROMISED_ML:
        return "broken before"
    for row in own:
        if (row.estimates[_FP].mean or 0.0) > PROMISED_ML:
            return row.text
    return "holds throughout"


def gains(results: Sequence[StressResult]) -> list[dict[str, str]]:
    """Restored minus as they are, case by case, for each thickness; empty without restored ones."""
    known = {(r.case, r.degradation, r.strength): r for r in results if not r.message}
    pairs = [
        (known[case, SLICES, strength], one)
        for (case, name, strength), one in known.items()
        if name == RESTORED and (case, SLICES, strength) in known
    ]
    measures: dict[str, Callable[[StressResult], float | None]] = {
        _AP: lambda r: r.average_precision,
        _BEST: lambda r: r.best_dice,
        _FP: lambda r: r.false_positive_ml if r.healthy else None,
        _ANATOMY: lambda r: r.anatomy_dice,
        _LIKE: lambda r: r.likeness,
    }
    rows = []
    for strength in sorted({after.strength for _, after in pairs}):
        some = [(b, a) for b, a in pairs if a.strength == strength]
        cells = {"thickness": f"{strength:g} mm"}
        for name, of in measures.items():
            found = estimate_mean([_minus(of(after), of(before)) for before, after in some])
            cells[name] = found.text() if found.mean is not None else "n/a"
        rows.append(cells)
    return rows


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def write_pages(
    head: Sequence[tuple[str, str]], found: Stress, kinds: Sequence[Degradation], folder: Path
) -> str:
    """Write `stress.md`, `stress.csv` and `stress.png`; returns the page.

    Args:
        head: what the study is of, name and value.
        found: the results so far.
        kinds: the degradations, in the order of the report.
        folder: where to.
    """
    rows = summarise(found.results, kinds)
    page = _page(head, found, rows, kinds)
    with atomic_path(folder / "stress.md") as temporary:
        temporary.write_text(page, encoding="utf-8")
    with (
        atomic_path(folder / "stress.csv") as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as handle,
    ):
        flat = [_flat(row) for row in rows]
        writer = csv.DictWriter(handle, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)
    strengths_figure(_panels(rows, kinds), _DRAWN, folder / "stress.png")
    return page


def _page(
    head: Sequence[tuple[str, str]],
    found: Stress,
    rows: Sequence[Row],
    kinds: Sequence[Degradation],
) -> str:
    first = next(row for row in rows if row.degradation is None)
    done = [k for k in kinds if any(row.degradation == k for row in rows)]
    parts = ["# Stress: does the detection survive another acquisition?", "", _SIMULATED, ""]
    parts += [*(f"- {name}: {value}" for name, value in head), ""]
    parts += ["## Where the promise breaks", ""]
    parts += [f"The weakest strength at which the median healthy brain has more than "
              f"{PROMISED_ML:g} mL above the stored threshold.", ""]  # fmt: skip
    if done:
        broken = [{"degradation": k.title, "promise breaks at": breaks_at(rows, k)} for k in done]
        parts += [markdown_table(broken), ""]
    parts += ["![Measures against strength](stress.png)", "", "## Against strength", ""]
    for kind in done:
        own = [row for row in rows if row.degradation == kind]
        table = [_cells(row) for row in (first, *own)]
        parts += [f"### {kind.title[0].upper()}{kind.title[1:]}", "", markdown_table(table), ""]
    if gained := gains(found.results):
        parts += ["## What restoring thick slices gains", ""]
        parts += ["Restored minus as they are, case by case (mean).", ""]
        parts += [markdown_table(gained), ""]
    parts += ["## How to read it", "", _EXPLAINED, "", "## What did not work", ""]
    told = [f"- {one}" for one in found.failed] or ["Nothing failed."]
    return "\n".join([*parts, *told, ""])


def _cells(row: Row) -> dict[str, str]:
    cells = {"strength": row.text}
    for name, one in row.estimates.items():
        cells[name] = one.text(2 if name == _FP else 3)
    return cells


def _flat(row: Row) -> dict[str, object]:
    kind = row.degradation
    cells: dict[str, object] = {
        "degradation": UNTOUCHED if kind is None else kind.name,
        "strength": row.strength,
        "unit": "" if kind is None else kind.unit.strip(),
        "failed": row.failed,
    }
    for name, one in row.estimates.items():
        key = name.replace(" ", "_")
        cells[key] = _rounded(one.mean)
        cells[f"{key}_low"], cells[f"{key}_high"] = _rounded(one.low), _rounded(one.high)
        cells[f"{key}_cases"] = one.cases
    return cells


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _panels(rows: Sequence[Row], kinds: Sequence[Degradation]) -> list[Panel]:
    """One for each kind of degradation, with a line for each of its reconstructions."""
    first = next(row for row in rows if row.degradation is None)
    panels: dict[str, Panel] = {}
    for kind in kinds:
        own = [row for row in rows if row.degradation == kind]
        if len(own) != len(kind.strengths):
            continue
        ticks = ("none", *(row.text for row in own))
        panel = panels.setdefault(kind.panel, Panel(kind.panel, ticks, {}))
        panel.lines[kind.line] = [row.estimates for row in (first, *own)]
    return list(panels.values())
