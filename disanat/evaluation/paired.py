"""Methods against each other on the same patients: paired differences, ranks, wins and losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from disanat.evaluation.bootstrap import Estimate, estimate_mean

__all__ = ["Standing", "best_of", "paired_difference", "ranks", "standings"]


@dataclass(frozen=True)
class Standing:
    """How a method stands over several sets."""

    mean_rank: float
    """1 is best; ties share the mean of their ranks."""
    sets: int
    """Over how many: those for which every method has a score."""
    wins: int
    """How often, over sets and other methods, its score is the higher one."""
    losses: int
    """How often it is the lower one; ties are neither."""


def paired_difference(
    values: Mapping[str, float | None], others: Mapping[str, float | None], seed: int = 0
) -> Estimate:
    """Mean of `values` minus `others` over the cases that have both, with its 95% interval.

    What one patient is harder than another drops out of a difference, so that its interval is
    narrower than those of the two means.

    Args:
        values: of one method, by case; None where the measure does not exist.
        others: the same measure of another method.
        seed: of the resampling.
    """
    pairs = [(values[case], others[case]) for case in sorted(values.keys() & others.keys())]
    return estimate_mean([a - b for a, b in pairs if a is not None and b is not None], seed)


def best_of(scores: Mapping[str, float | None]) -> str | None:
    """The method with the highest score, the first of those that share it; None without any."""
    known = {method: score for method, score in scores.items() if score is not None}
    return max(known, key=lambda method: known[method]) if known else None


def ranks(scores: Mapping[str, float]) -> dict[str, float]:
    """Rank of each method, 1 for the highest score; ties share the mean of their ranks."""
    if not scores:
        return {}
    placed = rankdata([-score for score in scores.values()], method="average")
    return dict(zip(scores, map(float, placed), strict=True))


def standings(sets: Sequence[Mapping[str, float | None]]) -> dict[str, Standing]:
    """Mean rank, wins and losses of each method over the sets that all of them have a score for.

    Args:
        sets: for each set, the score of each method; higher is better, None or absent where it has
            none. A method without any score at all is left out; it does not spoil the sets.

    Returns:
        By method; empty if there is no set for which all of them have a score.
    """
    there = [{m: s for m, s in scores.items() if s is not None} for scores in sets]
    methods = list(dict.fromkeys(method for scores in there for method in scores))
    whole = [scores for scores in there if scores and len(scores) == len(methods)]
    if not whole:
        return {}
    placed = [ranks(scores) for scores in whole]

    def one(method: str) -> Standing:
        gaps = [scores[method] - scores[other] for scores in whole for other in methods]
        return Standing(
            mean_rank=float(np.mean([places[method] for places in placed])),
            sets=len(whole),
            wins=sum(gap > 0 for gap in gaps),
            losses=sum(gap < 0 for gap in gaps),
        )

    return {method: one(method) for method in methods}
