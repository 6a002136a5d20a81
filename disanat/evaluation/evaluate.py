"""Judge a folder of predictions against expert masks."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cattrs
import numpy as np
from tqdm import tqdm

from disanat.errors import DatasetError
from disanat.evaluation.bootstrap import Estimate, estimate_mean
from disanat.evaluation.lesions import LesionRecall, add_recalls, lesion_recall
from disanat.evaluation.metrics import (
    Ranking,
    area_under_roc,
    average_precision,
    best_dice,
    dice,
    pool,
    rank,
    slice_scores,
)
from disanat.evaluation.tables import read_number, read_table
from disanat.home import atomic_path, read_json, write_json
from disanat.inference.layout import Layout, layout_of
from disanat.inference.records import TABLE
from disanat.io.cases import find_image
from disanat.io.images import ENDINGS, Scan, read_labels, read_scan, same_grid
from disanat.plans import fault_in, from_dict

__all__ = [
    "CaseResult",
    "Evaluation",
    "evaluate_folder",
    "label_path",
    "read_evaluation",
    "write_evaluation",
]

logger = logging.getLogger(__name__)

_SUFFIX = "_anomaly.nii.gz"


@dataclass(frozen=True)
class CaseResult:
    """One scan. Measures that do not exist (Dice of a healthy brain) are None."""

    case: str
    healthy: bool
    """The truth is empty."""
    lesion_ml: float
    lesion_voxels: int
    lost_voxels: int
    """Lesion voxels outside the brain mask: misses at every threshold."""
    average_precision: float | None
    best_dice: float | None
    best_threshold: float | None
    stored_dice: float | None
    """Dice of the mask written at the stored threshold."""
    false_positive_ml: float
    """Volume of the mask outside the lesion."""
    case_score: float | None
    """From predictions.csv."""
    recall: tuple[LesionRecall, ...]


@dataclass(frozen=True)
class Evaluation:
    """A whole set: means are over its cases with lesions, intervals over patients."""

    cases: tuple[CaseResult, ...]
    not_predicted: tuple[str, ...]
    """Cases that have a label but no prediction; they are in no mean."""
    average_precision: Estimate
    best_dice: Estimate
    stored_dice: Estimate
    pooled_average_precision: float | None
    slice_auroc: float | None
    case_auroc: float | None
    """None unless healthy and ill cases are both there."""
    healthy_false_positive_ml: Estimate
    lesion_voxels: int
    lost_voxels: int
    recall: tuple[LesionRecall, ...]


@dataclass(frozen=True)
class _Judged:
    """One scan's result with the sorted scores that the set's measures still need."""

    result: CaseResult
    ranking: Ranking
    slices: tuple[np.ndarray, np.ndarray]


def label_path(labels: Path, case: str) -> Path | None:
    """The label map of a case, whatever its image ending; None where there is none.

    Raises:
        DatasetError: it is there with two endings.
    """
    return find_image(labels, case)


def evaluate_folder(
    predictions: Path, labels: Path, seen: Callable[[str, Ranking], None] | None = None
) -> Evaluation:
    """Compare anomaly map, lesion mask and brain mask of each case with `labels/CASE`.

    Every label above 0 is lesion; a label map of zeros alone says that the brain is healthy.

    Args:
        predictions: what `disanat_predict` wrote.
        labels: expert masks.
        seen: called with each case and its sorted scores.

    Raises:
        DatasetError: no predictions, a case without a label, or a label on another grid.
        ImageError: a file that cannot be read.
    """
    for folder, flag in ((predictions, "-i"), (labels, "-l")):
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder: check the path given with {flag}.")
    layout = layout_of(predictions)
    cases = _predicted(predictions, layout)
    scores = _case_scores(predictions / TABLE)
    truths = {case: _require_label(labels, case) for case in cases}
    judged = []
    for case in tqdm(cases, desc="judging", unit="case", disable=None):
        judged.append(_judge(predictions, layout, case, truths[case], scores.get(case)))
        if seen is not None:
            seen(case, judged[-1].ranking)
    missing = tuple(sorted(set(_labelled(labels)) - set(cases)))
    if missing:
        logger.warning("No prediction for %s: left out of every mean.", ", ".join(missing))
    return _summarise(judged, missing)


def _predicted(predictions: Path, layout: Layout) -> list[str]:
    """Cases that have results, sorted. Names in BIDS do not say the case's: the table does."""
    if layout.bids:
        remedy = "predict the cases again with disanat_predict --bids"
        rows = read_table(predictions / TABLE, ("case", "status"), remedy)
        cases = sorted({row["case"] for row in rows if row["status"] != "failed"})
    else:
        cases = sorted(p.name[: -len(_SUFFIX)] for p in predictions.glob(f"*{_SUFFIX}"))
    if not cases:
        raise DatasetError(
            f"{predictions} holds no predictions (CASE{_SUFFIX}): run disanat_predict with "
            f"-o {predictions} first."
        )
    return cases


