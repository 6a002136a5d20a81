"""Planning and preprocessing of a dataset: what `disanat_plan_and_preprocess` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from disanat.errors import PlanError
from disanat.home import Home, resolve_home
from disanat.io.dataset import RawDataset, read_dataset
from disanat.locks import hold
from disanat.plans import Plans, load_json
from disanat.preprocessing.parallel import Processes
from planning.plan_dataset import PLANS, Request, plan_dataset
from planning.planner import Overrides
from planning.processes import fitting_processes

if TYPE_CHECKING:
    from disanat.preprocessing.healthy import AtlasSight, TissueEstimator

__all__ = ["plan", "plan_and_preprocess", "preprocess", "raw_dataset"]


def plan(
    dataset: str,
    home: str | Path | None = None,
    *,
    gpu_memory_gb: float | None = None,
    configurations: Sequence[str] = ("2d",),
    processes: Processes | None = None,
    progress: bool = True,
    overrides: Overrides | None = None,
    plans_name: str = "",
) -> Plans:
    """Look at a dataset's healthy scans and decide how to train on them.

    Writes `dataset_fingerprint.json` and `plans.json` to `HOME/preprocessed/DatasetXXX_Name`. Each
    choice stands with its reason in `Plans.decisions`.

    Args:
        dataset: number or full name (5, 005, Dataset005_IXI).
        home: folder with `raw/`; None takes DISANAT_HOME, else ./disanat_home.
        gpu_memory_gb: plan for a GPU with this memory, in GB; None plans for this machine.
        configurations: of `2d`, `3d_fullres` and `3d_lowres`. Those planned before stay in the
            plan, 3d_lowres only if named again.
        processes: workers; 0 works in this process, None takes the cores there are, at most 4, and
            fewer where memory is short; or a cluster.
        progress: show bars.
        overrides: what the user decides himself.
        plans_name: keep this plan beside the others under a name.

    Raises:
        DatasetError: the dataset is missing or faulty.
        PlanError: unknown configuration, a prior or a brain-mask tool that is not there, or too
            little memory.
        ModelError: the model that ships with disanat is damaged.
        BusyError: another process plans or preprocesses the dataset.
    """
    return plan_and_preprocess(
        dataset,
        home,
        gpu_memory_gb=gpu_memory_gb,
        configurations=configurations,
        processes=processes,
        preprocess=False,
        progress=progress,
        overrides=overrides,
        plans_name=plans_name,
    )


def preprocess(
    dataset: str,
    home: str | Path | None = None,
    *,
    configurations: Sequence[str] | None = None,
    processes: Processes | None = None,
    plans_name: str = "",
) -> tuple[Path, ...]:
    """Prepare a planned dataset's scans for training.

    Cases that were prepared before from the same files by the same plan are kept.

    Args:
        dataset: number or full name (5, 005, Dataset005_IXI).
        home: folder with `raw/` and `preprocessed/`; None takes DISANAT_HOME, else ./disanat_home.
        configurations: to prepare for, names of the plan's; None takes the recommended one.
        processes: workers; 0 works in this process, None takes the cores there are, at most 4, and
            fewer where memory is short; or a cluster.
        plans_name: of the plan, where the dataset has several.

    Returns:
        The folder of each configuration's prepared cases.

    Raises:
        PlanError: there is no plan, or it has no such configuration.
        DatasetError: the dataset is missing, or fewer than four of its cases can be used.
        BusyError: another process trains on these cases, or prepares them.
    """
    place = _home(home, processes)
    raw = raw_dataset(place, dataset)
    folder = place.plans_folder(raw.name, plans_name)
    remedy = f"plan it first with disanat_plan_and_preprocess -d {dataset}"
    plans = load_json(folder / PLANS, Plans, PlanError, remedy)
    names = tuple(configurations or (plans.recommended,))
    unknown = [name for name in names if name not in plans.configurations]
    if unknown:
        raise PlanError(
            f"{folder / PLANS} has no configuration '{unknown[0]}': use "
            f"{' or '.join(plans.configurations)}, or plan it first."
        )
    workers = fitting_processes(raw) if processes is None else processes
    with _alone(place, raw, plans_name):
        _preprocess(place, plans, names, workers)
    return tuple(folder / name for name in names)


def plan_and_preprocess(
    dataset: str,
    home: str | Path | None = None,
    *,
    gpu_memory_gb: float | None = None,
    configurations: Sequence[str] = ("2d",),
    processes: Processes | None = None,
    preprocess: bool = True,
    progress: bool = True,
    overrides: Overrides | None = None,
    plans_name: str = "",
    planned: Callable[[Plans], None] | None = None,
) -> Plans:
    """Plan a dataset and prepare its scans, without another process in between.

    Args:
        dataset: number or full name (5, 005, Dataset005_IXI).
        home: folder with `raw/`; None takes DISANAT_HOME, else ./disanat_home.
        gpu_memory_gb: as for `plan`, as are `configurations`, `processes`, `progress`,
            `overrides` and `plans_name`.
        configurations: to plan and to prepare for.
        processes: workers.
        preprocess: False only plans.
        progress: show bars.
        overrides: what the user decides himself.
        plans_name: of the plan.
        planned: is given the plan before the scans are prepared.

    Raises:
        DisanatError: as `plan` and `preprocess`.
    """
    place = _home(home, processes)
    raw = raw_dataset(place, dataset)
    settings = Request(
        gpu_memory_gb,
        tuple(configurations),
        fitting_processes(raw) if processes is None else processes,
        progress,
        overrides or Overrides(),
        plans_name,
    )
    with _alone(place, raw, plans_name):
        plans = plan_dataset(place, raw, settings)
        if planned is not None:
            planned(plans)
        if preprocess:
            _preprocess(place, plans, settings.configurations, settings.processes)
    return plans


def raw_dataset(home: Home, wanted: str) -> RawDataset:
    """The dataset of that number or name.

    Raises:
        DatasetError: it is missing or faulty.
    """
    return read_dataset(home.raw / home.dataset_name(wanted))


def _home(home: str | Path | None, processes: Processes | None) -> Home:
    """The home folder; for workers elsewhere, who stand in other folders, from the root on."""
    place = resolve_home(home)
    here = processes is None or isinstance(processes, int)
    return place if here else Home(place.root.absolute())


def _alone(home: Home, raw: RawDataset, plans_name: str) -> AbstractContextManager[None]:
    """Hold the folder of the plan: no second process plans or prepares there meanwhile."""
    return hold(home.plans_folder(raw.name, plans_name), "planning and preprocessing")


def _preprocess(
    home: Home, plans: Plans, configurations: Sequence[str], processes: Processes
) -> None:
    from disanat.preprocessing.dataset import preprocess_dataset  # heavy; --help must be quick

    estimator, sight, tissues_from = _seen_by_encoder(plans)
    for name in configurations:
        preprocess_dataset(
            home,
            plans.dataset,
            plans,
            plans.configurations[name],
            processes,
            tissue_estimator=estimator,
            tissues_from=tissues_from,
            atlas_sight=sight,
        )


def _seen_by_encoder(plans: Plans) -> tuple[TissueEstimator | None, AtlasSight | None, str]:
    """What names a case's tissues, what shows them to the atlas, and which model both are of."""
    if plans.prior == "labels" or (plans.prior, plans.atlas_registration) == ("atlas", "intensity"):
        return None, None, ""
    # With label maps, which is usual, nothing of this and of torch is loaded.
    from disanat.inference.anatomy import EncoderAnatomies, EncoderTissues
    from disanat.inference.bundled import bundled_folder, bundled_model
    from disanat.inference.model import finished

    if plans.prior == "encoder":
        return EncoderTissues(bundled_folder()), None, finished(bundled_folder())
    if not bundled_model():
        return None, None, ""
    made_by = f"atlas by {plans.atlas_registration}, {finished(bundled_folder())}"
    return None, EncoderAnatomies(bundled_folder()), made_by
