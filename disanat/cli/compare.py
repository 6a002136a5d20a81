"""`disanat_compare`: train, predict and judge several methods alike, in one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import (
    add_home_argument,
    add_processes_argument,
    add_scheduler_argument,
    add_subgroup_arguments,
    cuts_of,
    prepare_processes,
    run_command,
)

__all__ = ["build_parser", "main"]

_FAILED = 1


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_compare",
        description=(
            "Compare methods: train those that are not trained yet, predict the test sets, judge "
            "them, and write one table and a picture of each set. A comparison that was "
            "interrupted goes on when the same command is given again."
        ),
        epilog="example: disanat_compare -d 5 -m dal threshold ae -i scans -l labels",
    )
    parser.add_argument(
        "-m", "--methods", nargs="+", required=True, metavar="METHOD",
        help="methods to compare, such as dal threshold ae dae: documentation/rivals.md lists them",
    )  # fmt: skip
    parser.add_argument("-d", "--dataset", help="dataset to train on: 5, 005 or Dataset005_IXI")
    parser.add_argument("-c", "--configuration", help="configuration of the plan")
    parser.add_argument(
        "-f", "--fold", default="0", help="fold to train: 0 to 4, or all (default: 0)"
    )
    parser.add_argument(
        "-p", "--plans_name", default="", help="take the plan that was given this name"
    )
    parser.add_argument(
        "-i", "--input", nargs="+", type=Path, default=[], metavar="SCANS",
        help="folders of scans to test on (default: imagesTs of each raw dataset that has "
        "labelsTs, one contrast at a time)",
    )  # fmt: skip
    parser.add_argument(
        "-l", "--labels", nargs="+", type=Path, default=[], metavar="LABELS",
        help="a folder of expert masks, CASE.nii.gz, for each folder of -i, in the same order",
    )  # fmt: skip
    parser.add_argument(
        "--use_channels", nargs="+", type=int, metavar="K",
        help="use only these channels: of each case with -i, else of each raw dataset",
    )  # fmt: skip
    add_subgroup_arguments(parser, several=True)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--epochs", type=int,
        help="train each method so many epochs (default: the plan's, fewer where its error on "
        "held-out healthy scans stays where it is)",
    )  # fmt: skip
    budget.add_argument("--minutes", type=float, help="train each method for about so long")
    parser.add_argument(
        "--name", default="", help="of the comparison's folder (default: compare__CONFIGURATION)"
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: a GPU if there is one"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all randomness (default: 0)")
    add_processes_argument(parser)
    add_scheduler_argument(parser)
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    workers = prepare_processes(args.processes)
    from disanat.api.comparing import compare
    from disanat.preprocessing.cluster import connected

    with connected(args.scheduler) as cluster:
        outcome = compare(
            args.methods,
            args.input,
            args.labels,
            dataset=args.dataset,
            configuration=args.configuration,
            fold=args.fold,
            home=args.home,
            epochs=args.epochs,
            minutes=args.minutes,
            channels=args.use_channels,
            device=args.device,
            seed=args.seed,
            processes=workers,
            plans_name=args.plans_name,
            name=args.name,
            participants=args.participants or (),
            columns=args.columns,
            cuts=cuts_of(args.cuts),
            cluster=cluster,
        )
    beside = "compare.csv, subgroups.md" if args.participants else "compare.csv"
    print(f"{outcome.text}\nWritten: {outcome.page}, and beside it {beside} and the pictures")
    return _FAILED if outcome.failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
