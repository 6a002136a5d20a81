"""Which of the models in a home folder a user means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from disanat.ablations import is_ablated
from disanat.errors import ModelError
from disanat.home import Home
from disanat.inference.bundled import NAME, bundled_model
from disanat.inference.model import DESCRIPTION, finished
from disanat.methods.registry import method_names, untrained_methods

__all__ = [
    "calibrated_folder",
    "calibrated_names",
    "find_members",
    "find_model",
    "imported_folder",
    "imported_names",
]

_IMPORTED, _CALIBRATED = "imported", "calibrated"
_NAME = re.compile(r"\w[\w.+-]*")


def imported_folder(home: Home, name: str) -> Path:
    """Where a model that somebody else made lies under the name it was given here.

    Raises:
        ModelError: the name cannot be taken.
    """
    return _named_folder(home, name, _IMPORTED)


def calibrated_folder(home: Home, name: str) -> Path:
    """Where a copy of a model that was calibrated for a site lies under the name it was given.

    Raises:
        ModelError: the name cannot be taken.
    """
    return _named_folder(home, name, _CALIBRATED)


def _named_folder(home: Home, name: str, kind: str) -> Path:
    if name in (*method_names(), NAME) or _NAME.fullmatch(name) is None:
        raise ModelError(
            f"'{name}' cannot be a model's name: give another with --name, of letters, digits, "
            "'_', '-', '+' and '.', and none that -m knows already."
        )
    for other in {_IMPORTED, _CALIBRATED} - {kind}:
        if name in _names(home, other):
            raise ModelError(
                f"'{name}' is the name of the model in {home.results / other / name}: give another "
                "with --name."
            )
    return home.results / kind / name


def imported_names(home: Home) -> list[str]:
    """Names of the models that were imported, sorted."""
    return _names(home, _IMPORTED)


def calibrated_names(home: Home) -> list[str]:
    """Names of the copies that were calibrated for a site, sorted."""
    return _names(home, _CALIBRATED)


def _names(home: Home, kind: str) -> list[str]:
    there = (home.results / kind).glob(f"*/{DESCRIPTION}")
    return sorted(p.parent.name for p in there if _NAME.fullmatch(p.parent.name))


def find_model(
    home: Home,
    model: str | None = None,
    dataset: str | None = None,
    configuration: str | None = None,
    fold: str | None = None,
) -> Path:
    """The model folder that a user means.

    Args:
        home: the home folder.
        model: a folder, a method's name, the name of an imported or calibrated model, or
            `pretrained` for the model that ships with the package; any training by default.
        dataset: full dataset name, or None for any.
        configuration: name, or None for any.
        fold: number or `all`, or None for any.

    Returns:
        The folder of the training that finished last among those that fit. With nothing named and
        nothing trained it is the shipped model's. With no model named, a baseline without training
        is taken only where there is nothing else. A training without some part of the method
        (`disanat_train --ablate`) is taken only by its folder, as is one of a comparison, which
        lies deeper. An imported or calibrated model is taken only where it is named.

    Raises:
        ModelError: none fits; the message lists what there is.
    """
    narrowed = any(choice is not None for choice in (dataset, configuration, fold))
    if model == NAME:
        return _shipped(narrowed)
    if model and Path(model).is_dir():
        return _inside(Path(model), fold)
    if model and model not in method_names():
        return _by_name(home, model, fold)
    training = f"{dataset or '*'}/{model or '*'}__{configuration or '*'}"
    patterns = [f"{training}/{last}" for last in _last_parts(fold)]
    matching = [p.parent for last in patterns for p in home.results.glob(f"{last}/{DESCRIPTION}")]
    found = [folder for folder in matching if not is_ablated(folder.parent.name)]
    trained = [p for p in found if p.parent.name.split("__")[0] not in untrained_methods()]
    if model is None and trained:
        found = trained
    elif model is None and not narrowed and (shipped := bundled_model()):
        return shipped.folder
    if found:
        return max(found, key=finished)
    there = sorted(
        str(p.parent.relative_to(home.results)) for p in home.results.glob(f"*/*/*/{DESCRIPTION}")
    )
    if not there:
        ships = bundled_model() is not None
        hint = f", or take the one that ships with disanat by -m {NAME} alone" if ships else ""
        raise ModelError(
            f"No model has been trained yet in {home.results}: run disanat_train first, or point "
            f"--home or DISANAT_HOME at the folder where one was{hint}."
        )
    raise ModelError(
        f"No finished model fits {patterns[0]} in {home.results}: there are {', '.join(there)}."
    )


def find_members(
    home: Home,
    folds: Sequence[str],
    model: str | None = None,
    dataset: str | None = None,
    configuration: str | None = None,
) -> list[Path]:
    """The folders of several folds of one training, for an ensemble.

    Args:
        home: the home folder.
        folds: at least one; those named twice count once.
        model: a method's name, or the folder that holds the folds.
        dataset: full dataset name, or None for any.
        configuration: name, or None for any.

    Raises:
        ModelError: a fold has not been trained; the message names it.
    """
    wanted = sorted(set(folds))
    first = find_model(home, model, dataset, configuration, wanted[0])
    members = [first.parent / f"fold_{fold}" for fold in wanted]
    for fold, member in zip(wanted, members, strict=True):
        if not (member / DESCRIPTION).exists():
            raise ModelError(
                f"Fold {fold} of {first.parent} has no finished model: train it with "
                f"disanat_train -f {fold}, or leave it out of -f."
            )
    return members


def _shipped(narrowed: bool) -> Path:
    """The folder of the model that ships with the package."""
    if narrowed:
        raise ModelError(f"-m {NAME} names one single model: leave out -d, -c and -f.")
    shipped = bundled_model()
    if shipped is None:
        raise ModelError(
            "This disanat was installed without a trained model: train one with disanat_train, or "
            "name a model's folder with -m."
        )
    return shipped.folder


def _by_name(home: Home, name: str, fold: str | None) -> Path:
    """The folder of the imported or calibrated model of that name."""
    known = {n: home.results / k / n for k in (_IMPORTED, _CALIBRATED) for n in _names(home, k)}
    if name not in known:
        raise ModelError(
            f"'{name}' is neither a folder nor a method: give a model's folder, or one of "
            f"{', '.join((*method_names(), NAME, *known))}."
        )
    return _inside(known[name], fold)


def _last_parts(fold: str | None) -> tuple[str, ...]:
    return ("fold_*", "ensemble_*") if fold is None else (f"fold_{fold}",)


def _inside(folder: Path, fold: str | None) -> Path:
    """The folder itself, or the wanted or last finished model in it."""
    if (folder / DESCRIPTION).exists():
        if fold is not None and folder.name != f"fold_{fold}":
            raise ModelError(
                f"{folder} is a model of its own, not fold {fold}: leave out -f, or name the "
                "folder above with -m."
            )
        return folder
    there = [p.parent for part in _last_parts(fold) for p in folder.glob(f"{part}/{DESCRIPTION}")]
    if fold is not None and not there:
        raise ModelError(f"{folder} holds no finished model of fold {fold}: train it first.")
    return max(there, key=finished) if there else folder
