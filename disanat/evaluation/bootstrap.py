"""How sure a mean over patients, or an area under a ROC, is: percentile bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from disanat.evaluation.metrics import area_under_roc

__all__ = [
    "FEWEST_CASES",
    "Estimate",
    "estimate_area",
    "estimate_mean",
    "estimate_median",
    "estimate_share",
]

FEWEST_CASES = 5
_RESAMPLES = 5000
_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean (or median) over patients, or an area under a ROC, with its 95% interval.

    None where there is nothing to say.
    """

    mean: float | None
    low: float | None
    high: float | None
    cases: int

    def text(self, digits: int = 3) -> str:
        """`0.612 [0.540, 0.688]`, or `0.612 [n/a]` below five cases, or `n/a`."""
        if self.mean is None:
            return "n/a"
        if self.low is None or self.high is None:
            return f"{self.mean:.{digits}f} [n/a]"
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def estimate_mean(values: Sequence[float | None], seed: int = 0) -> Estimate:
    """Mean and 95% percentile interval over patients resampled with replacement.

    Args:
        values: one per patient; None where the measure does not exist, and left out.
        seed: of the resampling; the same values always give the same interval.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    return _estimate(values, np.mean, seed)


def estimate_median(values: Sequence[float | None], seed: int = 0) -> Estimate:
    """Median, in `mean`'s place, and its interval; otherwise like `estimate_mean`."""
    return _estimate(values, np.median, seed)


def _estimate(
    values: Sequence[float | None], statistic: Callable[..., Any], seed: int
) -> Estimate:
    known = np.array([v for v in values if v is not None], dtype=float)
    if known.size == 0:
        return Estimate(None, None, None, 0)
    middle = float(statistic(known))
    if known.size < FEWEST_CASES:
        return Estimate(middle, None, None, int(known.size))
    chosen = np.random.default_rng(seed).integers(known.size, size=(_RESAMPLES, known.size))
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(statistic(known[chosen], axis=1), (tail, 100 - tail))
    return Estimate(middle, float(low), float(high), int(known.size))


def estimate_share(found: Sequence[int], of: Sequence[int], seed: int = 0) -> Estimate:
    """Share of all things that are found, where each patient has several of them.

    Patients are resampled, not things: those of one patient are alike.

    Args:
        found: how many of them, for each patient.
        of: how many there are, for each patient; one who has none is left out.
        seed: of the resampling.

    Returns:
        With the share in `mean`'s place, and in `cases` the patients who have any.
    """
    there = np.asarray(of, dtype=float)
    hits = np.asarray(found, dtype=float)[there > 0]
    there = there[there > 0]
    if there.size == 0:
        return Estimate(None, None, None, 0)
    share = float(hits.sum() / there.sum())
    if there.size < FEWEST_CASES:
        return Estimate(share, None, None, int(there.size))
    chosen = np.random.default_rng(seed).integers(there.size, size=(_RESAMPLES, there.size))
    tail = 100 * (1 - _LEVEL) / 2
    shares = hits[chosen].sum(axis=1) / there[chosen].sum(axis=1)
    low, high = np.percentile(shares, (tail, 100 - tail))
    return Estimate(share, float(low), float(high), int(there.size))


def estimate_area(
    positives: Sequence[float], negatives: Sequence[float], seed: int = 0
) -> Estimate:
    """Area under the ROC of two groups of patients, with its 95% percentile interval.

    Each group is resampled with replacement by itself, so that both keep their sizes. Groups that
    do not overlap at all give the interval [1, 1] or [0, 0]: it then says too little.

    Args:
        positives: a score for each patient of the group that should have the higher ones.
        negatives: a score for each patient of the other group.
        seed: of the resampling; the same scores always give the same interval.

    Returns:
        Without an interval below five patients in either group, without an area where one is
        empty; `cases` counts both groups.
    """
    high, low = np.asarray(positives, dtype=float), np.asarray(negatives, dtype=float)
    cases = int(high.size + low.size)
    truths = np.repeat([True, False], [high.size, low.size])
    area = area_under_roc(np.concatenate([high, low]), truths) if cases else None
    if area is None or min(high.size, low.size) < FEWEST_CASES:
        return Estimate(area, None, None, cases)
    # The area is the share of pairs in the right order, so that resampling patients is weighing
    # pairs by how often both of their patients were drawn.
    above = (high[:, None] > low[None]) + 0.5 * (high[:, None] == low[None])
    rng = np.random.default_rng(seed)
    drawn = [rng.multinomial(n, np.full(n, 1 / n), _RESAMPLES) for n in above.shape]
    areas = ((drawn[0] @ above) * drawn[1]).sum(axis=1) / above.size
    tail = 100 * (1 - _LEVEL) / 2
    ends = np.percentile(areas, (tail, 100 - tail))
    return Estimate(area, float(ends[0]), float(ends[1]), cases)
