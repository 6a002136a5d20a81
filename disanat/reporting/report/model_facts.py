"""What a report tells of the model: its healthy cases' scores, and why it was planned as it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disanat.errors import ModelError
from disanat.home import read_json
from disanat.inference.bundled import bundled_folder
from disanat.inference.model import DESCRIPTION, REMEDY
from disanat.plans import Decision
from disanat.scoring.case_level import ANY

__all__ = ["ModelFacts", "model_facts"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFacts:
    """Empty where the model is gone; `note` then says so."""

    healthy_scores: tuple[float, ...] = ()
    """Case scores of the healthy cases that p-values are from, of all contrasts."""
    decisions: tuple[Decision, ...] = ()
    overridden: tuple[str, ...] = ()
    training: Mapping[str, str] | None = None
    note: str = ""


def model_facts(facts: Mapping[str, Any]) -> ModelFacts:
    """Look the model of a prediction up.

    Args:
        facts: the folder's prediction.json.
    """
    if not facts.get("model"):
        return ModelFacts(note="The predictions do not say which model made them.")
    folder = bundled_folder() if facts.get("bundled") is True else Path(str(facts["model"]))
    try:
        described = read_json(folder / DESCRIPTION, ModelError, REMEDY)
        if facts.get("finished") and described.get("finished") != facts["finished"]:
            return ModelFacts(
                note="The model was trained again after these predictions, so its plan is not "
                "shown."
            )
        return _read(described)
    except (ModelError, KeyError, TypeError, ValueError, AttributeError) as cause:
        log.debug("%s: %r", folder, cause)
        return ModelFacts(
            note="The model's folder is gone or cannot be read, so its plan is not shown."
        )


def _read(described: Mapping[str, Any]) -> ModelFacts:
    plans = described["plans"]
    calibration = described["calibration"]
    facts = described.get("facts") or {}
    trained = {
        name: str(facts[key])
        for key, name in (("epochs", "epochs"), ("minutes", "minutes"), ("device", "device"),
                          ("seed", "seed"), ("fold", "fold"), ("torch", "torch"))
        if facts.get(key) is not None
    }  # fmt: skip
    scores = (calibration.get("case_scores") or {}).get(ANY, ())
    return ModelFacts(
        healthy_scores=tuple(float(score) for score in scores),
        decisions=tuple(
            Decision(str(d["name"]), str(d["value"]), str(d["reason"]))
            for d in plans.get("decisions", ())
        ),
        overridden=tuple(str(text) for text in plans.get("overridden", ())),
        training=trained,
    )
