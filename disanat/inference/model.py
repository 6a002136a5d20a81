"""A trained model on disk: found, loaded, described."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch
from cattrs import BaseValidationError

from disanat.errors import ModelError
from disanat.home import Home, read_json, write_json
from disanat.methods.interface import Method
from disanat.methods.registry import get_method, method_names, untrained_methods
from disanat.networks.weights import load_state, save_state
from disanat.plans import Configuration, Plans, from_dict, to_dict
from disanat.scoring.calibration import Calibration

__all__ = ["DESCRIPTION", "Model", "find_model", "load_model", "model_folder", "save_model"]

DESCRIPTION = "model.json"
_WEIGHTS = "checkpoint_final.pt"
_SCHEMA = 1
_REMEDY = "train the model again with disanat_train"


@dataclass(frozen=True)
class Model:
    """A method with trained networks, its plan and its calibration."""

    method: Method
    plans: Plans
    configuration: Configuration
    calibration: Calibration
    folder: Path


def model_folder(home: Home, dataset: str, method: str, configuration: str, fold: str) -> Path:
    """Where a training puts its model."""
    return home.results / dataset / f"{method}__{configuration}" / f"fold_{fold}"


def save_model(model: Model, weights: dict[str, torch.Tensor], facts: dict[str, object]) -> None:
    """Write weights, then the description that makes the model findable."""
    if weights:
        save_state({"weights": weights}, model.folder / _WEIGHTS)
    description = {
        "schema_version": _SCHEMA,
        "method": model.method.name,
        "configuration": to_dict(model.configuration),
        "plans": to_dict(model.plans),
        "calibration": asdict(model.calibration),
        "finished": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "facts": facts,
    }
    write_json(description, model.folder / DESCRIPTION)


def load_model(folder: Path, device: str = "cpu") -> Model:
    """Load a finished model.

    Raises:
        ModelError: the folder holds no finished model, or a damaged one.
    """
    source = folder / DESCRIPTION
    if not source.exists():
        raise ModelError(
            f"{folder} holds no finished model (no {DESCRIPTION}): name a fold's folder with -m, "
            "or finish its training with disanat_train --resume."
        )
    data = read_json(source, ModelError, _REMEDY)
    try:
        if data["schema_version"] != _SCHEMA:
            raise ValueError(f"schema version {data['schema_version']}")
        plans = from_dict(data["plans"], Plans)
        configuration = from_dict(data["configuration"], Configuration)
        calibration = Calibration(**data["calibration"])
        kind = get_method(data["method"])
    except (BaseValidationError, KeyError, TypeError, ValueError, AttributeError) as cause:
        raise ModelError(f"{source} is damaged ({cause}): {_REMEDY}.") from cause
    method = kind(plans, configuration)
    networks = method.networks()
    if len(networks):
        state = load_state(folder / _WEIGHTS, torch.device(device))
        try:
            networks.load_state_dict(state["weights"])
        except (RuntimeError, KeyError) as cause:
            raise ModelError(f"{folder / _WEIGHTS} does not fit {source}: {_REMEDY}.") from cause
        networks.to(device).eval()
    return Model(method, plans, configuration, calibration, folder)


def _finished(folder: Path) -> str:
    return str(read_json(folder / DESCRIPTION, ModelError, _REMEDY).get("finished", ""))


def find_model(
    home: Home,
    model: str | None = None,
    dataset: str | None = None,
    configuration: str | None = None,
    fold: str | None = None,
) -> Path:
    """The model folder that a user means.

    Args:
        home: the home folder.
        model: a folder, or a method's name; anything by default.
        dataset: full dataset name, or None for any.
        configuration: name, or None for any.
        fold: number or `all`, or None for any.

    Returns:
        The folder of the training that finished last among those that fit; with no model named, a
        baseline without training is taken only where there is nothing else.

    Raises:
        ModelError: none fits; the message lists what there is.
    """
    if model and Path(model).is_dir():
        return _inside(Path(model))
    if model and model not in method_names():
        raise ModelError(
            f"'{model}' is neither a folder nor a method: give a model's folder, or one of "
            f"{', '.join(method_names())}."
        )
    pattern = f"{dataset or '*'}/{model or '*'}__{configuration or '*'}/fold_{fold or '*'}"
    found = [p.parent for p in home.results.glob(f"{pattern}/{DESCRIPTION}")]
    trained = [p for p in found if p.parent.name.split("__")[0] not in untrained_methods()]
    if model is None and trained:
        found = trained
    if found:
        return max(found, key=_finished)
    there = sorted(
        str(p.parent.relative_to(home.results)) for p in home.results.glob(f"*/*/*/{DESCRIPTION}")
    )
    if not there:
        raise ModelError(
            f"No model has been trained yet in {home.results}: run disanat_train first, or point "
            "--home or DISANAT_HOME at the folder where one was."
        )
    raise ModelError(
        f"No finished model fits {pattern} in {home.results}: there are {', '.join(there)}."
    )


def _inside(folder: Path) -> Path:
    """The folder itself, or the last finished fold in it."""
    if (folder / DESCRIPTION).exists():
        return folder
    folds = [p.parent for p in folder.glob(f"fold_*/{DESCRIPTION}")]
    return max(folds, key=_finished) if folds else folder
