"""Training that starts from the weights of a model instead of random ones."""

from __future__ import annotations

import logging
from pathlib import Path

from disanat.errors import ModelError
from disanat.home import read_json
from disanat.inference.model import DESCRIPTION, REMEDY, load_model, trained_on
from disanat.methods.interface import Method
from disanat.networks.inherit import inherited
from disanat.training.splits import Split

__all__ = ["said_of_start", "start_from"]

log = logging.getLogger(__name__)


def start_from(method: Method, folder: Path, split: Split) -> None:
    """Put the weights of a finished model into the networks of a method.

    The tissue classes need not be the same: partial-volume classes inherit from those they are
    part of.

    Args:
        method: its networks get the weights.
        folder: of the model.
        split: of the training that is to start.

    Raises:
        ModelError: the model's method or networks are others, or it was trained on cases that
            calibrate this training, which would then promise too few false positives.
    """
    source = load_model(folder)
    if not isinstance(source.method, Method):
        raise ModelError(f"{folder} is an ensemble: name one of its folds' folders to start from.")
    if source.method.name != method.name:
        raise ModelError(
            f"{folder} is a model of method {source.method.name}, not {method.name}: start from "
            f"another model, or train with -m {source.method.name}."
        )
    wanted, there = method.configuration.norm, source.configuration.norm
    if wanted != there:
        raise ModelError(
            f"The networks of {folder} have {there} norm, but those of this plan {wanted} norm: "
            f"plan with --norm {there}, or leave out --pretrained_weights."
        )
    seen = sorted(set(trained_on(folder)) & {*split.reference, *split.threshold})
    if seen:
        raise ModelError(
            f"{folder} was trained on {seen[0]}{' and others' if len(seen) > 1 else ''}, which "
            "calibrates this training: start from a model of another dataset, or of one with the "
            "same cases."
        )
    networks = method.networks()
    part_of = {tissue.name: tissue.part_of for tissue in method.scheme if tissue.part_of}
    try:
        weights = inherited(
            networks.state_dict(),
            source.method.networks().state_dict(),
            method.class_channels(),
            source.method.class_channels(),
            part_of,
        )
    except ModelError as cause:
        raise ModelError(
            f"The networks of {folder} do not fit this plan, as {cause}: start from a model of a "
            "plan like this one, or leave out --pretrained_weights."
        ) from cause
    networks.load_state_dict(weights)
    log.info("Starting from the weights of %s.", folder)


def said_of_start(folder: Path) -> str:
    """What a training that started from this finished model says of it, without its place."""
    data = read_json(folder / DESCRIPTION, ModelError, REMEDY)
    epochs, classes = data["facts"].get("epochs", "?"), len(data["plans"]["classes"])
    return (
        f"{data['method']} on {data['plans']['dataset']} with {classes} tissue classes, "
        f"{epochs} epochs, finished {data['finished']}"
    )
