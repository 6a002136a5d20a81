"""Precision and recall of a set, as curves that can be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from disanat.scoring.ranking import Ranking, precision_at

__all__ = ["RECALLS", "Curves"]

RECALLS = np.linspace(0.01, 1.0, 100)


@dataclass
class Curves:
    """Collects a curve of each case with lesions; `add` is given to `evaluate_folder`."""

    cases: dict[str, np.ndarray] = field(default_factory=dict)
    """By case: the precision at each of `RECALLS`."""

    def add(self, case: str, ranking: Ranking) -> None:
        if ranking.positives:
            self.cases[case] = precision_at(ranking, RECALLS)

    @property
    def mean(self) -> np.ndarray | None:
        """The mean precision at each recall; None without lesions."""
        return np.mean(list(self.cases.values()), axis=0) if self.cases else None
