"""Voxels by their scores: the exact average precision, and the best Dice, of any threshold.

Voxels inside the brain mask count. Lesion voxels outside it cannot be found any more, so they are
misses at every threshold: they enlarge the denominator of recall and of Dice, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Ranking",
    "average_precision",
    "best_dice",
    "pool",
    "precision_at",
    "rank",
    "recall_steps",
]


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


def recall_steps(ranking: Ranking) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
    _, counts, true, called = recall_steps(ranking)
    return float(np.sum(counts * (true / called)) / ranking.positives)


def precision_at(ranking: Ranking, recalls: np.ndarray) -> np.ndarray:
    """The precision at the highest threshold that reaches each recall.

    Args:
        ranking: of a scan with lesions.
        recalls: above 0, at most 1.

    Returns:
        Of the shape of `recalls`; 0 where no threshold reaches it, as lesion voxels are lost.
    """
    _, _, true, called = recall_steps(ranking)
    reached, precision = true[::-1] / ranking.positives, (true / called)[::-1]
    at = np.searchsorted(reached, np.asarray(recalls) - 1e-9)
    return np.append(precision, 0.0)[at]


def best_dice(ranking: Ranking) -> tuple[float, float | None] | None:
    """The best Dice that any threshold reaches, and that threshold (score >= threshold).

    None without lesions; (0, None) when all of them lie outside the brain mask.
    """
    if ranking.positives == 0:
        return None
    values, _, true, called = recall_steps(ranking)
    if values.size == 0:
        return 0.0, None
    scores = 2 * true / (called + ranking.positives)
    at = int(np.argmax(scores))
    return float(scores[at]), float(values[at])
