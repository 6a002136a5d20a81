"""Several methods on the same sets: trained where they are not, predicted, judged, tabulated.

Each step is kept as soon as it is done; a comparison that was interrupted goes on from there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

import disanat
from disanat.errors import DatasetError, DisanatError
from disanat.evaluation.participants import Participants
from disanat.experiments.compare_subgroups import write_compared_subgroups
from disanat.experiments.compare_table import write_pages
from disanat.experiments.measure import Measured, measure
from disanat.experiments.results import SetResult, TrainedMethod, trained_method
from disanat.experiments.sets import LabelledSet
from disanat.home import Home, read_json, write_json
from disanat.inference.model import DESCRIPTION, finished, load_model, model_folder
from disanat.locks import hold
from disanat.plans import Configuration, Plans, to_dict
from disanat.preprocessing.parallel import Elsewhere
from disanat.training.plateau import FEWEST_EPOCHS
from disanat.training.settings import TrainingSettings
from disanat.training.train import train

__all__ = ["COMPARISONS", "Budget", "Comparison", "Outcome", "compare"]

log = logging.getLogger(__name__)

COMPARISONS = "comparisons"
"""Folder beside the models of a dataset. What is trained in it is no one's default model."""
_RECORD = "comparison.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Budget:
    """How long each method is trained; with nothing given, to its plateau."""

    epochs: int | None = None
    minutes: float | None = None

    @property
    def text(self) -> str:
        if self.minutes is not None:
            return f"about {self.minutes:g} minutes for each method"
        if self.epochs is not None:
            return f"{self.epochs} epoch{'s' if self.epochs > 1 else ''} for each method"
        return (
            "the plan's epochs for each method, fewer where its error on held-out healthy scans "
            f"stays where it is (never fewer than {FEWEST_EPOCHS})"
        )


@dataclass(frozen=True)
class Comparison:
    """All that is decided before a comparison begins."""

    home: Home
    plans: Plans
    configuration: Configuration
    methods: tuple[str, ...]
    sets: tuple[LabelledSet, ...]
    budget: Budget = Budget()
    fold: str = "0"
    seed: int = 0
    device: str = "cpu"
    workers: int = 0
    name: str = ""
    participants: Mapping[str, Participants] = field(default_factory=dict)
    """By the set's name: the table whose columns make subgroups."""
    cluster: Elsewhere | None = None
    """Whose workers predict."""

    @property
    def folder(self) -> Path:
        """Where everything goes; `compare__2d` if the comparison has no name."""
        parts = ["compare", self.plans.name, self.configuration.name]
        name = self.name or "__".join(part for part in parts if part)
        return self.home.results / self.plans.dataset / COMPARISONS / name

    @property
    def settings(self) -> dict[str, Any]:
        """What has to be the same for a comparison to go on, as JSON gives it back."""
        decided = {
            "dataset": self.plans.dataset,
            "fold": self.fold,
            "seed": self.seed,
            "budget": asdict(self.budget),
            "plan": {
                "name": self.plans.name,
                "classes": self.plans.classes,
                "configuration": to_dict(self.configuration),
            },
        }
        return dict(json.loads(json.dumps(decided)))


@dataclass(frozen=True)
class Outcome:
    """Where the table is, the table itself, and what did not work."""

    page: Path
    text: str
    failed: tuple[str, ...]


def compare(comparison: Comparison) -> Outcome:
    """Do all that has not been done, and write the table anew after each method.

    A method that fails is told in the table; the others go on.

    Raises:
        DatasetError: the folder holds a comparison with other settings.
        BusyError: another process compares there.
    """
    with hold(comparison.folder, "comparing"):
        return _compare(comparison)


def _compare(comparison: Comparison) -> Outcome:
    _check_settings(comparison)
    cases = {one.name: len(one.cases()) for one in comparison.sets}
    methods: list[TrainedMethod] = []
    found: dict[str, dict[str, Measured]] = {one.name: {} for one in comparison.sets}
    failed: list[str] = []
    text, sets = "", list[SetResult]()
    for name in comparison.methods:
        try:
            method = _ready(comparison, name)
        except Exception as cause:
            failed.append(_said(f"{name} was not trained", cause))
        else:
            methods.append(method)
            for one in comparison.sets:
                try:
                    found[one.name][name] = _measured(comparison, method, one)
                except Exception as cause:
                    failed.append(_said(f"{name} has no result on {one.name}", cause))
                    continue
                failed += _lacking(name, one, found[one.name][name])
        sets = [SetResult(one, cases[one.name], found[one.name]) for one in comparison.sets]
        record = _record(comparison, methods, failed)
        write_json(record, comparison.folder / _RECORD)
        text = write_pages(_head(comparison), methods, sets, failed, comparison.folder)
    if comparison.participants:
        write_compared_subgroups(sets, comparison.participants, comparison.folder)
    return Outcome(comparison.folder / "compare.md", text, tuple(failed))


