"""Weights on disk: written in one piece, read without running anything."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from disanat.errors import ModelError
from disanat.home import atomic_path

__all__ = ["load_state", "save_state"]

_VERSION = 1


def save_state(state: dict[str, Any], target: Path) -> None:
    """Write a dictionary of tensors, numbers and text, in one piece."""
    with atomic_path(target) as temporary:
        torch.save({"version": _VERSION, **state}, temporary)


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
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, KeyError) as cause:
        raise ModelError(f"{source} is damaged ({type(cause).__name__}): {remedy}.") from cause
    if not isinstance(state, dict) or state.get("version") != _VERSION:
        raise ModelError(f"{source} was written by another disanat: {remedy}.")
    return state
