"""What checkpoints hold beside the weights, so that training goes on as it would have."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from disanat.errors import ModelError
from disanat.networks.weights import load_state, save_state
from disanat.plans import Configuration, Plans, to_dict

__all__ = [
    "check_began",
    "check_plan",
    "has_checkpoint",
    "load_checkpoint",
    "planned_with",
    "remove_checkpoints",
    "restore_rng",
    "rng_state",
    "save_checkpoint",
]

log = logging.getLogger(__name__)

LATEST = "checkpoint_latest.pt"
PREVIOUS = "checkpoint_previous.pt"
_REMEDY = "train anew with --restart"
_MAY_DIFFER = ("name", "epochs", "estimated_memory_gb")
_OF_PLAN = (
    "channel_names",
    "classes",
    "prior",
    "atlas_registration",
    "brain_mask_tool",
    "preparation",
)


def save_checkpoint(state: dict[str, Any], folder: Path) -> None:
    """Write the state after an epoch; that of the epoch before stays as the previous one."""
    if (folder / LATEST).exists():
        os.replace(folder / LATEST, folder / PREVIOUS)
    save_state(state, folder / LATEST)


def load_checkpoint(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The state after the last epoch, or after the one before if that file is damaged.

    Returns:
        None where there is no checkpoint at all.

    Raises:
        ModelError: all that there are are damaged.
    """
    there = [folder / name for name in (LATEST, PREVIOUS) if (folder / name).exists()]
    for path in there:
        last = path == there[-1]
        try:
            return load_state(path, device, _REMEDY if last else f"taking {there[-1].name}")
        except ModelError as mistake:
            if last:
                raise
            log.warning("%s", mistake)
    return None


def has_checkpoint(folder: Path) -> bool:
    """Whether a training in this folder has finished an epoch."""
    return any((folder / name).exists() for name in (LATEST, PREVIOUS))


def remove_checkpoints(folder: Path) -> None:
    """Forget a training; what it was going on from is gone, the older one first."""
    for name in (PREVIOUS, LATEST):
        (folder / name).unlink(missing_ok=True)


def planned_with(plans: Plans, configuration: Configuration) -> dict[str, Any]:
    """What decides how a training's weights come about, as JSON data."""
    of_plan = {name: to_dict(getattr(plans, name)) for name in _OF_PLAN}
    return {**to_dict(configuration), **of_plan}


def check_plan(state: Mapping[str, Any], planned: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on under another plan than a training began with.

    Args:
        state: of the checkpoint; one of an older disanat, without `planned`, is taken as it is.
        planned: what `planned_with` says now. A setting that only one of them knows counts for
            nothing: an older disanat did not have it.
        folder: of the training.

    Raises:
        ModelError: the two differ in more than the number of epochs; the message says in what.
    """
    before = state.get("planned", planned)
    keys = [k for k in planned if k in before and k not in _MAY_DIFFER]
    changed = [_change(k, before[k], planned[k]) for k in keys]
    said = ", ".join(change for change in changed if change)
    if said:
        raise ModelError(
            f"The training in {folder} began under another plan ({said}): train anew with "
            "--restart, or plan again as before."
        )


def check_began(state: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on by itself with other settings than an interrupted training began with.

    Args:
        state: of the checkpoint; one of an older disanat, without `began`, is taken as it is.
        now: seed, epochs and so on as the command gives them.
        folder: of the training.

    Raises:
        ModelError: they differ; the message says in what.
    """
    before = state.get("began", now)
    said = ", ".join(f"{k} {before[k]}, now {now[k]}" for k in now if before.get(k) != now[k])
    if said:
        raise ModelError(
            f"{folder} holds a training that was interrupted and began otherwise ({said}): give "
            "the same command again, --resume to go on all the same, or --restart to train anew."
        )


def _change(name: str, before: Any, now: Any) -> str:
    """What became of a setting in words; empty where it is the same. Networks are only named."""
    if _plain(before) == _plain(now):
        return ""
    if isinstance(now, dict):
        return f"another {name}"
    return f"{name} {_plain(before)}, now {_plain(now)}"


def _plain(value: Any) -> Any:
    """Tuples as lists, at every depth: one place writes the one, one the other."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def rng_state() -> dict[str, Any]:
    """State of torch's and numpy's generators, as tensors and numbers."""
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "numpy": [
            str(kind),
            torch.from_numpy(np.asarray(keys, np.int64)),
            position,
            has_gauss,
            cached,
        ],
    }


def restore_rng(state: dict[str, Any]) -> None:
    """Set the generators back to a state from `rng_state`."""
    torch.set_rng_state(state["torch"].cpu())
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))
