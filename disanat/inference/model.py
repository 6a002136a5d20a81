"""A trained model on disk, of one fold or an ensemble of several: saved and loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from cattrs import BaseValidationError
from torch import nn

from disanat.ablations import folder_part
from disanat.errors import ModelError
from disanat.home import Home, read_json, write_json
from disanat.methods.ensemble import Ensemble
from disanat.methods.interface import Detector, Method
from disanat.methods.registry import get_method
from disanat.networks.shared_weights import load_shared
from disanat.networks.weights import load_state, save_state
from disanat.plans import Configuration, Plans, from_dict, to_dict
from disanat.scoring.calibration import Calibration

__all__ = [
    "DESCRIPTION",
    "REMEDY",
    "SHARED_WEIGHTS",
    "WEIGHTS",
    "Model",
    "check_sizes",
    "ensemble_folder",
    "finished",
    "load_model",
    "model_folder",
    "read_weights",
    "save_ensemble",
    "save_model",
    "trained_on",
]

DESCRIPTION = "model.json"
WEIGHTS = "checkpoint_final.pt"
"""What a training leaves."""
SHARED_WEIGHTS = "weights.safetensors"
"""What is given to others, in its place."""
_SCHEMA = 1
_MEMBER = re.compile(r"fold_\w+")
REMEDY = "train the model again with disanat_train"


@dataclass(frozen=True)
class Model:
    """A method with trained networks, or an ensemble of them, its plan and its calibration."""

    method: Detector
    plans: Plans
    configuration: Configuration
    calibration: Calibration
    folder: Path


def model_folder(
    home: Home,
    plans: Plans,
    method: str,
    configuration: str,
    fold: str,
    ablations: Sequence[str] = (),
) -> Path:
    """Where a training puts its model; one without some parts of the method has its own place."""
    parts = [method, plans.name, configuration] if plans.name else [method, configuration]
    parts += [folder_part(ablations)] if ablations else []
    return home.results / plans.dataset / "__".join(parts) / f"fold_{fold}"


def ensemble_folder(members: Sequence[Path]) -> Path:
    """Where the ensemble of some folds of one training folder lies."""
    folds = sorted({member.name.removeprefix("fold_") for member in members})
    return members[0].parent / f"ensemble_{'_'.join(folds)}"


def save_model(model: Model, weights: dict[str, torch.Tensor], facts: dict[str, object]) -> None:
    """Write weights, then the description that makes the model findable."""
    if weights:
        save_state({"weights": weights}, model.folder / WEIGHTS)
        (model.folder / SHARED_WEIGHTS).unlink(missing_ok=True)
    _describe(model, {"facts": facts})


def save_ensemble(model: Model, members: Sequence[Path], facts: dict[str, object]) -> None:
    """Write the description of an ensemble: its calibration, and which trainings it joins."""
    trained = {member.name: finished(member) for member in members}
    _describe(model, {"members": trained, "facts": facts})


def _describe(model: Model, more: Mapping[str, object]) -> None:
    description = {
        "schema_version": _SCHEMA,
        "method": model.method.name,
        "configuration": to_dict(model.configuration),
        "plans": to_dict(model.plans),
        "calibration": asdict(model.calibration),
        "finished": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        **more,
    }
    write_json(description, model.folder / DESCRIPTION)


def finished(folder: Path) -> str:
    """When a model was finished, in ISO format; empty where its description does not say."""
    description = read_json(folder / DESCRIPTION, ModelError, REMEDY)
    return str(description.get("finished", "")) if isinstance(description, dict) else ""


def trained_on(folder: Path) -> tuple[str, ...]:
    """Names of the cases that a model was trained on; none where its description keeps them out."""
    description = read_json(folder / DESCRIPTION, ModelError, REMEDY)
    facts = description.get("facts", {}) if isinstance(description, dict) else {}
    names = facts.get("train_cases", [])
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def load_model(folder: Path, device: str = "cpu") -> Model:
    """Load a finished model of one fold, or an ensemble with all its members.

    Raises:
        ModelError: the folder holds no finished model, or a damaged one, or a member of the
            ensemble was trained again after the ensemble had been calibrated.
    """
    described = _read_description(folder)
    if described.members:
        method: Detector = _load_members(folder, described.members, device)
    else:
        single = described.kind(described.plans, described.configuration)
        _load_networks(single.networks(), folder, device)
        method = single
    return Model(
        method, described.plans, described.configuration, described.calibration, folder
    )


@dataclass(frozen=True)
class _Description:
    """What a model's description says, read but not built."""

    kind: type[Method]
    plans: Plans
    configuration: Configuration
    calibration: Calibration
    members: Mapping[str, Any]


