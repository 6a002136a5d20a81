"""What a comparison found: each method's training, and how all of them did on each set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from disanat.errors import ModelError
from disanat.evaluation.bootstrap import Estimate, estimate_mean
from disanat.evaluation.evaluate import CaseResult
from disanat.evaluation.lesions import LesionRecall, add_recalls
from disanat.evaluation.metrics import area_under_roc
from disanat.evaluation.paired import best_of, paired_difference
from disanat.experiments.measure import Measured
from disanat.experiments.sets import LabelledSet
from disanat.home import read_json
from disanat.inference.model import DESCRIPTION, REMEDY, load_model
from disanat.methods.interface import Method

__all__ = ["MEASURES", "Measure", "SetResult", "TrainedMethod", "trained_method"]

Measure = Literal["average_precision", "best_dice", "stored_dice", "false_positive_ml"]
MEASURES: dict[Measure, str] = {
    "average_precision": "AP",
    "best_dice": "best_dice",
    "stored_dice": "dice",
    "false_positive_ml": "healthy FP mL",
}
"""Those with a value for each case, and what the table calls them. The last is of healthy cases."""


@dataclass(frozen=True)
class TrainedMethod:
    """A method's model, and what its training took."""

    name: str
    folder: Path
    own: bool
    """It was trained by the user, not by the comparison."""
    epochs: int
    steps: int
    batch_size: int
    minutes: float | None
    stopped: str
    """`plateau`, `epochs` (all were trained), `minutes`, `untrained`; empty where unknown."""
    parameters: int
    features: int
    published_features: int | None

    @property
    def reduced(self) -> bool:
        """Its network is narrower than the one of its authors."""
        return self.published_features is not None and self.features < self.published_features


def trained_method(folder: Path, own: bool) -> TrainedMethod:
    """What a finished model says about itself.

    Raises:
        ModelError: there is none, or a damaged one.
    """
    model = load_model(folder)
    method = model.method
    if not isinstance(method, Method):
        raise ModelError(f"{folder} is an ensemble: compare single folds.")
    facts = dict(read_json(folder / DESCRIPTION, ModelError, REMEDY).get("facts", {}))
    return TrainedMethod(
        name=method.name,
        folder=folder,
        own=own,
        epochs=int(facts.get("epochs", 0)),
        steps=model.configuration.iterations_per_epoch,
        batch_size=model.configuration.batch_size,
        minutes=facts.get("minutes"),
        stopped=str(facts.get("stopped", "")) if method.trainable else "untrained",
        parameters=sum(p.numel() for p in method.networks().parameters()),
        features=model.configuration.encoder.features[0],
        published_features=method.published_features,
    )


@dataclass(frozen=True)
class SetResult:
    """One set: how many cases it has, and what each method that could predict it found.

    Means, differences, case AUROC and recall are over the cases that all these methods predicted:
    a failure must not flatter the mean of the method that failed.
    """

    one: LabelledSet
    cases: int
    found: Mapping[str, Measured]

    @cached_property
    def common(self) -> frozenset[str]:
        """The cases that every method with a result predicted."""
        predicted = [{r.case for r in m.evaluation.cases} for m in self.found.values()]
        return frozenset(set.intersection(*predicted)) if predicted else frozenset()

    @property
    def judged_by(self) -> Measure:
        """Average precision; in a set without any lesion the false positives."""
        ill = any(not r.healthy for method in self.found for r in self.results(method))
        return "average_precision" if ill or not self.found else "false_positive_ml"

    def results(self, method: str) -> list[CaseResult]:
        """The method's results of the common cases."""
        return [r for r in self.found[method].evaluation.cases if r.case in self.common]

    def values(self, method: str, measure: Measure) -> dict[str, float]:
        """By case, where the measure exists."""
        healthy_only = measure == "false_positive_ml"
        chosen = [r for r in self.results(method) if r.healthy or not healthy_only]
        known = {r.case: getattr(r, measure) for r in chosen}
        return {case: float(value) for case, value in known.items() if value is not None}

    def estimate(self, method: str, measure: Measure) -> Estimate:
        """Mean over the common cases with its interval."""
        return estimate_mean(list(self.values(method, measure).values()))

    @cached_property
    def scores(self) -> dict[str, float | None]:
        """By method, the mean AP, by which they are ranked; None where there is no lesion."""
        return {method: self.estimate(method, "average_precision").mean for method in self.found}

    @property
    def best(self) -> str | None:
        """The method with the highest mean AP; None without lesions."""
        return best_of(self.scores)

    def behind_best(self, method: str, measure: Measure) -> Estimate | None:
        """The method minus the best by AP, case by case; None for the best itself."""
        best = self.best
        if best is None or best == method:
            return None
        return paired_difference(self.values(method, measure), self.values(best, measure))

    def case_auroc(self, method: str) -> float | None:
        """Healthy against ill cases by their score; None unless both are there."""
        scored = [r for r in self.results(method) if r.case_score is not None]
        return area_under_roc(
            np.array([r.case_score for r in scored], dtype=float),
            np.array([not r.healthy for r in scored], dtype=bool),
        )

    def recall(self, method: str) -> tuple[LesionRecall, ...]:
        """Lesions and how many of them were found, by size."""
        return add_recalls(r.recall for r in self.results(method))