def _labelled(labels: Path) -> list[str]:
    return [
        path.name[: -len(ending)]
        for path in labels.iterdir()
        for ending in ENDINGS
        if path.name.endswith(ending) and not path.name.startswith(".")
    ]


def _require_label(labels: Path, case: str) -> Path:
    found = label_path(labels, case)
    if found is None:
        raise DatasetError(
            f"{labels} has no label map for case {case}: put it there as {case}.nii.gz (all zero "
            "for a healthy brain), or take the case out of the predictions."
        )
    return found


def _case_scores(table: Path) -> Mapping[str, float]:
    if not table.is_file():
        return {}
    rows = read_table(table, ("case", "case_score"), "predict the cases again")
    scores: dict[str, float] = {}
    for row in rows:
        case, score = row["case"], row["case_score"]
        if case in scores:
            raise DatasetError(f"{table} has two rows of case {case}: predict the cases again.")
        if score:
            scores[case] = read_number(table, "case_score", score, "predict the cases again")
    return scores


def _on_grid(scan: Scan, other: Scan) -> Scan:
    if not same_grid(scan.geometry, other.geometry):
        raise DatasetError(
            f"{other.path} lies on another grid than {scan.path} (size "
            f"{'x'.join(map(str, other.geometry.size))} against "
            f"{'x'.join(map(str, scan.geometry.size))}, or another place): resample it to the "
            "scan's grid with nearest neighbours."
        )
    return other


def _judge(
    predictions: Path, layout: Layout, case: str, truth: Path, case_score: float | None
) -> _Judged:
    score = read_scan(predictions / layout.path(case, "anomaly"))
    lesion = _on_grid(score, read_labels(truth)).array > 0
    brain = _on_grid(score, read_labels(predictions / layout.path(case, "brainmask"))).array > 0
    mask = _on_grid(score, read_labels(predictions / layout.path(case, "mask"))).array > 0
    ranking = rank(score.array, lesion, brain)
    voxel_ml = float(np.prod(score.spacing)) / 1000
    best = best_dice(ranking)
    result = CaseResult(
        case=case,
        healthy=ranking.positives == 0,
        lesion_ml=ranking.positives * voxel_ml,
        lesion_voxels=ranking.positives,
        lost_voxels=ranking.lost,
        average_precision=average_precision(ranking),
        best_dice=best[0] if best else None,
        best_threshold=best[1] if best else None,
        stored_dice=dice(mask, lesion, brain),
        false_positive_ml=int(np.count_nonzero(mask & brain & ~lesion)) * voxel_ml,
        case_score=case_score,
        recall=lesion_recall(mask, lesion, brain, voxel_ml),
    )
    return _Judged(result, ranking, slice_scores(score.array, lesion, brain))


def _summarise(judged: list[_Judged], missing: tuple[str, ...]) -> Evaluation:
    results = tuple(j.result for j in judged)
    scored = [r for r in results if r.case_score is not None]
    return Evaluation(
        cases=results,
        not_predicted=missing,
        average_precision=estimate_mean([r.average_precision for r in results]),
        best_dice=estimate_mean([r.best_dice for r in results]),
        stored_dice=estimate_mean([r.stored_dice for r in results]),
        pooled_average_precision=average_precision(pool([j.ranking for j in judged])),
        slice_auroc=area_under_roc(
            np.concatenate([j.slices[0] for j in judged]),
            np.concatenate([j.slices[1] for j in judged]),
        ),
        case_auroc=area_under_roc(
            np.array([r.case_score for r in scored], dtype=float),
            np.array([not r.healthy for r in scored], dtype=bool),
        ),
        healthy_false_positive_ml=estimate_mean(
            [r.false_positive_ml for r in results if r.healthy]
        ),
        lesion_voxels=sum(r.lesion_voxels for r in results),
        lost_voxels=sum(r.lost_voxels for r in results),
        recall=add_recalls(r.recall for r in results),
    )


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write `evaluation.json` (everything) and `evaluation.csv` (a row a case) into a folder."""
    write_json(asdict(evaluation), folder / "evaluation.json")
    with (
        atomic_path(folder / "evaluation.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as handle,
    ):
        rows = [_row(result) for result in evaluation.cases]
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_evaluation(folder: Path) -> Evaluation:
    """What `write_evaluation` wrote into a folder.

    Raises:
        DatasetError: it is absent or damaged.
    """
    source, remedy = folder / "evaluation.json", "run disanat_evaluate again"
    data = read_json(source, DatasetError, remedy)
    try:
        return from_dict(data, Evaluation)
    except (cattrs.BaseValidationError, TypeError, ValueError, OverflowError) as cause:
        details = " ".join(fault_in(cause).split())[:240]
        raise DatasetError(f"{source} is no evaluation ({details}): {remedy}.") from cause


def _row(result: CaseResult) -> dict[str, object]:
    row = {k: v for k, v in asdict(result).items() if k != "recall"}
    for entry in result.recall:
        row[f"lesions {entry.size}"] = entry.lesions
        row[f"found {entry.size}"] = entry.found
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
