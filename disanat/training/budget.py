"""How many epochs and steps fit into so many minutes, by a short trial of the method itself."""

from __future__ import annotations

import logging
import math
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from disanat.errors import ModelError
from disanat.home import read_json, write_json
from disanat.methods.interface import Method
from disanat.plans import Configuration, Plans
from disanat.training.checkpoints import has_checkpoint
from disanat.training.loop import train_networks, trained_epochs
from disanat.training.settings import TrainingSettings
from disanat.training.splits import Split

__all__ = ["fitted", "within_minutes"]

log = logging.getLogger(__name__)

_SCHEDULE = "schedule.json"
_TRIAL_STEPS = {2: 20, 3: 5}
"""By dimension: how many steps say how long one takes, after as many to warm up."""
_VALIDATION_STEPS = 2
"""What an epoch's validation costs, in steps: six batches at most, without a backward pass."""


def within_minutes(
    kind: type[Method],
    plans: Plans,
    configuration: Configuration,
    cases: Path,
    split: Split,
    folder: Path,
    settings: TrainingSettings,
    minutes: float,
) -> Configuration:
    """The configuration with as many epochs and steps as take so many minutes.

    The learning rate then falls to 0 over just these. A training that is resumed keeps what it
    began with. The time of the trial itself does not count.

    Args:
        kind: the method.
        plans: the plan.
        configuration: the configuration to train.
        cases: its preprocessed cases.
        split: of the cases.
        folder: of the model; `schedule.json` is kept there.
        settings: of the training.
        minutes: of all its epochs, above 0.
    """
    kept = folder / _SCHEDULE
    if settings.resume and has_checkpoint(folder) and kept.exists():
        known = read_json(kept, ModelError, "train anew with --restart")
        return replace(
            configuration, epochs=known["epochs"], iterations_per_epoch=known["iterations"]
        )
    steps = _TRIAL_STEPS[configuration.dimension]
    trial = replace(configuration, epochs=2, iterations_per_epoch=steps)
    torch.manual_seed(settings.seed)
    with tempfile.TemporaryDirectory() as temporary:
        away = Path(temporary)
        short = replace(
            settings, epochs=None, resume=False, until_plateau=False, tensorboard=False
        )
        train_networks(kind(plans, trial), plans, trial, cases, split, away, short)
        seconds = trained_epochs(away)[-1].seconds / (steps + _VALIDATION_STEPS)
    found = fitted(configuration, 60 * minutes / seconds)
    write_json({"epochs": found.epochs, "iterations": found.iterations_per_epoch}, kept)
    log.info(
        "A step takes %.2f s: %d epochs of %d steps for %g minutes.",
        seconds,
        found.epochs,
        found.iterations_per_epoch,
        minutes,
    )
    return found


def fitted(configuration: Configuration, steps: float) -> Configuration:
    """The configuration with epochs no longer than planned that cost so many steps in all."""
    longest = configuration.iterations_per_epoch + _VALIDATION_STEPS
    epochs = max(1, math.ceil(steps / longest))
    iterations = max(1, round(steps / epochs) - _VALIDATION_STEPS)
    return replace(configuration, epochs=epochs, iterations_per_epoch=iterations)
