"""Models made and found: `train` and `load_predictor`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from disanat.ablations import check_ablations
from disanat.api.wishes import check_amounts, each_fold
from disanat.home import resolve_home
from disanat.inference.bundled import bundled_model, is_bundled
from disanat.inference.find import find_members, find_model
from disanat.inference.predictor import Predictor
from disanat.networks.precision import default_device
from disanat.scoring.calibration import BEST

__all__ = ["load_predictor", "train"]

log = logging.getLogger(__name__)


def train(
    dataset: str | None = None,
    method: str = "dal",
    configuration: str | None = None,
    folds: str | int | Sequence[str | int] = "0",
    *,
    home: str | Path | None = None,
    device: str | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    processes: int = 0,
    resume: bool = False,
    restart: bool = False,
    tensorboard: bool = False,
    pretrained: str | None = None,
    plans_name: str = "",
    ablations: Sequence[str] = (),
) -> Path:
    """Train a method on the healthy scans of a planned dataset; what `disanat_train` does.

    A training that was interrupted goes on, and one that is finished with the same settings is
    kept.

    Args:
        dataset: number or full name (5, 005, Dataset005_IXI); None takes the one planned last.
        method: such as `dal`, `threshold` or `ae`.
        configuration: of the plan; None takes the recommended one.
        folds: 0 to 4, or `all`; of several each is trained, and all are calibrated together as an
            ensemble.
        home: folder with `preprocessed/`; None takes DISANAT_HOME, else ./disanat_home.
        device: `cpu` or `cuda`; None takes a GPU if there is one.
        epochs: how many; None takes the plan's.
        minutes: train each fold for about so long, in place of a number of epochs.
        seed: of all randomness.
        processes: that render training batches; 0 renders in this one. A script that asks for
            more needs the usual `if __name__ == "__main__":`.
        resume: go on after the last epoch of a finished training too.
        restart: train anew.
        tensorboard: write what TensorBoard shows too, into a folder of the model.
        pretrained: the model whose weights the networks start from: its folder, a method's name,
            or `pretrained` for the one that ships with disanat.
        plans_name: of the plan, where the dataset has several.
        ablations: parts that `dal` is to go without (`disanat_train --help` lists them).

    Returns:
        The model's folder, for `Predictor.from_folder`; of several folds the ensemble's.

    Raises:
        PlanError: there is no plan, or it has no such configuration; no such method, fold or
            device; or a training of no length is asked for.
        DatasetError: no such dataset, or it has too few cases.
        ModelError: there is no model to start from, or it does not fit.
        BusyError: another process trains there, or prepares the cases.
    """
    from disanat.training import train as training  # load_predictor is quicker without it
    from disanat.training.ensemble import ready_ensemble
    from disanat.training.settings import TrainingSettings

    check_amounts(epochs, minutes, processes)
    left_out = check_ablations(ablations)
    place = resolve_home(home)
    name = place.dataset_name(dataset) if dataset else training.latest_plan(place)
    settings = TrainingSettings(
        device=device or default_device(),
        epochs=epochs,
        seed=seed,
        workers=processes,
        resume=resume,
        restart=restart,
        tensorboard=tensorboard,
        pretrained=find_model(place, pretrained) if pretrained else None,
        minutes=minutes,
    )
    members = [
        training.train(place, name, method, configuration, fold, settings, plans_name, left_out)
        for fold in each_fold(folds)
    ]
    if len(members) == 1:
        return members[0]
    return ready_ensemble(place, members, settings.device, seed)


def load_predictor(
    model: str | Path | None = None,
    *,
    home: str | Path | None = None,
    dataset: str | None = None,
    configuration: str | None = None,
    folds: str | int | Sequence[str | int] | None = None,
    device: str | None = None,
    threshold: str | float = BEST,
    fast: bool = False,
) -> Predictor:
    """Find and load the model that `disanat_predict` would take.

    Args:
        model: a model's folder, a method's name, the name of an imported model, or `pretrained`
            for the one that ships with disanat; None takes the one that finished training last,
            and with nothing trained the one that ships.
        home: folder with `results/`; None takes DISANAT_HOME, else ./disanat_home.
        dataset: number or full name of the dataset it was trained on.
        configuration: that it was trained in.
        folds: the model of this fold, or the ensemble of these.
        device: `cpu` or `cuda`; None takes a GPU if there is one.
        threshold: of the masks: `best`, `1%` or `5%` as the model stores them, or a number in units
            of the anomaly map.
        fast: no mirroring, fewer overlaps, bfloat16 where the device has it: less exact.

    Raises:
        ModelError: no model fits, it is damaged, or it has no such threshold.
        DatasetError: no such dataset.
    """
    place = resolve_home(home)
    known = place.dataset_name(dataset) if dataset else None
    where = device or default_device()
    wanted = None if model is None else str(model)
    chosen = each_fold(folds) if folds is not None else []
    if len(chosen) > 1:
        from disanat.training.ensemble import ready_ensemble  # it calibrates, which takes long

        members = find_members(place, chosen, wanted, known, configuration)
        folder = ready_ensemble(place, members, where)
    else:
        folder = find_model(place, wanted, known, configuration, chosen[0] if chosen else None)
    if is_bundled(folder) and (shipped := bundled_model()):
        why = "" if model else f"{place.results} holds no trained model. "
        log.info("%s%s", why, shipped.sentence)
    log.info("Predicting with %s.", folder)
    return Predictor.from_folder(folder, where, threshold, fast)
