"""`disanat_plan_and_preprocess`, and the function behind it."""

from __future__ import annotations

import argparse
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from disanat.cli.common import USER_ERROR, add_home_argument, run_command
from disanat.errors import DatasetError, PlanError
from disanat.home import Home, read_json, resolve_home, write_json
from disanat.io.dataset import RawDataset, read_dataset
from disanat.plans import CaseFingerprint, Fingerprint, Plans, load_json, save_json
from planning.explain import explain
from planning.fingerprint import fingerprint_dataset
from planning.memory import default_memory
from planning.planner import CONFIGURATIONS, Overrides, plan
from planning.sizing import Device
from planning.verify import problem_table, verify_dataset

__all__ = ["build_parser", "main", "plan_and_preprocess"]

_log = logging.getLogger(__name__)
_MOST_WORKERS = 4

_DESCRIPTION = """\
Look at a dataset of healthy brain scans, decide how to train on it, and prepare the scans.

The dataset lies in HOME/raw/DatasetXXX_Name: dataset.json, imagesTr/CASE_0000.nii.gz and so on
(see documentation/dataset_format.md). Every decision is printed with its reason. What is written,
all to HOME/preprocessed/DatasetXXX_Name:
  dataset_fingerprint.json   what the dataset looks like
  plans.json                 what was decided
  2d/                        the prepared scans, one folder for each configuration
"""
_EXAMPLES = """\
examples:
  disanat_plan_and_preprocess -d 5                       plan and prepare Dataset005_...
  disanat_plan_and_preprocess -d 5 --verify              only check its files
  disanat_plan_and_preprocess -d 5 --gpu_memory_gb 8     plan for a GPU with 8 GB
  disanat_plan_and_preprocess -d 5 -c 2d 3d_fullres      prepare for 3D as well
Next: disanat_train
"""


@dataclass(frozen=True)
class _Settings:
    """What the user asked for."""

    gpu_memory_gb: float | None
    configurations: tuple[str, ...]
    processes: int
    preprocess: bool
    progress: bool
    overrides: Overrides = field(default_factory=Overrides)
    plans_name: str = ""


def plan_and_preprocess(
    dataset: str,
    home: str | Path | None = None,
    *,
    gpu_memory_gb: float | None = None,
    configurations: Sequence[str] = ("2d",),
    processes: int | None = None,
    preprocess: bool = True,
    progress: bool = True,
    overrides: Overrides | None = None,
    plans_name: str = "",
) -> Plans:
    """Plan a dataset and prepare its scans; what `disanat_plan_and_preprocess` does.

    Args:
        dataset: number or full name (5, 005, Dataset005_IXI).
        home: folder with `raw/`; None takes DISANAT_HOME, else ./disanat_home.
        gpu_memory_gb: plan for a GPU with this memory; None plans for this machine.
        configurations: of `2d`, `3d_fullres` and `3d_lowres`. Those planned before stay in the
            plan, 3d_lowres only if named again.
        processes: workers; 0 works in this process, None takes the cores there are, at most 4.
        preprocess: False only plans.
        progress: show bars.
        overrides: what the user decides himself.
        plans_name: keep this plan, and the scans prepared for it, beside the others under a name.

    Raises:
        DatasetError: the dataset is missing or faulty.
        PlanError: unknown configuration, or too little memory.
    """
    place = resolve_home(home)
    raw = _raw_dataset(place, dataset)
    workers = _default_processes() if processes is None else processes
    settings = _Settings(
        gpu_memory_gb,
        tuple(configurations),
        workers,
        preprocess,
        progress,
        overrides or Overrides(),
        plans_name,
    )
    plans = _plan(place, raw, settings)
    if preprocess:
        _preprocess(place, plans, settings)
    return plans


def _raw_dataset(home: Home, wanted: str) -> RawDataset:
    return read_dataset(home.raw / home.dataset_name(wanted))


def _plan(home: Home, raw: RawDataset, settings: _Settings) -> Plans:
    folder = home.plans_folder(raw.name, settings.plans_name)
    device, memory = _machine(settings.gpu_memory_gb)
    unknown = [name for name in settings.configurations if name not in CONFIGURATIONS]
    if unknown:
        raise PlanError(
            f"There is no configuration '{unknown[0]}': use {' or '.join(CONFIGURATIONS)}."
        )
    source = home.preprocessed / raw.name / "dataset_fingerprint.json"
    former = _measured(source)
    fingerprint = fingerprint_dataset(raw, settings.processes, settings.progress, former)
    names = [n for n in CONFIGURATIONS if n in {*settings.configurations, *_planned(folder)}]
    given = settings.gpu_memory_gb is not None
    plans = plan(
        fingerprint,
        raw.label_mapping,
        device=device,
        memory_gb=memory,
        configurations=names,
        overrides=replace(settings.overrides, memory_given=given),
        name=settings.plans_name,
    )
    save_json(fingerprint, source)
    declared = read_json(raw.folder / "dataset.json", DatasetError, "write it again")
    write_json(declared, home.preprocessed / raw.name / "dataset.json")
    save_json(plans, folder / "plans.json")
    _log.info("Wrote %s", folder / "plans.json")
    return plans


