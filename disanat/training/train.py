"""Training from plan to finished model: what `disanat_train` does."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from disanat.ablations import DATA_ONLY, ablations_of, check_ablations
from disanat.errors import DatasetError, PlanError
from disanat.home import Home
from disanat.inference.model import DESCRIPTION, Model, model_folder, save_model
from disanat.locks import hold
from disanat.methods.interface import Method
from disanat.methods.registry import get_method
from disanat.networks.precision import default_device, native_format
from disanat.plans import Configuration, Plans, load_json
from disanat.training import samples, tensorboard
from disanat.training.budget import within_minutes
from disanat.training.calibrate import calibrate
from disanat.training.checkpoints import (
    check_began,
    load_checkpoint,
    planned_with,
    remove_checkpoints,
)
from disanat.training.finished import BEGAN, PLANNED, cases_digest, is_finished_alike
from disanat.training.loop import train_networks, trained_epochs
from disanat.training.progress import EpochRecord
from disanat.training.ranks import present_ranks
from disanat.training.settings import TrainingSettings
from disanat.training.splits import FOLDS, split_stored
from disanat.training.warm_start import said_of_start, start_from

__all__ = [
    "PLANS",
    "cases_folder",
    "check_fold_and_device",
    "latest_plan",
    "train",
]

log = logging.getLogger(__name__)

PLANS = "plans.json"
"""Name of the file beside the preprocessed cases."""
_RUNG = "_rung"


def train(
    home: Home,
    dataset: str | None = None,
    method: str = "dal",
    configuration: str | None = None,
    fold: str = "0",
    settings: TrainingSettings | None = None,
    plans_name: str = "",
    ablations: Sequence[str] = (),
    folder: Path | None = None,
) -> Path:
    """Train one method on one fold of a planned dataset, calibrate it, and save the model.

    Args:
        home: the home folder.
        dataset: full name; the most recently planned one by default.
        method: name of the method.
        configuration: name; the plan's recommended one by default.
        fold: `0` to `4`, or `all`.
        settings: device, epochs or minutes, seed, workers, resume.
        plans_name: of the plan, where the dataset has several.
        ablations: parts that the method is to go without, names of `disanat.ablations`.
        folder: where the model goes; by default its own place among the results, where
            `disanat_predict` finds it.

    Returns:
        The model's folder.

    Raises:
        BusyError: another process trains there, or prepares the cases.
        DisanatError: there is no plan, no such configuration, method or fold, or too few cases,
            or the ablations are unknown, contradict each other or are not the method's.
    """
    settings = settings or TrainingSettings(device=default_device())
    check_fold_and_device(fold, settings.device)
    if settings.tensorboard:
        tensorboard.check_tensorboard()
    left_out = check_ablations(ablations)
    kind = get_method(method)
    _check_parts(method, left_out, ablations_of(method, kind.trainable))
    name = dataset or latest_plan(home)
    plans = _fitting(load_json(home.plans_folder(name, plans_name) / PLANS, Plans), settings.device)
    chosen = replace(plans.configuration(configuration), ablations=left_out)
    log.info(
        "Training %s%s on %s, configuration %s, fold %s, device %s.",
        method,
        f" ({', '.join(left_out)})" if left_out else "",
        name,
        chosen.name,
        fold,
        settings.device,
    )
    cases = cases_folder(home, plans, chosen)
    folder = folder or model_folder(home, plans, method, chosen.name, fold, left_out)
    with hold(folder, "training"), hold(cases, "training", shared=True):
        _fit_and_calibrate(kind, plans, chosen, cases, fold, folder, settings)
    return folder


def _fit_and_calibrate(
    kind: type[Method],
    plans: Plans,
    chosen: Configuration,
    cases: Path,
    fold: str,
    folder: Path,
    settings: TrainingSettings,
) -> None:
    """Train the networks, calibrate what they give, and save the model."""
    split = split_stored(cases, fold)
    began = {**settings.began(chosen), "cases": cases_digest(cases, split)}
    planned, changed = planned_with(plans, chosen), settings.restart or settings.resume
    if not changed and is_finished_alike(folder, began, planned):
        log.info("%s is finished with just these settings: kept (--restart: anew).", folder)
        return
    settings = _going_on_if_interrupted(settings, began, folder)
    if not settings.resume:
        remove_checkpoints(folder)
        for stale in ("training_log.txt", DESCRIPTION):
            (folder / stale).unlink(missing_ok=True)
        for stale in (samples.FOLDER, tensorboard.FOLDER):
            shutil.rmtree(folder / stale, ignore_errors=True)
    if settings.minutes is not None and kind.trainable:
        chosen = within_minutes(
            kind, plans, chosen, cases, split, folder, settings, settings.minutes
        )
    torch.manual_seed(settings.seed)
    built = kind(plans, chosen)
    started_from = ""
    if settings.pretrained:
        start_from(built, settings.pretrained, split)
        started_from = said_of_start(settings.pretrained)
    weights: dict[str, torch.Tensor] = {}
    epochs: list[EpochRecord] = []
    if kind.trainable:
        weights = train_networks(
            built, plans, chosen, cases, split, folder, settings, began
        )
        epochs = trained_epochs(folder)
    start = time.monotonic()
    calibration = calibrate(built, chosen, cases, split, settings.seed)
    seconds = sum(epoch.seconds for epoch in epochs) + time.monotonic() - start
    facts: dict[str, object] = {
        "fold": fold,
        "seed": settings.seed,
        "epochs": len(epochs),
        "minutes": round(seconds / 60, 1),
        "stopped": _why_stopped(settings, chosen, len(epochs)) if kind.trainable else "untrained",
        "train_cases": list(split.train),
        "validation_cases": list(split.validation),
        "reference_cases": list(split.reference),
        "threshold_cases": list(split.threshold),
        "device": _described(settings.device),
        "torch": torch.__version__,
        BEGAN: began,
        PLANNED: planned,
    }
    if started_from:
        facts["started_from"] = started_from
    save_model(Model(built, plans, chosen, calibration, folder), weights, facts)
    log.info("Model finished in %s min: %s", facts["minutes"], folder)


def _going_on_if_interrupted(
    settings: TrainingSettings, began: Mapping[str, object], folder: Path
) -> TrainingSettings:
    """The settings, with `resume` where a training was interrupted that began with the same.

    Raises:
        ModelError: it began with others.
    """
    if settings.resume or settings.restart or (folder / DESCRIPTION).exists():
        return settings
    state = load_checkpoint(folder, torch.device("cpu"))
    if state is None:
        return settings
    check_began(state, began, folder)
    log.info("A training in %s was interrupted: going on with it (--restart: anew).", folder)
    return replace(settings, resume=True)


def check_fold_and_device(fold: str, device: str) -> None:
    """Whether a training can be of this fold and on this device.

    Raises:
        PlanError: there is no such fold or device.
    """
    if fold != "all" and fold not in map(str, range(FOLDS)):
        raise PlanError(f"There is no fold '{fold}': use 0 to {FOLDS - 1}, or all.")
    if device == "cuda" and not torch.cuda.is_available():
        raise PlanError("No CUDA device is to be found here: train with --device cpu.")


def _why_stopped(settings: TrainingSettings, configuration: Configuration, epochs: int) -> str:
    if settings.minutes is not None:
        return "minutes"
    return "plateau" if epochs < (settings.epochs or configuration.epochs) else "epochs"


def _described(device: str) -> str:
    count = present_ranks().count
    each = f"{count} x " if count > 1 else ""
    if device == "cuda":
        return each + torch.cuda.get_device_name()
    return f"{each}cpu, {torch.get_num_threads()} threads"


def _check_parts(method: str, left_out: Sequence[str], allowed: Sequence[str]) -> None:
    """Few methods have parts; what training sees can be changed for all that are trained."""
    strange = [name for name in left_out if name not in allowed]
    if not strange:
        return
    if set(allowed) > set(DATA_ONLY):
        raise PlanError(
            f"Method {method} has no {strange[0]} to go without: give --ablate one or more of "
            f"{', '.join(allowed)}."
        )
    beside = f" (or only {' or '.join(allowed)})" if allowed else ""
    raise PlanError(
        f"Method {method} has no parts to leave out: use --ablate with -m dal{beside}."
    )


def _fitting(plans: Plans, device: str) -> Plans:
    """The plan, with float32 where the device cannot calculate in bfloat16."""
    if plans.number_format == "float32" or native_format(device) == "bfloat16":
        return plans
    log.warning(
        "The plan calculates in bfloat16, which this %s has no instructions for: training takes "
        "float32 instead, and up to twice the memory planned.",
        device,
    )
    return replace(plans, number_format="float32")


def cases_folder(home: Home, plans: Plans, configuration: Configuration) -> Path:
    """Where the preprocessed cases of a configuration, or of a rung of its ladder, lie."""
    return home.plans_folder(plans.dataset, plans.name) / configuration.name.split(_RUNG)[0]


def latest_plan(home: Home) -> str:
    """Name of the dataset that was planned last.

    Raises:
        DatasetError: none was.
    """
    plans = list(home.preprocessed.glob(f"Dataset*/{PLANS}"))
    if not plans:
        raise DatasetError(
            f"No dataset has been planned yet in {home.preprocessed}: run "
            "disanat_plan_and_preprocess -d DATASET first, or point --home or DISANAT_HOME at the "
            "right folder."
        )
    latest = max(plans, key=lambda p: p.stat().st_mtime)
    log.info("No dataset named with -d: taking the most recently planned, %s.", latest.parent.name)
    return latest.parent.name