def _read_description(folder: Path) -> _Description:
    source = folder / DESCRIPTION
    if not source.exists():
        raise ModelError(
            f"{folder} holds no finished model (no {DESCRIPTION}): name a fold's folder with -m, "
            "or finish its training with disanat_train --resume."
        )
    data = read_json(source, ModelError, REMEDY)
    try:
        if data["schema_version"] != _SCHEMA:
            raise ValueError(f"schema version {data['schema_version']}")
        return _Description(
            kind=get_method(data["method"]),
            plans=from_dict(data["plans"], Plans),
            configuration=from_dict(data["configuration"], Configuration),
            calibration=from_dict(data["calibration"], Calibration),
            members=dict(data.get("members", {})),
        )
    except (BaseValidationError, KeyError, TypeError, ValueError, AttributeError) as cause:
        raise ModelError(f"{source} is damaged ({cause}): {REMEDY}.") from cause


def read_weights(folder: Path, device: str = "cpu") -> dict[str, torch.Tensor]:
    """The weights of a model of one fold, as its training left them or as they are shared.

    Raises:
        ModelError: they are missing or damaged.
    """
    if (folder / SHARED_WEIGHTS).exists() and not (folder / WEIGHTS).exists():
        return load_shared(folder / SHARED_WEIGHTS, torch.device(device), REMEDY).tensors
    state = load_state(folder / WEIGHTS, torch.device(device), REMEDY)
    weights = state.get("weights")
    if not isinstance(weights, dict):
        raise ModelError(f"{folder / WEIGHTS} holds no weights: {REMEDY}.")
    return weights


def check_sizes(folder: Path) -> None:
    """Compare the weights of a model of one fold with its description before anything is built.

    What a description from others claims could be larger than any memory: its networks are laid out
    without storage, and their tensors compared with those that are there.

    Raises:
        ModelError: they do not fit, or one of both is damaged.
    """
    described = _read_description(folder)
    with torch.device("meta"):
        wanted = described.kind(described.plans, described.configuration).networks().state_dict()
    there = read_weights(folder) if wanted else {}
    if {k: t.shape for k, t in wanted.items()} != {k: t.shape for k, t in there.items()}:
        raise _misfit(folder)


def _misfit(folder: Path) -> ModelError:
    return ModelError(f"The weights in {folder} do not fit {folder / DESCRIPTION}: {REMEDY}.")


def _load_networks(networks: nn.ModuleDict, folder: Path, device: str) -> None:
    if not len(networks):
        return
    try:
        networks.load_state_dict(read_weights(folder, device))
    except (RuntimeError, TypeError) as cause:
        raise _misfit(folder) from cause
    networks.to(device).eval()


def _load_members(folder: Path, members: Mapping[str, Any], device: str) -> Ensemble:
    for name in members:
        if _MEMBER.fullmatch(name) is None:
            raise ModelError(f"{folder / DESCRIPTION} names '{name}' as a fold: {REMEDY}.")
    paths = [folder.parent / name for name in members]
    models = [load_model(path, device) for path in paths]
    for path, model, stamp in zip(paths, models, members.values(), strict=True):
        if finished(path) != stamp:
            raise ModelError(
                f"{model.folder} was trained again after {folder} had been calibrated: calibrate "
                "it anew by naming its folds in disanat_predict -f or disanat_train -f."
            )
    return Ensemble([model.method for model in models])
