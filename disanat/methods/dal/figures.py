"""Figures of a batch of held-out cases."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from disanat.scoring import ranking

__all__ = ["average_precision", "mean_dice"]


def mean_dice(named: Tensor, labels: Tensor, classes: int) -> float:
    """Mean over the classes that are there."""
    values = []
    for k in range(1, classes + 1):
        a, b = named == k, labels == k
        if bool(b.any()):
            values.append(2 * float((a & b).sum()) / float(a.sum() + b.sum()))
    return float(np.mean(values)) if values else 0.0


def average_precision(score: Tensor, truth: Tensor) -> float:
    """Of a batch; 0 where it holds no lesion."""
    lesion = truth.cpu().numpy()
    found = ranking.rank(score.float().cpu().numpy(), lesion, np.ones_like(lesion))
    return ranking.average_precision(found) or 0.0
