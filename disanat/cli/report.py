"""`disanat_report`: one page of HTML that shows a folder of predictions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import run_command
from disanat.errors import DatasetError

__all__ = ["build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_report",
        description="Show what disanat_predict wrote as one file, report.html, which needs no "
        "network and nothing beside itself: a table of the cases, pictures and a slice viewer of "
        "each, plots of the set, the plan with its reasons, and what made it all.",
        epilog="The report shows the brains and names of all cases: give it to those alone who may "
        "see these. example: disanat_report -i results",
    )
    parser.add_argument(
        "-i", dest="predictions", type=Path, required=True, metavar="PREDICTIONS",
        help="folder that disanat_predict wrote",
    )  # fmt: skip
    parser.add_argument(
        "-l", dest="labels", type=Path, metavar="LABELS",
        help="folder with one expert mask a case, CASE.nii.gz, on the scan's grid (as for "
        "disanat_evaluate): adds precision-recall curves and the evaluation's numbers",
    )  # fmt: skip
    parser.add_argument(
        "-s", dest="scans", type=Path, metavar="SCANS",
        help="folder (or file) of the scans (default: where they lay when they were predicted)",
    )  # fmt: skip
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FILE",
        help="the file to write (default: report.html in PREDICTIONS)",
    )  # fmt: skip
    parser.add_argument(
        "--channels", nargs="+", default=(), metavar="K",
        help="channels to show, by number or by the name given to disanat_predict, or all; "
        "pictures are of the first, the slice viewer has them all (default: the first of each "
        "case, as each channel makes the file larger)",
    )  # fmt: skip
    parser.add_argument(
        "-np", dest="processes", type=int,
        help="processes that draw cases; 0 draws in the main process (default: one a core, at most "
        "8, fewer where memory is short, and none for a few cases)",
    )  # fmt: skip
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.reporting.report.write import write_report  # --help must be quick

    if args.processes is not None and args.processes < 0:
        raise DatasetError(f"-np {args.processes} is no number of processes: give 0 or more.")
    written = write_report(args.predictions, args.output, args.labels, args.scans, args.processes,
                           args.channels)  # fmt: skip
    print(f"Written to {written} ({written.stat().st_size / 1e6:.1f} MB)")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
