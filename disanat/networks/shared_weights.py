"""Weights as they are given to others: safetensors, a format that holds numbers and text alone.

What a network keeps under several names is stored once; the other names stand in the file's text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from disanat.errors import ModelError
from disanat.home import atomic_path
from disanat.networks.weights import state_digest

__all__ = ["SharedWeights", "load_shared", "save_shared"]

_VERSION = 1
_KEY = "disanat"
_LENGTH = 8
"""Bytes in front of the header that say how long it is."""


@dataclass(frozen=True)
class SharedWeights:
    """Tensors by name, and what the file says about them (JSON data)."""

    tensors: dict[str, torch.Tensor]
    about: Mapping[str, Any] = field(default_factory=dict)


def save_shared(weights: SharedWeights, target: Path) -> None:
    """Write weights with their checksum, in one piece; the same weights give the same bytes."""
    first: dict[tuple[object, ...], str] = {}
    also: dict[str, str] = {}
    for name, tensor in weights.tensors.items():
        place = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and place in first:
            also[name] = first[place]
        else:
            first[place] = name
    stored = {name: t.detach().cpu() for name, t in weights.tensors.items() if name not in also}
    told = {
        "version": _VERSION,
        "about": dict(weights.about),
        "also": also,
        "checksum": _checksum(stored, weights.about, also),
    }
    # One key alone: the writer puts several of them into no particular order.
    text = {_KEY: json.dumps(told, sort_keys=True)}
    with atomic_path(target) as temporary:
        packed = {name: tensor.clone().contiguous() for name, tensor in stored.items()}
        temporary.write_bytes(safetensors.torch.save(packed, text))


def load_shared(
    source: Path, device: torch.device, remedy: str = "train the model again"
) -> SharedWeights:
    """Read weights that `save_shared` has written.

    Raises:
        ModelError: the file is missing, damaged, or not written by disanat; it ends with the
            remedy.
    """
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{source} does not exist: {remedy}.") from None
    except OSError as cause:
        raise ModelError(f"{source} cannot be read ({cause.strerror}): {remedy}.") from cause
    try:
        stored = safetensors.torch.load(data)
        header = json.loads(data[_LENGTH : _LENGTH + int.from_bytes(data[:_LENGTH], "little")])
    except Exception as cause:  # damaged bytes make the reader fail in every way there is
        raise ModelError(f"{source} is damaged ({type(cause).__name__}): {remedy}.") from cause
    try:
        told = json.loads(header["__metadata__"][_KEY])
        if told["version"] != _VERSION:
            raise ValueError(f"version {told['version']}")
        about, also, checksum = dict(told["about"]), dict(told["also"]), told["checksum"]
        lacking = set(also.values()) - set(stored)
    except (KeyError, TypeError, ValueError, RecursionError) as cause:
        raise ModelError(f"{source} was written by another disanat: {remedy}.") from cause
    if lacking or checksum != _checksum(stored, about, also):
        raise ModelError(f"{source} is damaged (its checksum does not fit): {remedy}.")
    tensors = {name: tensor.to(device) for name, tensor in stored.items()}
    return SharedWeights(tensors | {name: tensors[kept] for name, kept in also.items()}, about)


def _checksum(
    stored: Mapping[str, torch.Tensor], about: Mapping[str, Any], also: Mapping[str, str]
) -> str:
    """Over what a file holds; its own order of tensors and of texts does not count."""
    texts = [json.dumps(one, sort_keys=True) for one in (about, also)]
    return state_digest({"texts": texts, "tensors": dict(sorted(stored.items()))})
