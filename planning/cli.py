"""`disanat_plan_and_preprocess`, and the function behind it."""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from disanat.cli.common import USER_ERROR, run_command
from disanat.errors import DatasetError, PlanError
from disanat.home import BOOKS, Home, read_json, resolve_home, write_json
from disanat.io.dataset import RawDataset, read_dataset
from disanat.locks import hold
from disanat.plans import (
    BrainMaskTool,
    CaseFingerprint,
    Fingerprint,
    NumberFormat,
    Plans,
    load_json,
    save_json,
)
from disanat.preprocessing.brain_tools import require_tool
from planning.arguments import build_parser
from planning.explain import explain
from planning.fingerprint import fingerprint_dataset, kept_measures
from planning.memory import default_memory
from planning.planner import CONFIGURATIONS, Overrides, plan
from planning.prior import Encoder
from planning.processes import fitting_processes
from planning.sizing import Device
from planning.verify import problem_table, verify_dataset

__all__ = ["build_parser", "main", "plan_and_preprocess", "shipped_encoder"]

_log = logging.getLogger(__name__)

_MEASURED = f"{BOOKS}/measured"
"""Folder for what is measured of each case until the fingerprint of all is written."""


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
        processes: workers; 0 works in this process, None takes the cores there are, at most 4, and
            fewer where memory is short.
        preprocess: False only plans.
        progress: show bars.
        overrides: what the user decides himself.
        plans_name: keep this plan, and the scans prepared for it, beside the others under a name.

    Raises:
        DatasetError: the dataset is missing or faulty.
        PlanError: unknown configuration, a prior or a brain-mask tool that is not there, or too
            little memory.
        ModelError: the model that ships with disanat is damaged.
    """
    place = resolve_home(home)
    raw = _raw_dataset(place, dataset)
    workers = fitting_processes(raw) if processes is None else processes
    settings = _Settings(
        gpu_memory_gb,
        tuple(configurations),
        workers,
        preprocess,
        progress,
        overrides or Overrides(),
        plans_name,
    )
    with _alone(place, raw, settings):
        plans = _plan(place, raw, settings)
        if preprocess:
            _preprocess(place, plans, settings)
    return plans


def _alone(home: Home, raw: RawDataset, settings: _Settings) -> AbstractContextManager[None]:
    """Hold the folder of the plan: no second process plans or prepares there meanwhile."""
    return hold(home.plans_folder(raw.name, settings.plans_name), "planning and preprocessing")


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
    measured = home.preprocessed / raw.name / _MEASURED
    former = (*_measured(source), *kept_measures(measured))
    tool = _tool(settings.overrides)
    fingerprint = fingerprint_dataset(
        raw, settings.processes, settings.progress, former, tool, measured
    )
    names = [n for n in CONFIGURATIONS if n in {*settings.configurations, *_planned(folder)}]
    given = settings.gpu_memory_gb is not None
    plans = plan(
        fingerprint,
        raw.label_mapping,
        device=device,
        memory_gb=memory,
        number_format=_number_format(device),
        configurations=names,
        overrides=replace(settings.overrides, memory_given=given),
        name=settings.plans_name,
        encoder=shipped_encoder(),
    )
    save_json(fingerprint, source)
    shutil.rmtree(measured, ignore_errors=True)
    declared = read_json(raw.folder / "dataset.json", DatasetError, "write it again")
    write_json(declared, home.preprocessed / raw.name / "dataset.json")
    save_json(plans, folder / "plans.json")
    _log.info("Wrote %s", folder / "plans.json")
    return plans


def shipped_encoder() -> Encoder | None:
    """The anatomy encoder of the model that ships with disanat; None without one.

    Raises:
        ModelError: its description is damaged.
    """
    from disanat.inference.bundled import bundled_model

    shipped = bundled_model()
    if shipped is None:
        return None
    trained = f"{shipped.method} on {shipped.dataset}, {shipped.finished}"
    return Encoder(shipped.classes, trained)


def _tool(overrides: Overrides) -> BrainMaskTool:
    """What finds the brain in whole heads; it must be there before any case is read."""
    tool = overrides.brain_mask_tool or "extractor"
    require_tool(tool)
    return tool


def _machine(gpu_memory_gb: float | None) -> tuple[Device, float]:
    return ("cuda", gpu_memory_gb) if gpu_memory_gb is not None else default_memory()


def _number_format(device: Device) -> NumberFormat:
    """Every GPU of recent years has bfloat16; of this machine's CPU we ask."""
    from disanat.networks.precision import native_format  # only here: torch is slow

    return "bfloat16" if device == "cuda" else native_format(device)


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
    # heavy; --help must be quick
    from disanat.inference.anatomy import EncoderTissues
    from disanat.inference.bundled import bundled_folder
    from disanat.inference.model import finished
    from disanat.preprocessing.dataset import preprocess_dataset

    estimator, tissues_from = None, ""
    if plans.prior == "encoder":
        estimator, tissues_from = EncoderTissues(bundled_folder()), finished(bundled_folder())
    for name in settings.configurations:
        configuration = plans.configuration(name)
        preprocess_dataset(
            home,
            plans.dataset,
            plans,
            configuration,
            settings.processes,
            tissue_estimator=estimator,
            tissues_from=tissues_from,
        )


def _run(args: argparse.Namespace) -> int:
    home = resolve_home(args.home)
    if args.explain:
        name = home.dataset_name(args.dataset)
        remedy = f"plan it with disanat_plan_and_preprocess -d {args.dataset}"
        source = home.plans_folder(name, args.plans_name or "") / "plans.json"
        print(explain(load_json(source, Plans, PlanError, remedy)))
        return 0
    raw = _raw_dataset(home, args.dataset)
    spacing, patch = args.overwrite_target_spacing, args.patch_size
    overrides = Overrides(
        target_spacing=tuple(spacing) if spacing else None,
        patch_size=tuple(patch) if patch else None,
        batch_size=args.batch_size,
        norm=args.norm,
        prior=args.prior,
        brain_mask_tool=args.brain_mask_tool,
        bias_correction=args.bias_correction,
        one_scale=args.standardisation == "dataset",
        resampling=not args.no_resampling,
    )
    workers = fitting_processes(raw) if args.processes is None else args.processes
    if args.verify:
        return _verify(raw, workers, _tool(overrides))
    settings = _Settings(
        args.gpu_memory_gb,
        tuple(args.configurations),
        workers,
        not args.no_pp,
        True,
        overrides,
        args.plans_name or "",
    )
    with _alone(home, raw, settings):
        plans = _plan(home, raw, settings)
        print(explain(plans), flush=True)
        if settings.preprocess:
            _preprocess(home, plans, settings)
    return 0


def _verify(raw: RawDataset, processes: int, tool: BrainMaskTool) -> int:
    problems = verify_dataset(raw, processes, True, tool)
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
