"""The pages of a comparison: `compare.md`, `compare.csv`, and a picture of each set."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from disanat.evaluation.bootstrap import FEWEST_CASES, Estimate
from disanat.evaluation.lesions import FOUND_FRACTION
from disanat.evaluation.paired import ranks, standings
from disanat.experiments.results import MEASURES, Measure, SetResult, TrainedMethod
from disanat.home import atomic_path
from disanat.reporting.dots import dot_figure
from disanat.reporting.markdown import markdown_table

__all__ = ["write_pages"]

_OF_LESIONS: tuple[Measure, ...] = ("average_precision", "best_dice", "stored_dice")
_STOPPED = {
    "plateau": "at its plateau",
    "epochs": "after all epochs",
    "minutes": "after the minutes given",
    "untrained": "not trained",
    "": "unknown",
}
_EXPLAINED = f"""AP, best_dice and dice are means over the cases with lesions that all methods
predicted, with 95% bootstrap intervals over patients (n/a below {FEWEST_CASES} cases). AP: average
precision over the voxels in the brain mask. best_dice: at the best threshold of each case, which
needs the label. dice: at the threshold that healthy scans chose. "- best": the method minus the
best by AP, case by case; where the interval holds 0, the two are not told apart. Pooled AP and
slice AUROC are over all cases that the method itself predicted. Healthy FP: volume of the mask in
healthy cases. Lesions found, by size: {FOUND_FRACTION:.0%} of their voxels or more are in the mask.
s: median seconds a volume. Peak MB: of the process that predicted the set (Python and its libraries
included), or of the GPU's memory."""


def write_pages(
    head: Sequence[tuple[str, str]],
    methods: Sequence[TrainedMethod],
    sets: Sequence[SetResult],
    failed: Sequence[str],
    folder: Path,
) -> str:
    """Write all of them into a folder.

    Args:
        head: what the comparison is of, name and value.
        methods: that were trained.
        sets: with their results so far.
        failed: sentences on what did not work.
        folder: of the comparison.

    Returns:
        The Markdown page.
    """
    page = _page(head, methods, sets, failed)
    with atomic_path(folder / "compare.md") as temporary:
        temporary.write_text(page, encoding="utf-8")
    rows = [row for one in sets for row in _flat_rows(one, methods)]
    if rows:
        with (
            atomic_path(folder / "compare.csv") as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as handle,
        ):
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    for one in sets:
        if one.common:
            _draw(one, folder / f"{one.one.name}.png")
    return page


def _number(value: float | None, digits: int = 3) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _page(
    head: Sequence[tuple[str, str]],
    methods: Sequence[TrainedMethod],
    sets: Sequence[SetResult],
    failed: Sequence[str],
) -> str:
    placed = _standing_rows(sets)
    parts = ["# Comparison of methods", "", *(f"- {name}: {value}" for name, value in head), ""]
    if placed:
        parts += ["## Over all sets", "", markdown_table(placed), "", _over(sets), ""]
    if methods:
        parts += ["## Training", "", markdown_table([_training_row(m) for m in methods]), ""]
    if any(method.reduced for method in methods):
        parts += ["reduced: its network is narrower than the one of its authors.", ""]
    for one in sets:
        parts += [f"## {one.one.name}", ""]
        if one.common:
            parts += [markdown_table(_set_rows(one)), "", f"![{one.one.name}]({one.one.name}.png)"]
        else:
            parts += ["No case that all methods predicted."]
        parts += [""]
    parts += ["## How to read it", "", _EXPLAINED, "", "## What did not work", ""]
    return "\n".join([*parts, *([f"- {one}" for one in failed] or ["Nothing failed."]), ""])


def _standing_rows(sets: Sequence[SetResult]) -> list[dict[str, str]]:
    """Best mean rank first."""
    found = standings([one.scores for one in sets])
    whole = _whole(sets, found)
    rows = []
    for method in sorted(found, key=lambda name: found[name].mean_rank):
        cells = {
            "method": method,
            "mean rank": f"{found[method].mean_rank:.2f}",
            "wins": str(found[method].wins),
            "losses": str(found[method].losses),
        }
        for measure in _OF_LESIONS:
            means = [one.estimate(method, measure).mean for one in whole]
            cells[MEASURES[measure]] = _number(float(np.mean([m for m in means if m is not None])))
        rows.append(cells)
    return rows


def _whole(sets: Sequence[SetResult], methods: Mapping[str, object]) -> list[SetResult]:
    """The sets for which all methods have a score."""
    return [one for one in sets if all(one.scores.get(m) is not None for m in methods)]


