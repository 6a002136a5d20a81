"""All finished models there are, in a home folder and in the package."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disanat.errors import DisanatError, ModelError
from disanat.home import Home, read_json
from disanat.inference.archive import MANIFEST
from disanat.inference.bundled import NAME, bundled_model
from disanat.inference.model import DESCRIPTION, REMEDY

__all__ = ["ListedModel", "list_models"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListedModel:
    """What `disanat_models` says of one model; Dice and mL are those of its stored threshold."""

    name: str
    """What `-m` takes: a folder, or `pretrained`."""
    method: str
    dataset: str
    configuration: str
    folds: str
    finished: str
    threshold: float | None
    synthetic_dice: float | None
    false_positives_ml: float | None
    made_by: str = ""
    bundled: bool = False


def list_models(home: Home) -> list[ListedModel]:
    """The finished models of a home folder, newest first, then the one that ships with disanat.

    One that cannot be read is reported and left out, as are those of comparisons.
    """
    found = []
    for source in home.results.glob(f"*/*/*/{DESCRIPTION}"):
        try:
            found.append(_listed(source.parent, str(source.parent), False))
        except DisanatError as mistake:
            log.warning("left out: %s", mistake)
    found.sort(key=lambda one: one.finished, reverse=True)
    shipped = bundled_model()
    return found if shipped is None else [*found, _listed(shipped.folder, NAME, True)]


def _listed(folder: Path, name: str, bundled: bool) -> ListedModel:
    source = folder / DESCRIPTION
    data: Any = read_json(source, ModelError, REMEDY)
    try:
        calibration, members = data["calibration"], data.get("members", {})
        folds = [m.removeprefix("fold_") for m in members] or [str(data["facts"].get("fold", "?"))]
        return ListedModel(
            name=name,
            method=str(data["method"]),
            dataset=str(data["plans"]["dataset"]),
            configuration=str(data["configuration"]["name"]),
            folds=" ".join(folds),
            finished=str(data["finished"]),
            threshold=calibration.get("threshold"),
            synthetic_dice=calibration.get("dice"),
            false_positives_ml=calibration.get("false_positives_ml"),
            made_by=_made_by(folder),
            bundled=bundled,
        )
    except (KeyError, TypeError, AttributeError) as cause:
        raise ModelError(f"{source} is damaged ({cause!r}): {REMEDY}.") from cause


def _made_by(folder: Path) -> str:
    """Who made an imported model; empty for one trained here."""
    path = folder / MANIFEST
    if not path.exists():
        return ""
    data = read_json(path, ModelError, "import the model again")
    return str(data.get("made_by", "")) if isinstance(data, dict) else ""
