"""How sure a mean over patients is: percentile bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["FEWEST_CASES", "Estimate", "estimate_mean"]

FEWEST_CASES = 5
_RESAMPLES = 5000
_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over patients with its 95% interval; None where there is nothing to say."""

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
    known = np.array([v for v in values if v is not None], dtype=float)
    if known.size == 0:
        return Estimate(None, None, None, 0)
    mean = float(known.mean())
    if known.size < FEWEST_CASES:
        return Estimate(mean, None, None, int(known.size))
    chosen = np.random.default_rng(seed).integers(known.size, size=(_RESAMPLES, known.size))
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(known[chosen].mean(axis=1), (tail, 100 - tail))
    return Estimate(mean, float(low), float(high), int(known.size))
