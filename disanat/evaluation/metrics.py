"""Voxel and slice metrics, exact: from sorted scores, with no binning of thresholds.

Voxels inside the brain mask count. Lesion voxels outside it cannot be found any more, so they are
misses at every threshold: they enlarge the denominator of recall and of Dice, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Ranking",
    "area_under_roc",
    "average_precision",
    "best_dice",
    "dice",
    "pool",
    "precision_at",
    "rank",
    "slice_scores",
    "true_positive_rate",
]

_SLICE_PERCENTILE = 99.0


@dataclass(frozen=True)
class Ranking:
    """The scores of one scan (or of a whole set) inside the brain, sorted ascending.

    `lost` counts the lesion voxels outside the brain mask.
    """

    lesion: np.ndarray
    other: np.ndarray
    lost: int

    @property
    def positives(self) -> int:
        """All lesion voxels, found or lost."""
        return self.lesion.size + self.lost


def rank(score: np.ndarray, lesion: np.ndarray, brain: np.ndarray) -> Ranking:
    """Sort the scores inside the brain.

    Args:
        score: any shape; higher is more abnormal.
        lesion: bool, same shape, the truth.
        brain: bool, same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if not score.shape == lesion.shape == brain.shape:
        raise ValueError(f"shapes differ: {score.shape}, {lesion.shape}, {brain.shape}")
    return Ranking(
        np.sort(score[lesion & brain]),
        np.sort(score[~lesion & brain]),
        int(np.count_nonzero(lesion & ~brain)),
    )


def pool(rankings: Sequence[Ranking]) -> Ranking:
    """All voxels of a set of scans as if they were one scan."""
    empty = [np.empty(0, np.float32)]
    return Ranking(
        np.sort(np.concatenate(empty + [r.lesion for r in rankings])),
        np.sort(np.concatenate(empty + [r.other for r in rankings])),
        sum(r.lost for r in rankings),
    )


def _steps(ranking: Ranking) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds at which recall grows: value, lesion voxels there, true and all positives.

    Only values that a lesion voxel has matter: between two of them a lower threshold adds healthy
    voxels alone, which changes no recall and lowers precision and Dice.
    """
    values, first, counts = np.unique(ranking.lesion, return_index=True, return_counts=True)
    true = ranking.lesion.size - first
    false = ranking.other.size - np.searchsorted(ranking.other, values, side="left")
    return values, counts, true, true + false


def average_precision(ranking: Ranking) -> float | None:
    """sum over thresholds of (increase of recall) x precision; ties share one threshold.

    Equals `sklearn.metrics.average_precision_score` when no lesion voxel is lost. None without
    lesions.
    """
    if ranking.positives == 0:
        return None
    _, counts, true, called = _steps(ranking)
    return float(np.sum(counts * (true / called)) / ranking.positives)


def precision_at(ranking: Ranking, recalls: np.ndarray) -> np.ndarray:
    """The precision at the highest threshold that reaches each recall.

    Args:
        ranking: of a scan with lesions.
        recalls: above 0, at most 1.

    Returns:
        Of the shape of `recalls`; 0 where no threshold reaches it, as lesion voxels are lost.
    """
    _, _, true, called = _steps(ranking)
    reached, precision = true[::-1] / ranking.positives, (true / called)[::-1]
    at = np.searchsorted(reached, np.asarray(recalls) - 1e-9)
    return np.append(precision, 0.0)[at]


def best_dice(ranking: Ranking) -> tuple[float, float | None] | None:
    """The best Dice that any threshold reaches, and that threshold (score >= threshold).

    None without lesions; (0, None) when all of them lie outside the brain mask.
    """
    if ranking.positives == 0:
        return None
    values, _, true, called = _steps(ranking)
    if values.size == 0:
        return 0.0, None
    scores = 2 * true / (called + ranking.positives)
    at = int(np.argmax(scores))
    return float(scores[at]), float(values[at])


def dice(mask: np.ndarray, lesion: np.ndarray, brain: np.ndarray) -> float | None:
    """Dice of a binary mask, cut to the brain, with the whole lesion. None without lesions."""
    positives = np.count_nonzero(lesion)
    if positives == 0:
        return None
    inside = mask & brain
    overlap = np.count_nonzero(inside & lesion)
    return float(2 * overlap / (np.count_nonzero(inside) + positives))


def slice_scores(
    score: np.ndarray, lesion: np.ndarray, brain: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One score and one truth for each axial slice that holds brain or lesion.

    A slice's score is the 99th percentile of its voxels inside the brain; -inf for a slice whose
    lesion lies wholly outside the brain mask (a miss).

    Args:
        score, lesion, brain: axes S, P, L.
    """
    scores, truths = [], []
    for values, sick, inside in zip(score, lesion, brain):
        if not (inside.any() or sick.any()):
            continue
        seen = values[inside]
        scores.append(float(np.percentile(seen, _SLICE_PERCENTILE)) if seen.size else -np.inf)
        truths.append(bool(sick.any()))
    return np.array(scores), np.array(truths, dtype=bool)


def area_under_roc(scores: np.ndarray, truths: np.ndarray) -> float | None:
    """Area under the receiver operating characteristic; None unless both kinds are there.

    Scores of -inf rank below every other.
    """
    if truths.all() or not truths.any():
        return None
    from sklearn.metrics import roc_auc_score  # a second to load; voxels' metrics need none

    _, ranks = np.unique(scores, return_inverse=True)
    return float(roc_auc_score(truths, ranks))


def true_positive_rate(
    positives: Sequence[float], negatives: Sequence[float], false_positives: float
) -> float | None:
    """Share of the positives that is found while so many of the negatives at most are called.

    Whatever lies above the highest negatives that may be called counts as found. None without
    positives, and where the negatives are so few that one of them would already be too many.
    """
    allowed = int(np.floor(false_positives * len(negatives) + 1e-9))
    if not allowed or not len(positives):
        return None
    limit = np.sort(np.asarray(negatives, dtype=float))[::-1][allowed]
    return float(np.mean(np.asarray(positives, dtype=float) > limit))
