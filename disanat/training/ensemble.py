"""Ensembles of several folds, calibrated as ensembles on cases that no member has seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from disanat.errors import ModelError
from disanat.home import Home
from disanat.inference.model import (
    DESCRIPTION,
    Model,
    ensemble_folder,
    finished,
    load_model,
    save_ensemble,
)
from disanat.methods.ensemble import Ensemble
from disanat.plans import Plans, load_json
from disanat.training.calibrate import calibrate
from disanat.training.splits import split_stored
from disanat.training.train import PLANS, cases_folder

__all__ = ["ready_ensemble"]

log = logging.getLogger(__name__)


def ready_ensemble(home: Home, members: Sequence[Path], device: str = "cpu", seed: int = 0) -> Path:
    """The calibrated ensemble of some folds: the one on disk, or a new one.

    The calibration takes the cases that are set aside for every fold alike. It is made anew when a
    member was trained again.

    Args:
        home: where the preprocessed cases are.
        members: folders of two or more folds of one training folder.
        device: where to run the members.
        seed: of the renderings.

    Returns:
        The ensemble's folder.

    Raises:
        ModelError: the members have different plans, or the preprocessed cases that the calibration
            needs are not there.
    """
    folder = ensemble_folder(members)
    if (folder / DESCRIPTION).exists() and _up_to_date(folder, members):
        return folder
    models = [load_model(member, device) for member in members]
    _check_members(models)
    first = models[0]
    cases = _cases(home, first, members)
    split = split_stored(cases, "all")
    log.info("Calibrating %s as one ensemble.", ", ".join(m.folder.name for m in models))
    ensemble = Ensemble([model.method for model in models])
    calibration = calibrate(ensemble, first.configuration, cases, split, seed)
    facts: dict[str, object] = {
        "seed": seed,
        "reference_cases": list(split.reference),
        "threshold_cases": list(split.threshold),
    }
    model = Model(ensemble, first.plans, first.configuration, calibration, folder)
    save_ensemble(model, members, facts)
    log.info("Ensemble finished: %s", folder)
    return folder


def _up_to_date(folder: Path, members: Sequence[Path]) -> bool:
    made = finished(folder)
    return all(finished(member) < made for member in members)


def _check_members(models: Sequence[Model]) -> None:
    first = models[0]
    for other in models[1:]:
        if (other.plans, other.configuration) != (first.plans, first.configuration):
            raise ModelError(
                f"{other.folder} was trained with another plan than {first.folder}: train the "
                "older one again, or predict with one of them alone."
            )


def _cases(home: Home, model: Model, members: Sequence[Path]) -> Path:
    """The preprocessed cases that the members were trained on."""
    dataset, configuration = model.plans.dataset, model.configuration
    cases = cases_folder(home, model.plans, configuration)
    if cases.is_dir() and load_json(cases.parent / PLANS, Plans) == model.plans:
        return cases
    folds = " ".join(member.name.removeprefix("fold_") for member in members)
    raise ModelError(
        f"Folds {folds} have not been calibrated as an ensemble, and {cases} does not hold the "
        f"cases they were trained on: run disanat_train -d {dataset} -f {folds} --resume where "
        "these are, or predict with one fold."
    )