def _check_settings(comparison: Comparison) -> None:
    """Say what differs from an earlier run into the same folder, or begin the record."""
    source, settings = comparison.folder / _RECORD, comparison.settings
    if not source.exists():
        write_json(_record(comparison, [], []), source)
        return
    remedy = "give this comparison another name with --name"
    kept = read_json(source, DatasetError, remedy)
    known = kept.get("settings", {}) if isinstance(kept, dict) else {}
    other = [key for key in settings if known.get(key) != settings[key]]
    if other:
        raise DatasetError(
            f"{source} is of a comparison with another {' and another '.join(other)}: give the "
            f"same again, or {remedy}."
        )


def _ready(comparison: Comparison, method: str) -> TrainedMethod:
    """The method's model: the comparison's own, else the user's, else one trained now."""
    folder = comparison.folder / "models" / method
    if not (folder / DESCRIPTION).exists():
        users = _users_own(comparison, method)
        if users is not None:
            log.info("%s: taking your own model, %s.", method, users)
            return trained_method(users, own=True)
        budget = comparison.budget
        settings = TrainingSettings(
            device=comparison.device,
            epochs=budget.epochs,
            seed=comparison.seed,
            workers=comparison.workers,
            minutes=budget.minutes,
            until_plateau=budget.epochs is None and budget.minutes is None,
        )
        train(
            comparison.home,
            comparison.plans.dataset,
            method,
            comparison.configuration.name,
            comparison.fold,
            settings,
            comparison.plans.name,
            folder=folder,
        )
    return trained_method(folder, own=False)


def _users_own(comparison: Comparison, method: str) -> Path | None:
    """The user's finished model of this method and fold, if it has the same plan."""
    configuration = comparison.configuration
    folder = model_folder(
        comparison.home, comparison.plans, method, configuration.name, comparison.fold
    )
    if not (folder / DESCRIPTION).exists():
        return None
    model = load_model(folder)
    same = (configuration, comparison.plans.classes)
    if (model.configuration, model.plans.classes) == same:
        return folder
    log.warning("%s was trained with another plan: %s is trained anew.", folder, method)
    return None


def _measured(comparison: Comparison, method: TrainedMethod, one: LabelledSet) -> Measured:
    folder = comparison.folder / "predictions" / method.name / one.name
    log.info("%s on %s.", method.name, one.name)
    return measure(method.folder, one, folder, comparison.device, comparison.cluster)


def _lacking(method: str, one: LabelledSet, measured: Measured) -> list[str]:
    missing = ", ".join(measured.not_predicted)
    return [f"{method} on {one.name}: no prediction for {missing}"] if missing else []


def _said(what: str, cause: Exception) -> str:
    """A user's mistake in its own words; a defect with its traceback in the log."""
    if isinstance(cause, DisanatError):
        log.warning("%s: %s", what, cause)
        return f"{what}: {cause}"
    log.error("%s because of a defect of disanat:", what, exc_info=cause)
    return f"{what} because of a defect of disanat: {type(cause).__name__}: {cause}"


def _head(comparison: Comparison) -> list[tuple[str, str]]:
    groups = [("subgroups", "[subgroups.md](subgroups.md)")] if comparison.participants else []
    return [
        ("dataset", comparison.plans.dataset),
        ("configuration", f"{comparison.configuration.name}, fold {comparison.fold}"),
        ("training", comparison.budget.text),
        ("predicted on", comparison.device),
        ("written", datetime.now().isoformat(" ", "minutes")),
        ("disanat", f"{disanat.__version__}, torch {torch.__version__}"),
        *groups,
    ]


def _record(
    comparison: Comparison, methods: list[TrainedMethod], failed: list[str]
) -> dict[str, Any]:
    return {
        "schema_version": _SCHEMA,
        "settings": comparison.settings,
        "disanat": disanat.__version__,
        "torch": torch.__version__,
        "device": comparison.device,
        "asked": list(comparison.methods),
        "methods": {
            method.name: {
                **asdict(method),
                "folder": str(method.folder),
                "finished": finished(method.folder),
            }
            for method in methods
        },
        "sets": [
            {**asdict(one), "scans": str(one.scans), "labels": str(one.labels)}
            for one in comparison.sets
        ],
        "failed": failed,
    }
