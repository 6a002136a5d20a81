"""The case as a whole: one score, and how rare it is among healthy cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["ANY", "CaseP", "case_p_value", "case_score"]

ANY = "any"
"""Name of what is kept for all kinds of contrast together."""
_CASE_SCORE_ML = 1.0
_FEWEST = 5


@dataclass(frozen=True)
class CaseP:
    """How rare a case score is among healthy cases.

    `value` is (1 + healthy cases that score at least as high) / (n + 1); it cannot fall below
    `resolution`, which is 1 / (n + 1).
    """

    value: float
    resolution: float


def case_score(anomaly: np.ndarray, voxel_ml: float) -> float:
    """The score that the most anomalous millilitre of the brain reaches throughout.

    Args:
        anomaly: scores of the brain's voxels, flat.
        voxel_ml: volume of a voxel.
    """
    if anomaly.size == 0:
        return 0.0
    rank = min(anomaly.size, max(1, round(_CASE_SCORE_ML / voxel_ml)))
    return float(np.partition(anomaly, -rank)[-rank])


def case_p_value(
    score: float, healthy: Mapping[str, Sequence[float]], contrasts: Sequence[str]
) -> CaseP | None:
    """The p-value of a case score against healthy cases of its kind of contrast.

    Args:
        score: of the case.
        healthy: case scores of healthy cases by kind of contrast, all together as `ANY`.
        contrasts: of the case's channels. If they differ, or if there are fewer than five healthy
            scores of their kind, those of all kinds together are taken.

    Returns:
        None where there are no healthy scores, as in models of earlier versions.
    """
    own = healthy.get(contrasts[0], ()) if len(set(contrasts)) == 1 else ()
    reference = np.asarray(own if len(own) >= _FEWEST else healthy.get(ANY, ()), float)
    if reference.size == 0:
        return None
    resolution = 1 / (reference.size + 1)
    return CaseP((1 + int(np.count_nonzero(reference >= score))) * resolution, resolution)
