"""`disanat_plan_and_preprocess`: look at a dataset, plan, prepare its cases."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from disanat.cli.common import USER_ERROR, run_command
from disanat.errors import PlanError
from disanat.home import resolve_home
from planning.arguments import build_parser

if TYPE_CHECKING:
    from disanat.plans import Plans
    from disanat.preprocessing.parallel import Processes
    from planning.planner import Overrides

__all__ = ["build_parser", "main"]


def _run(args: argparse.Namespace) -> int:
    from disanat.preprocessing.cluster import connected
    from planning.dataset import plan_and_preprocess

    if args.explain:
        return _explain_last(args)
    overrides = _overrides(args)
    with connected(args.scheduler, args.processes) as cluster:
        workers = args.processes if cluster is None else cluster
        if args.verify:
            return _verify(args, overrides, workers)
        plan_and_preprocess(
            args.dataset,
            args.home,
            gpu_memory_gb=args.gpu_memory_gb,
            configurations=args.configurations,
            processes=workers,
            preprocess=not args.no_pp,
            overrides=overrides,
            plans_name=args.plans_name or "",
            planned=_print,
        )
    return 0


def _overrides(args: argparse.Namespace) -> Overrides:
    from planning.planner import Overrides

    spacing, patch = args.overwrite_target_spacing, args.patch_size
    return Overrides(
        target_spacing=tuple(spacing) if spacing else None,
        patch_size=tuple(patch) if patch else None,
        batch_size=args.batch_size,
        norm=args.norm,
        prior=args.prior,
        brain_mask_tool=args.brain_mask_tool,
        bias_correction=args.bias_correction,
        one_scale=args.standardisation == "dataset",
        resampling=not args.no_resampling,
        atlas_registration=args.atlas_registration,
    )


def _print(plans: Plans) -> None:
    from planning.explain import explain

    print(explain(plans), flush=True)


def _explain_last(args: argparse.Namespace) -> int:
    from disanat.plans import Plans, load_json

    home = resolve_home(args.home)
    name = home.dataset_name(args.dataset)
    remedy = f"plan it with disanat_plan_and_preprocess -d {args.dataset}"
    source = home.plans_folder(name, args.plans_name or "") / "plans.json"
    _print(load_json(source, Plans, PlanError, remedy))
    return 0


def _verify(
    args: argparse.Namespace, overrides: Overrides, processes: Processes | None
) -> int:
    from planning.dataset import raw_dataset
    from planning.plan_dataset import required_tool
    from planning.processes import fitting_processes
    from planning.verify import problem_table, verify_dataset

    raw = raw_dataset(resolve_home(args.home), args.dataset)
    workers = fitting_processes(raw) if processes is None else processes
    problems = verify_dataset(raw, workers, True, required_tool(overrides))
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
