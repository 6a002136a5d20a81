"""The state of random generators, kept in checkpoints so that training goes on as it would have."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

__all__ = ["LATEST", "restore_rng", "rng_state"]

LATEST = "checkpoint_latest.pt"


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
