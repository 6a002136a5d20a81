"""What the commands do, as functions: `from disanat import train, evaluate, compare`.

Planning and preprocessing lie in `planning`: `from planning import plan, preprocess`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from disanat.ablations import check_ablations
from disanat.errors import PlanError
from disanat.evaluation.evaluate import Evaluation, evaluate_folder, write_evaluation
from disanat.evaluation.participants import (
    Participants,
    check_subgroup_wishes,
    read_participants,
)
from disanat.evaluation.scans import Scans
from disanat.evaluation.subgroups import Subgroups, find_subgroups
from disanat.experiments import compare as comparing
from disanat.experiments.compare import Budget, Comparison, Outcome
from disanat.experiments.compare_subgroups import tables_of_sets
from disanat.experiments.sets import named_sets, raw_sets
from disanat.home import resolve_home
from disanat.inference.bundled import bundled_model, is_bundled
from disanat.inference.find import find_members, find_model
from disanat.inference.predictor import Predictor
from disanat.methods.registry import get_method
from disanat.plans import Plans, load_json
from disanat.preprocessing.parallel import Elsewhere
from disanat.reporting.subgroup_page import write_subgroup_pages
from disanat.scoring.calibration import BEST
from disanat.training import train as training
from disanat.training.ensemble import ready_ensemble
from disanat.training.settings import TrainingSettings
from disanat.training.train import PLANS, check_fold_and_device, default_device, latest_plan

__all__ = ["compare", "evaluate", "load_predictor", "subgroups", "train"]

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
    _check_amounts(epochs, minutes, processes)
    left_out = check_ablations(ablations)
    place = resolve_home(home)
    name = place.dataset_name(dataset) if dataset else latest_plan(place)
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
        for fold in _folds(folds)
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
        fast: no mirroring and fewer overlaps: quicker, and less exact.

    Raises:
        ModelError: no model fits, it is damaged, or it has no such threshold.
        DatasetError: no such dataset.
    """
    place = resolve_home(home)
    known = place.dataset_name(dataset) if dataset else None
    where = device or default_device()
    wanted = None if model is None else str(model)
    chosen = _folds(folds) if folds is not None else []
    if len(chosen) > 1:
        members = find_members(place, chosen, wanted, known, configuration)
        folder = ready_ensemble(place, members, where)
    else:
        folder = find_model(place, wanted, known, configuration, chosen[0] if chosen else None)
    if is_bundled(folder) and (shipped := bundled_model()):
        why = "" if model else f"{place.results} holds no trained model. "
        log.info("%s%s", why, shipped.sentence)
    log.info("Predicting with %s.", folder)
    return Predictor.from_folder(folder, where, threshold, fast)


def evaluate(
    predictions: str | Path,
    labels: str | Path,
    output: str | Path | None = None,
    *,
    scans: str | Path | bool = False,
) -> Evaluation:
    """Judge a folder of predictions against expert masks; what `disanat_evaluate` does.

    Args:
        predictions: folder that `disanat_predict` or `predict_folder` wrote.
        labels: folder with a mask for each case, CASE.nii.gz, on the scan's grid: above 0 is
            lesion, all 0 is a healthy brain.
        output: folder for `evaluation.json` and `evaluation.csv`; None writes nothing.
        scans: folder of the scans, or True where they lie where they were predicted: gives each
            lesion its contrast.

    Returns:
        Every case and the means over the cases with lesions. AP, Dice and AUROC are shares of 1,
        volumes are in mL, `best_threshold` is in units of the anomaly map. Lesion voxels outside
        the brain mask count as misses.

    Raises:
        DatasetError: no predictions, a case without a label, or a label on another grid.
        ImageError: a file that cannot be read.
    """
    folder = Path(predictions)
    evaluation = evaluate_folder(folder, Path(labels), scans=Scans.wanted(folder, scans))
    if output is not None:
        write_evaluation(evaluation, Path(output))
    return evaluation


def subgroups(
    evaluation: Evaluation,
    participants: str | Path | Participants | None = None,
    output: str | Path | None = None,
    *,
    columns: Sequence[str] = (),
    cuts: Mapping[str, Sequence[float]] | None = None,
) -> Subgroups:
    """Say for whom it is wrong: the measures by groups of participants, lesions by size, contrast.

    What `disanat_evaluate --participants` does.

    Args:
        evaluation: from `evaluate`, with its `scans` for the contrast of lesions.
        participants: `participants.tsv`; None counts lesions only.
        output: folder for `subgroups.md`, `.csv`, `.json` and `.png`; None writes nothing.
        columns: of the table, whose groups are compared; none takes all.
        cuts: where columns of numbers are cut, such as `{"age": (40, 60)}`; others into terciles.

    Raises:
        DatasetError: the table is damaged, lacks a column, or has no row of any case.
    """
    table = participants
    if isinstance(table, str | Path):
        table = read_participants(Path(table), columns, cuts)
    found = find_subgroups(evaluation.cases, table)
    if output is not None:
        write_subgroup_pages(found, Path(output))
    return found


