"""All healthy cases of a dataset, prepared for one configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError
from disanat.home import Home, remove_temporaries
from disanat.io.cases import Case
from disanat.io.dataset import RawDataset, read_dataset
from disanat.io.store import is_stored, remove_case, save_case
from disanat.locks import hold
from disanat.plans import Configuration, Plans, Triple
from disanat.preprocessing.healthy import AtlasSight, TissueEstimator, preprocess_case
from disanat.preprocessing.label_maps import preprocess_label_map
from disanat.preprocessing.parallel import Processes, each_result
from disanat.preprocessing.provenance import case_made_from, map_made_from
from disanat.tissues import TissueClass, scheme_by_names

__all__ = ["preprocess_dataset"]

log = logging.getLogger(__name__)

_FEWEST_CASES = 4


def preprocess_dataset(
    home: Home,
    dataset: str,
    plans: Plans,
    configuration: Configuration,
    processes: Processes,
    tissue_estimator: TissueEstimator | None = None,
    tissues_from: str = "",
    atlas_sight: AtlasSight | None = None,
) -> None:
    """Preprocess all training cases of a dataset for one configuration.

    Cases that are there already, made from the same files by the same plan, stay as they are: a
    run that was interrupted goes on. Cases that cannot be used are reported and left out.

    Args:
        home: the home folder.
        dataset: full name of the dataset.
        plans: its plan.
        configuration: the configuration to preprocess for.
        processes: worker processes; 0 works in this one; or a cluster.
        tissue_estimator: names the tissues where the plan's prior is `encoder`; must survive
            pickling.
        tissues_from: what that estimator or sight is, so that cases are made anew by another one.
        atlas_sight: shows the tissues where the plan registers the atlas by them; as picklable.

    Raises:
        DatasetError: fewer than four cases could be used.
        BusyError: a training draws from these cases, or another process prepares them.
    """
    raw = read_dataset(home.raw / dataset)
    folder = home.plans_folder(dataset, plans.name) / configuration.name
    with hold(folder, "preprocessing"):
        cases, maps = raw.training_cases(), raw.label_maps() if plans.label_maps else {}
        wanted = {case.name for case in cases} | set(maps)
        for path in folder.glob("*.json"):
            if path.stem not in wanted:
                remove_case(folder, path.stem)
        work = partial(
            _prepare,
            plans=plans,
            configuration=configuration,
            folder=folder,
            tissue_estimator=tissue_estimator,
            tissues_from=tissues_from,
            atlas_sight=atlas_sight,
        )
        jobs = [(c, raw.prior_path(c.name), raw.brain_mask_path(c.name)) for c in cases]
        done = each_result(work, jobs, processes, [case.name for case in cases])
        bar = f"preprocessing {configuration.name}"
        refused, kept = _report(tqdm(done, total=len(jobs), desc=bar, disable=None))
        if kept:
            log.info("%d of %d cases were prepared before and are unchanged.", kept, len(cases))
        if maps:
            _prepare_label_maps(raw, maps, plans, configuration, folder, processes)
        if not isinstance(processes, int):
            remove_temporaries(folder)  # of workers that were lost
    if len(cases) - len(refused) < _FEWEST_CASES:
        raise DatasetError(
            f"Only {len(cases) - len(refused)} of {len(cases)} cases of {home.raw / dataset} could "
            "be preprocessed: at least four healthy cases are needed "
            f"(first reason: {refused[0] if refused else 'too few cases'})"
        )


def _report(done: tqdm[str | None]) -> tuple[list[str], int]:
    """Say why cases were left out; returns these reasons, and how many cases were kept."""
    results = list(done)
    refused = [message for message in results if message]
    for message in refused:
        log.warning("left out: %s", message)
    return refused, results.count(None)


def _prepare(
    case: Case,
    prior: Path | None,
    brain_mask: Path | None,
    plans: Plans,
    configuration: Configuration,
    folder: Path,
    tissue_estimator: TissueEstimator | None,
    tissues_from: str,
    atlas_sight: AtlasSight | None,
) -> str | None:
    """Preprocess and store one case.

    Returns:
        Empty if it was made; a user's mistake as text, which is no exception here; None if it was
        there already.
    """
    try:
        made_from = case_made_from(case, prior, brain_mask, plans, configuration, tissues_from)
        if is_stored(folder, case.name, made_from):
            return None
        remove_case(folder, case.name)
        stored = preprocess_case(
            case, prior, plans, configuration, brain_mask, tissue_estimator, atlas_sight
        )
        save_case(folder, stored, made_from)
    except DisanatError as mistake:
        return str(mistake)
    return ""


def _prepare_label_maps(
    raw: RawDataset,
    maps: Mapping[str, Path],
    plans: Plans,
    configuration: Configuration,
    folder: Path,
    processes: Processes,
) -> None:
    """Prepare the label maps without scans; one that is wrong stops all."""
    work = partial(
        _prepare_map,
        mapping=raw.map_mapping,
        spacing=configuration.spacing,
        scheme=scheme_by_names(plans.classes),
        folder=folder,
    )
    made = each_result(work, list(maps.items()), processes, list(maps))
    for _ in tqdm(made, total=len(maps), desc="preprocessing label maps", disable=None):
        pass


def _prepare_map(
    name: str,
    path: Path,
    mapping: Mapping[str, Sequence[int]],
    spacing: Triple,
    scheme: Sequence[TissueClass],
    folder: Path,
) -> None:
    made_from = map_made_from(path, mapping, [c.name for c in scheme], spacing)
    if not is_stored(folder, name, made_from):
        stored = preprocess_label_map(name, path, mapping, spacing, scheme)
        save_case(folder, stored, made_from)
