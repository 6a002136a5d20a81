"""Which finished models there are: own trainings, imported ones, and the one that ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from disanat.errors import ModelError
from disanat.home import Home, read_json
from disanat.inference.archive import known_author
from disanat.inference.bundled import NAME, bundled_model
from disanat.inference.find import (
    calibrated_folder,
    calibrated_names,
    imported_folder,
    imported_names,
)
from disanat.inference.manifest import UNKNOWN
from disanat.inference.model import DESCRIPTION, REMEDY

__all__ = ["ListedModel", "list_models"]

Origin = Literal["trained", "imported", "calibrated", "bundled"]


@dataclass(frozen=True)
class ListedModel:
    """A finished model as a table shows it.

    `use` is what `disanat_predict -m` takes. `threshold`, `false_positives_ml` (in the median
    healthy brain) and `dice` (on synthetic lesions) are those of the calibration.
    """

    use: str
    origin: Origin
    method: str
    dataset: str
    configuration: str
    folds: str
    finished: str
    threshold: float
    false_positives_ml: float
    dice: float
    made_by: str


def list_models(home: Home) -> tuple[list[ListedModel], list[str]]:
    """All finished models: of a home, and the one that ships with the package.

    Models of a comparison are not among them.

    Args:
        home: the home folder.

    Returns:
        The models, own trainings first, and a sentence for each that cannot be read.
    """
    trained = sorted(path.parent for path in home.results.glob(f"*/*/*/{DESCRIPTION}"))
    found: list[tuple[Path, str, Origin]] = [(path, str(path), "trained") for path in trained]
    found += [(imported_folder(home, name), name, "imported") for name in imported_names(home)]
    found += [(calibrated_folder(home, n), n, "calibrated") for n in calibrated_names(home)]
    models, mistakes = [], []
    try:
        shipped = bundled_model()
        found += [(shipped.folder, NAME, "bundled")] if shipped else []
    except ModelError as mistake:
        mistakes.append(str(mistake))
    for folder, use, origin in found:
        try:
            models.append(_listed(folder, use, origin))
        except ModelError as mistake:
            mistakes.append(str(mistake))
    return models, mistakes


def _listed(folder: Path, use: str, origin: Origin) -> ListedModel:
    source = folder / DESCRIPTION
    data = read_json(source, ModelError, REMEDY)
    try:
        calibration = data["calibration"]
        return ListedModel(
            use=use,
            origin=origin,
            method=str(data["method"]),
            dataset=str(data["plans"]["dataset"]),
            configuration="+".join(
                [data["configuration"]["name"], *data["configuration"].get("ablations", ())]
            ),
            folds=_folds(data),
            finished=str(data["finished"]),
            threshold=float(calibration["threshold"]),
            false_positives_ml=float(calibration["false_positives_ml"]),
            dice=float(calibration["dice"]),
            made_by=known_author(folder) or _made_by(origin),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise ModelError(f"{source} is damaged ({cause!r}): {REMEDY}.") from cause


def _made_by(origin: Origin) -> str:
    return {"trained": "trained here", "calibrated": "calibrated here"}.get(origin, UNKNOWN)


def _folds(data: Any) -> str:
    """The fold, or all those that an ensemble joins."""
    members = data.get("members", {})
    if members:
        return " ".join(name.removeprefix("fold_") for name in members)
    return str(data["facts"].get("fold", ""))