def compare(
    methods: Sequence[str],
    scans: Sequence[str | Path] = (),
    labels: Sequence[str | Path] = (),
    *,
    dataset: str | None = None,
    configuration: str | None = None,
    fold: str | int = "0",
    home: str | Path | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    channels: Sequence[int] | None = None,
    device: str | None = None,
    seed: int = 0,
    processes: int = 0,
    plans_name: str = "",
    name: str = "",
    participants: Sequence[str | Path] = (),
    columns: Sequence[str] = (),
    cuts: Mapping[str, Sequence[float]] | None = None,
    cluster: Elsewhere | None = None,
) -> Outcome:
    """Train, predict and judge several methods alike; what `disanat_compare` does.

    A comparison that was interrupted goes on when it is asked for again.

    Args:
        methods: such as `dal`, `threshold`, `ae`.
        scans: folders of scans to test on; none takes `imagesTs` of each raw dataset that has
            `labelsTs`, one contrast at a time.
        labels: a folder of expert masks for each of `scans`, in the same order.
        dataset: to train on: number or full name; None takes the one planned last.
        configuration: of the plan; None takes the recommended one.
        fold: 0 to 4, or `all`.
        home: the home folder; None takes DISANAT_HOME, else ./disanat_home.
        epochs: train each method so many; None: the plan's, fewer at a plateau.
        minutes: train each method for about so long, in place of `epochs`.
        channels: use only these: of each case with `scans`, else of each raw dataset.
        device: `cpu` or `cuda`; None takes a GPU if there is one.
        seed: of all randomness.
        processes: that render training batches; 0 renders in this one.
        plans_name: of the plan, where the dataset has several.
        name: of the comparison's folder; empty for `compare__CONFIGURATION`.
        participants: a `participants.tsv` for all sets, or one for each: compares its subgroups.
        columns: of these tables, whose groups are compared; none takes all.
        cuts: where columns of numbers are cut; others into terciles.
        cluster: whose workers predict, as `disanat.preprocessing.cluster.connected` gives it.

    Returns:
        The table, the page it was written to, and what failed.

    Raises:
        PlanError: no plan, configuration, method, fold or device of that name, a training of no
            length, or a `name` that no folder can have.
        DatasetError: no such dataset, no test set, a table of participants that is damaged or of
            others, or the folder holds another comparison.
        BusyError: another process compares there.
    """
    _check_amounts(epochs, minutes, processes)
    if name and not re.fullmatch(r"\w[\w.+-]*", name):
        raise PlanError(
            f"--name '{name}' is no folder's name: give one of letters, digits, _ . + and -."
        )
    kinds = tuple(dict.fromkeys(methods))
    for method in kinds:
        get_method(method)
    where = device or default_device()
    check_fold_and_device(str(fold), where)
    place = resolve_home(home)
    trained_on = place.dataset_name(dataset) if dataset else latest_plan(place)
    plans = load_json(place.plans_folder(trained_on, plans_name) / PLANS, Plans)
    chosen = plans.configuration(configuration)
    if scans or labels:
        sets = named_sets([Path(s) for s in scans], [Path(one) for one in labels], channels)
    else:
        sets = raw_sets(place, channels)
    tables = [read_participants(Path(one), columns, cuts) for one in participants]
    check_subgroup_wishes(bool(tables), columns, cuts)
    return comparing.compare(
        Comparison(
            home=place,
            plans=plans,
            configuration=chosen,
            methods=kinds,
            sets=tuple(sets),
            budget=Budget(epochs, minutes),
            fold=str(fold),
            seed=seed,
            device=where,
            workers=processes,
            name=name,
            participants=tables_of_sets(tables, sets) if tables else {},
            cluster=cluster,
        )
    )


def _folds(given: str | int | Sequence[str | int]) -> list[str]:
    """Each fold once, as text, sorted."""
    several = [given] if isinstance(given, (str, int)) else given
    return sorted({str(fold) for fold in several})


def _check_amounts(epochs: int | None, minutes: float | None, processes: int) -> None:
    if epochs is not None and epochs < 1:
        raise PlanError(f"--epochs {epochs} trains nothing: give 1 or more.")
    if minutes is not None and not minutes > 0:
        raise PlanError(f"--minutes {minutes:g} trains nothing: give more than 0.")
    if epochs is not None and minutes is not None:
        raise PlanError("Both epochs and minutes are given: leave one of them out.")
    if processes < 0:
        raise PlanError(f"-np {processes} is no number of processes: give 0 or more.")
