"""Metrics of masks, slices and cases; those of voxels' scores are in `disanat.scoring.ranking`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["area_under_roc", "dice", "slice_scores", "true_positive_rate"]

_SLICE_PERCENTILE = 99.0


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