def _machine(gpu_memory_gb: float | None) -> tuple[Device, float]:
    return ("cuda", gpu_memory_gb) if gpu_memory_gb is not None else default_memory()


def _measured(source: Path) -> tuple[CaseFingerprint, ...]:
    if not source.exists():
        return ()
    try:
        return load_json(source, Fingerprint, PlanError, "all cases are measured again").cases
    except PlanError as cause:
        _log.warning("%s", cause)
        return ()


def _planned(folder: Path) -> tuple[str, ...]:
    """What was planned before and is planned again; 3d_lowres only if it is asked for."""
    if not (folder / "plans.json").exists():
        return ()
    try:
        former = load_json(folder / "plans.json", Plans).configurations
        return tuple(name for name in former if name != "3d_lowres")
    except PlanError as cause:
        _log.warning("The former plan is replaced: %s", cause)
        return ()


def _preprocess(home: Home, plans: Plans, settings: _Settings) -> None:
    from disanat.preprocessing.healthy import preprocess_dataset  # heavy; --help must be quick

    for name in settings.configurations:
        configuration = plans.configuration(name)
        preprocess_dataset(home, plans.dataset, plans, configuration, settings.processes)


def _default_processes() -> int:
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        cores = os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="disanat_plan_and_preprocess",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-d",
        "--dataset",
        required=True,
        metavar="DATASET",
        help="number or name of the dataset, such as 5, 005 or Dataset005_IXI",
    )
    add_home_argument(parser)
    parser.add_argument(
        "--gpu_memory_gb",
        type=_positive,
        metavar="GB",
        help="plan for a GPU with this much memory, wherever this command runs "
        "(default: this machine's GPU; without one, its cores and main memory)",
    )
    parser.add_argument(
        "-c",
        "--configurations",
        nargs="+",
        choices=CONFIGURATIONS,
        default=["2d"],
        metavar="NAME",
        help="what to plan and prepare: 2d (slices with their neighbours; the default), "
        "3d_fullres (blocks; slower, needs more memory), 3d_lowres (the whole brain on a coarser "
        "grid, where 3d_fullres sees less than half of it)",
    )
    parser.add_argument(
        "-np",
        "--processes",
        type=_count,
        default=_default_processes(),
        metavar="N",
        help="how many cases to work on at the same time; 0: one after the other, without worker "
        "processes (default: the cores there are, at most 4; here %(default)s)",
    )
    _add_overrides(parser)
    parser.add_argument(
        "--no_pp", action="store_true", help="only plan: do not preprocess the scans"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--verify",
        action="store_true",
        help="only check every file, and list all problems in one table; nothing is written",
    )
    only.add_argument(
        "--explain",
        action="store_true",
        help="only print the decisions of the plan that was made last",
    )
    return parser


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    experts = parser.add_argument_group("for experts", "recorded in the plan as set by you")
    experts.add_argument(
        "--overwrite_target_spacing",
        nargs=3,
        type=_positive,
        metavar=("S", "P", "L"),
        help="voxel size in mm that all scans are resampled to",
    )
    experts.add_argument(
        "--patch_size",
        nargs="+",
        type=_count,
        metavar="N",
        help="in voxels: two numbers for 2d, three for 3d_fullres and 3d_lowres",
    )
    experts.add_argument("--batch_size", type=_count, metavar="N", help="an even number")
    experts.add_argument(
        "--plans_name",
        type=_name,
        metavar="NAME",
        help="keep this plan and its scans beside the usual one, in plans_NAME; train from it with "
        "disanat_train -p NAME",
    )


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not made of letters, digits and - alone")
    return text


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100_000:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return value


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 on")
    return int(text)


def _run(args: argparse.Namespace) -> int:
    home = resolve_home(args.home)
    if args.explain:
        name = home.dataset_name(args.dataset)
        remedy = f"plan it with disanat_plan_and_preprocess -d {args.dataset}"
        source = home.plans_folder(name, args.plans_name or "") / "plans.json"
        print(explain(load_json(source, Plans, PlanError, remedy)))
        return 0
    raw = _raw_dataset(home, args.dataset)
    if args.verify:
        return _verify(raw, args.processes)
    spacing, patch = args.overwrite_target_spacing, args.patch_size
    overrides = Overrides(
        target_spacing=tuple(spacing) if spacing else None,
        patch_size=tuple(patch) if patch else None,
        batch_size=args.batch_size,
    )
    settings = _Settings(
        args.gpu_memory_gb,
        tuple(args.configurations),
        args.processes,
        not args.no_pp,
        True,
        overrides,
        args.plans_name or "",
    )
    plans = _plan(home, raw, settings)
    print(explain(plans), flush=True)
    if settings.preprocess:
        _preprocess(home, plans, settings)
    return 0


def _verify(raw: RawDataset, processes: int) -> int:
    problems = verify_dataset(raw, processes, True)
    if problems:
        print(problem_table(problems, str(raw.folder)))
        bad, cases = len({problem.case for problem in problems}), len(raw.training_cases())
        print(f"\n{raw.name}: {bad} of {cases} cases cannot be used as they are.")
        return USER_ERROR
    print(f"{raw.name}: all {len(raw.training_cases())} cases can be used.")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `disanat_plan_and_preprocess`."""
    return run_command(_run, build_parser(), argv)
