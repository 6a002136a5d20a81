"""A finished model as others get it: small, and without the names of those it was trained on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from disanat.errors import ModelError
from disanat.home import read_json, write_json
from disanat.inference.model import DESCRIPTION, REMEDY, SHARED_WEIGHTS, WEIGHTS, load_model
from disanat.methods.interface import Method
from disanat.networks.shared_weights import SharedWeights, save_shared

__all__ = ["MOST_MB", "export_model", "texts_in"]

MOST_MB = 20.0
"""What a shipped model may weigh, in units of 10^6 bytes."""
_CASES = "_cases"


def export_model(source: Path, target: Path, most_mb: float = MOST_MB) -> float:
    """Copy a finished model of one fold, with numbers of cases in place of their names.

    The weights are written as safetensors. They stay as they are (float32) unless the model would
    be too large: then they are halved (float16); loading turns them back. A method without networks
    has no weights.

    Args:
        source: the model's folder.
        target: the folder to write it to; made if need be.
        most_mb: most that all files together may have, in units of 10^6 bytes.

    Returns:
        The size in these units.

    Raises:
        ModelError: there is no finished model of a single fold, or it is too large, or names cases
            where it need not, or the target holds what a training left.
    """
    method = load_model(source).method
    if not isinstance(method, Method):
        raise ModelError(f"{source} is an ensemble: give the folder of one of its folds.")
    described = read_json(source / DESCRIPTION, ModelError, REMEDY)
    facts = described.get("facts", {})
    lists = {key: value for key, value in facts.items() if key.endswith(_CASES)}
    described["facts"] = facts | {
        key: len(names) if isinstance(names, list) else names for key, names in lists.items()
    }
    for private in ("began", "planned"):  # folders of this machine, and nothing others could use
        described["facts"].pop(private, None)
    _refuse_names(described, _names(lists), source)
    if (target / WEIGHTS).exists():
        raise ModelError(f"{target} holds the model of a training: give another folder.")
    weights = dict(method.networks().state_dict())
    (target / DESCRIPTION).unlink(missing_ok=True)
    size = _save(weights, described, target)
    if size > most_mb:
        size = _save(_halved(weights), described, target)
    if size > most_mb:
        (target / SHARED_WEIGHTS).unlink()
        raise ModelError(
            f"{source} has {size:.1f} MB even with halved weights, but {most_mb:g} are allowed: "
            "train a smaller configuration."
        )
    write_json(described, target / DESCRIPTION)
    return size


def _names(lists: dict[str, Any]) -> set[str]:
    """All names in the lists of cases; a model that was exported before has numbers in place."""
    return {name for names in lists.values() if isinstance(names, list) for name in names}


def _save(weights: dict[str, torch.Tensor], described: Any, target: Path) -> float:
    """Write the weights; returns the size that they and the description have."""
    size = len(json.dumps(described, indent=2))
    if weights:
        save_shared(SharedWeights(weights), target / SHARED_WEIGHTS)
        size += (target / SHARED_WEIGHTS).stat().st_size
    return size / 1e6


def _halved(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """float16 in place of float32; what goes by several names is still stored once."""
    halves: dict[tuple[int, torch.Size], torch.Tensor] = {}
    for tensor in weights.values():
        place = (tensor.data_ptr(), tensor.shape)
        if place not in halves:
            halves[place] = tensor.half() if tensor.is_floating_point() else tensor
    return {name: halves[tensor.data_ptr(), tensor.shape] for name, tensor in weights.items()}


def _refuse_names(described: Any, names: set[str], source: Path) -> None:
    for text in texts_in(described):
        named = next((n for n in names if re.search(rf"\b{re.escape(n)}\b", text)), None)
        if named is not None:
            raise ModelError(
                f"{source / DESCRIPTION} names the case {named} outside its list of cases "
                f"('{text[:60]}'): leave it out there before the model is given away."
            )


def texts_in(value: Any) -> Iterator[str]:
    """All keys and strings of JSON data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
