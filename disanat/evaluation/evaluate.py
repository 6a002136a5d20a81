"""Judge a folder of predictions against expert masks."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cattrs
import numpy as np
from tqdm import tqdm

from disanat.errors import DatasetError
from disanat.evaluation.bootstrap import Estimate, estimate_mean
from disanat.evaluation.contrast import lesion_contrasts
from disanat.evaluation.lesions import (
    JudgedLesion,
    LesionRecall,
    add_recalls,
    judge_lesions,
    number_lesions,
    recall_by_size,
)
from disanat.evaluation.metrics import area_under_roc, dice, slice_scores
from disanat.evaluation.predicted import predicted_cases
from disanat.evaluation.scans import Scans
from disanat.evaluation.tables import read_case_table
from disanat.home import atomic_path, read_json, write_json
from disanat.inference.layout import Layout, layout_of
from disanat.inference.records import TABLE
from disanat.io.cases import find_image
from disanat.io.images import ENDINGS, Scan, read_labels, read_scan, same_grid
from disanat.plans import fault_in, from_dict
from disanat.scoring.ranking import Ranking, average_precision, best_dice, pool, rank

__all__ = [
    "CaseResult",
    "Evaluation",
    "evaluate_folder",
    "label_path",
    "read_evaluation",
    "write_evaluation",
]

logger = logging.getLogger(__name__)



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
    lesions: tuple[JudgedLesion, ...] = ()
    """Each by itself; empty in files of an earlier disanat."""


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
    predictions: Path,
    labels: Path,
    seen: Callable[[str, Ranking], None] | None = None,
    scans: Scans | None = None,
) -> Evaluation:
    """Compare anomaly map, lesion mask and brain mask of each case with `labels/CASE`.

    Every label above 0 is lesion; a label map of zeros alone says that the brain is healthy.

    Args:
        predictions: what `disanat_predict` wrote.
        labels: expert masks.
        seen: called with each case and its sorted scores.
        scans: what was predicted: gives each lesion its contrast. A scan that is gone, or was
            registered from another grid, leaves it unknown.

    Raises:
        DatasetError: no predictions, a case without a label, or a label on another grid.
        ImageError: a file that cannot be read.
    """
    for folder, flag in ((predictions, "-i"), (labels, "-l")):
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder: check the path given with {flag}.")
    layout = layout_of(predictions)
    cases = predicted_cases(predictions, layout)
    scores, channels = read_case_table(predictions / TABLE)
    truths = {case: _require_label(labels, case) for case in cases}
    judged = []
    for case in tqdm(cases, desc="judging", unit="case", disable=None):
        shown = scans.readable(case, channels.get(case, (0,))) if scans else ()
        judged.append(_judge(predictions, layout, case, truths[case], scores.get(case), shown))
        if seen is not None:
            seen(case, judged[-1].ranking)
    missing = tuple(sorted(set(_labelled(labels)) - set(cases)))
    if missing:
        logger.warning("No prediction for %s: left out of every mean.", ", ".join(missing))
    return _summarise(judged, missing)


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
    predictions: Path,
    layout: Layout,
    case: str,
    truth: Path,
    case_score: float | None,
    shown: Sequence[Scan],
) -> _Judged:
    score = read_scan(predictions / layout.path(case, "anomaly"))
    lesion = _on_grid(score, read_labels(truth)).array > 0
    brain = _on_grid(score, read_labels(predictions / layout.path(case, "brainmask"))).array > 0
    mask = _on_grid(score, read_labels(predictions / layout.path(case, "mask"))).array > 0
    ranking = rank(score.array, lesion, brain)
    voxel_ml = float(np.prod(score.spacing)) / 1000
    best = best_dice(ranking)
    images = [one.array for one in shown if same_grid(one.geometry, score.geometry)]
    labels, count = number_lesions(lesion)
    contrasts = lesion_contrasts(images, labels, count, brain, score.spacing)
    lesions = judge_lesions(labels, count, mask, brain, voxel_ml, contrasts)
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
        recall=recall_by_size(lesions),
        lesions=lesions,
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
    row = {k: v for k, v in asdict(result).items() if k not in ("recall", "lesions")}
    for entry in result.recall:
        row[f"lesions {entry.size}"] = entry.lesions
        row[f"found {entry.size}"] = entry.found
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
