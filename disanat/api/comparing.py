"""Methods trained and judged alike: `compare`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from disanat.api.wishes import check_amounts
from disanat.errors import PlanError
from disanat.evaluation.participants import check_subgroup_wishes, read_participants
from disanat.experiments import compare as comparing
from disanat.experiments.compare import Budget, Comparison, Outcome
from disanat.experiments.compare_subgroups import tables_of_sets
from disanat.experiments.sets import named_sets, raw_sets
from disanat.home import resolve_home
from disanat.methods.registry import get_method
from disanat.networks.precision import default_device
from disanat.plans import Plans, load_json
from disanat.preprocessing.parallel import Elsewhere
from disanat.training.train import PLANS, check_fold_and_device, latest_plan

__all__ = ["compare"]


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
    check_amounts(epochs, minutes, processes)
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