def _over(sets: Sequence[SetResult]) -> str:
    whole = _whole(sets, standings([one.scores for one in sets]))
    return (
        f"Over {len(whole)} of {len(sets)} sets: those with lesions for which all methods have a "
        "result. Ranks are by AP, 1 is best, ties share; a win is a higher AP than one other "
        "method's on one set."
    )


def _training_row(method: TrainedMethod) -> dict[str, str]:
    trained = method.stopped != "untrained"
    width = f" (reduced: {method.features} of {method.published_features} channels)"
    budget = f"{method.epochs} x {method.steps} x {method.batch_size}" if trained else "-"
    return {
        "method": method.name,
        "parameters": f"{method.parameters:,}" + (width if method.reduced else ""),
        "epochs x steps x batch": budget,
        "minutes": _number(method.minutes, 1),
        "stopped": _STOPPED.get(method.stopped, method.stopped),
        "model": f"your own, {method.folder}" if method.own else "trained for this comparison",
    }


def _set_rows(one: SetResult) -> list[dict[str, str]]:
    """Best first."""
    order = sorted(one.found, key=lambda method: -(one.scores[method] or 0.0))
    judged = len(one.common)
    cases = str(judged) if judged == one.cases else f"{judged} of {one.cases}"
    rows = []
    for method in order:
        found = one.found[method]
        cells = {"method": method, "cases": cases}
        for measure in _OF_LESIONS:
            cells[MEASURES[measure]] = one.estimate(method, measure).text()
        for measure in ("average_precision", "stored_dice"):
            cells[f"{MEASURES[measure]} - best"] = _behind(one, method, measure)
        cells |= {
            "pooled AP": _number(found.evaluation.pooled_average_precision),
            "case AUROC": _number(one.case_auroc(method)),
            "slice AUROC": _number(found.evaluation.slice_auroc),
            "healthy FP mL": one.estimate(method, "false_positive_ml").text(2),
        }
        for size in one.recall(method):
            cells[f"found {size.size}"] = f"{size.found}/{size.lesions}" if size.lesions else "-"
        cells |= {"s": _number(found.cost.seconds, 1), "peak MB": _number(found.cost.peak_mb, 0)}
        rows.append(cells)
    return rows


def _behind(one: SetResult, method: str, measure: Measure) -> str:
    if method == one.best:
        return "best"
    difference = one.behind_best(method, measure)
    return "n/a" if difference is None else difference.text()


def _flat_rows(one: SetResult, methods: Sequence[TrainedMethod]) -> list[dict[str, object]]:
    """Rows of `compare.csv`: everything, a row for each method on this set."""
    known = {method: score for method, score in one.scores.items() if score is not None}
    placed = ranks(known)
    rows: list[dict[str, object]] = []
    for method in methods:
        name = method.name
        if name not in one.found:
            continue
        found = one.found[name]
        row: dict[str, object] = {"set": one.one.name, "method": name, "cases": len(one.common)}
        row |= {"cases_in_set": one.cases, "rank": placed.get(name)}
        for measure in MEASURES:
            row |= _cells(measure, one.estimate(name, measure))
        for measure in _OF_LESIONS:
            row |= _cells(f"{measure}_minus_best", one.behind_best(name, measure))
        row |= {
            "pooled_average_precision": found.evaluation.pooled_average_precision,
            "case_auroc": one.case_auroc(name),
            "slice_auroc": found.evaluation.slice_auroc,
        }
        for size in one.recall(name):
            row |= {f"lesions {size.size}": size.lesions, f"found {size.size}": size.found}
        row |= {
            "seconds": found.cost.seconds,
            "peak_mb": found.cost.peak_mb,
            "device": found.cost.device,
            "parameters": method.parameters,
            "reduced": method.reduced,
            "epochs": method.epochs,
            "steps": method.steps,
            "batch_size": method.batch_size,
            "minutes": method.minutes,
            "stopped": method.stopped,
            "own_model": method.own,
        }
        rows.append({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()})
    return rows


def _cells(name: str, estimate: Estimate | None) -> dict[str, object]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.mean, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _draw(one: SetResult, target: Path) -> None:
    measure = one.judged_by
    values = {method: list(one.values(method, measure).values()) for method in one.found}
    kind = "healthy cases" if measure == "false_positive_ml" else "cases with lesions"
    title = f"{one.one.name}, {max(map(len, values.values()))} {kind}"
    dot_figure(values, target, title, MEASURES[measure])
