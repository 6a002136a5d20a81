"""Weights on disk: written in one piece, read without running anything, checked for damage."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from disanat.errors import ModelError
from disanat.home import atomic_path

__all__ = ["load_state", "save_state", "state_digest"]

_VERSION = 1
_CHECKSUM = "checksum"


def save_state(state: dict[str, Any], target: Path) -> None:
    """Write a dictionary of tensors, numbers and text with its checksum, in one piece."""
    content = {"version": _VERSION, **state}
    with atomic_path(target) as temporary:
        torch.save(content | {_CHECKSUM: state_digest(content)}, temporary)


def load_state(
    source: Path, device: torch.device, remedy: str = "train the model again"
) -> dict[str, Any]:
    """Read a state with `weights_only`, so that nothing in it can be executed.

    A file of an earlier disanat holds no checksum, and is read without.

    Raises:
        ModelError: the file is missing, damaged, or of another version; it ends with the remedy.
    """
    if not source.exists():
        raise ModelError(f"{source} does not exist: {remedy}.")
    try:
        state: dict[str, Any] = torch.load(source, map_location=device, weights_only=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as cause:  # damaged bytes make the unpickler fail in every way there is
        raise ModelError(f"{source} is damaged ({type(cause).__name__}): {remedy}.") from cause
    if not isinstance(state, dict) or state.get("version") != _VERSION:
        raise ModelError(f"{source} was written by another disanat: {remedy}.")
    if _CHECKSUM in state and state.pop(_CHECKSUM) != _digest_or_none(state):
        raise ModelError(f"{source} is damaged (its checksum does not fit): {remedy}.")
    return state


def state_digest(state: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over a state: names, order, types and values, and every tensor's bytes.

    Raises:
        TypeError: it holds something other than tensors, numbers, text, and dictionaries or lists
            of them.
    """
    return hashlib.sha256(_fingerprint(state, {})).hexdigest()


def _digest_or_none(state: Mapping[str, Any]) -> str | None:
    """What was read may hold what is never written: then no checksum fits."""
    try:
        return state_digest(state)
    except (TypeError, RecursionError):
        return None


def _fingerprint(value: Any, known: dict[tuple[object, ...], bytes]) -> bytes:
    """A digest of one value; `known` spares tensors that go by several names."""
    if isinstance(value, torch.Tensor):
        place = (value.data_ptr(), value.dtype, value.shape, value.stride())
        if place not in known:
            known[place] = _of_tensor(value)
        return known[place]
    if isinstance(value, Mapping):
        parts = [part for pair in value.items() for part in pair]
    elif isinstance(value, list | tuple):
        parts = list(value)
    elif value is None or isinstance(value, bool | int | float | str | bytes):
        return hashlib.sha256(f"{type(value).__name__} {value!r}".encode()).digest()
    else:
        raise TypeError(f"a {type(value).__name__} is neither a tensor nor a number nor text")
    kind = "mapping" if isinstance(value, Mapping) else "sequence"
    inner = b"".join(_fingerprint(part, known) for part in parts)
    return hashlib.sha256(f"{kind} {len(parts)} ".encode() + inner).digest()


def _of_tensor(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    digest = hashlib.sha256(f"tensor {tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(flat.numpy().data)
    return digest.digest()
