"""Whether a model is just what a training would make once more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from disanat.errors import ModelError
from disanat.home import read_json
from disanat.inference.model import DESCRIPTION, REMEDY, load_model
from disanat.io.content import file_digest
from disanat.training.splits import Split

__all__ = ["BEGAN", "PLANNED", "cases_digest", "is_finished_alike"]

BEGAN, PLANNED = "began", "planned"
"""Under these names a model's facts hold what its training began with."""


def cases_digest(folder: Path, split: Split) -> str:
    """SHA-256 (hex) of who trains and who is set aside, and of what their prepared cases hold."""
    names = {name for group in astuple(split) for name in group}
    content = {name: file_digest(folder / f"{name}.json") for name in sorted(names)}
    return hashlib.sha256(json.dumps([astuple(split), content]).encode()).hexdigest()


def is_finished_alike(
    folder: Path, began: Mapping[str, object], planned: Mapping[str, object]
) -> bool:
    """Whether a folder holds a finished model that began with the same settings, plan and cases.

    One that cannot be loaded is not finished.
    """
    source = folder / DESCRIPTION
    if not source.exists():
        return False
    try:
        data: Any = read_json(source, ModelError, REMEDY)
        facts = data["facts"]
        if facts[BEGAN] != _as_json(began) or facts[PLANNED] != _as_json(planned):
            return False
        load_model(folder)
        return True
    except (ModelError, KeyError, TypeError):
        return False


def _as_json(value: Mapping[str, object]) -> Any:
    return json.loads(json.dumps(value))
