"""Weights on disk: written in one piece with a checksum, read without running anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from disanat.errors import ModelError
from disanat.home import atomic_path

__all__ = ["digest_of", "load_shared", "load_state", "save_shared", "save_state"]

_VERSION = 1
_CHECKSUM = "checksum"
_SAME_AS = "same as "


def save_state(state: dict[str, Any], target: Path) -> None:
    """Write a dictionary of tensors, numbers and text, in one piece and with a checksum."""
    whole = {"version": _VERSION, **state}
    with atomic_path(target) as temporary:
        torch.save({**whole, _CHECKSUM: digest_of(whole)}, temporary)


def load_state(
    source: Path, device: torch.device, remedy: str = "train the model again"
) -> dict[str, Any]:
    """Read a state with `weights_only`, so that nothing in it can be executed.

    Raises:
        ModelError: the file is missing, damaged, or of another version; it ends with the remedy.
    """
    if not source.exists():
        raise ModelError(f"{source} does not exist: {remedy}.")
    try:
        state: dict[str, Any] = torch.load(source, map_location=device, weights_only=True)
    except Exception as cause:  # a damaged file makes the reader fail in any way it can
        raise ModelError(f"{source} is damaged ({type(cause).__name__}): {remedy}.") from cause
    if not isinstance(state, dict) or state.get("version") != _VERSION:
        raise ModelError(f"{source} was written by another disanat: {remedy}.")
    checksum = state.pop(_CHECKSUM, None)
    if checksum is not None and checksum != digest_of(state):
        raise ModelError(f"{source} is damaged (its checksum does not fit): {remedy}.")
    return state


def digest_of(state: Any) -> str:
    """SHA-256 (hex) of nested dictionaries and lists of tensors, numbers and text."""
    found = hashlib.sha256()
    for part in _parts(state):
        found.update(part)
    return found.hexdigest()


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, torch.Tensor):
        yield f"{value.dtype} {list(value.shape)} ".encode()
        yield value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    elif isinstance(value, Mapping):
        yield b"{"
        for key, inner in value.items():
            yield f"{key!r}:".encode()
            yield from _parts(inner)
        yield b"}"
    elif isinstance(value, (list, tuple)):
        yield b"["
        for inner in value:
            yield from _parts(inner)
        yield b"]"
    else:
        yield f"{value!r},".encode()


def save_shared(weights: Mapping[str, torch.Tensor], target: Path) -> None:
    """Write weights as safetensors, a format that holds numbers and names and nothing else.

    What several names share is stored once; the other names stand in the file's metadata.
    """
    stored: dict[str, torch.Tensor] = {}
    names: dict[tuple[int, torch.Size], str] = {}
    same: dict[str, str] = {}
    for name, tensor in weights.items():
        first = names.setdefault((tensor.data_ptr(), tensor.shape), name)
        if first == name:
            stored[name] = tensor.detach().cpu().contiguous()
        else:
            same[_SAME_AS + name] = first
    kept = {"version": str(_VERSION), _CHECKSUM: digest_of(dict(sorted(stored.items()))), **same}
    with atomic_path(target) as temporary:
        safetensors.torch.save_file(stored, temporary, metadata=kept)


def load_shared(
    source: Path, device: torch.device, remedy: str = "import the model again"
) -> dict[str, torch.Tensor]:
    """Read what `save_shared` wrote: all names, those that share their numbers included.

    Raises:
        ModelError: the file is missing, damaged, or of another version; it ends with the remedy.
    """
    if not source.exists():
        raise ModelError(f"{source} does not exist: {remedy}.")
    try:
        with safetensors.safe_open(source, framework="pt", device=str(device)) as file:
            told = dict(file.metadata() or {})
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        same = {k.removeprefix(_SAME_AS): v for k, v in told.items() if k.startswith(_SAME_AS)}
        weights = {**stored, **{name: stored[first] for name, first in same.items()}}
    except Exception as cause:  # a damaged file makes the reader fail in any way it can
        raise ModelError(f"{source} is damaged ({type(cause).__name__}): {remedy}.") from cause
    if told.get("version") != str(_VERSION):
        raise ModelError(f"{source} was written by another disanat: {remedy}.")
    if told.get(_CHECKSUM) != digest_of(dict(sorted(stored.items()))):
        raise ModelError(f"{source} is damaged (its checksum does not fit): {remedy}.")
    return weights
