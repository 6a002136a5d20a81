"""`disanat_evaluate`: judge predictions against expert masks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from disanat.cli.common import add_subgroup_arguments, cuts_of, run_command

if TYPE_CHECKING:
    from disanat.evaluation.evaluate import CaseResult, Evaluation

__all__ = ["build_parser", "format_table", "main"]

_HEADER = ("case", "lesion mL", "AP", "best_dice", "dice", "FP mL", "lost voxels")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="disanat_evaluate",
        description="Compare what disanat_predict wrote with expert lesion masks. Prints a table "
        "and writes evaluation.json and evaluation.csv; with --participants it says for whom the "
        "predictions are wrong, too.",
        epilog="AP: average precision over the voxels inside the brain mask. best_dice: the best "
        "Dice any threshold could reach. dice: of the mask as it was written, at a threshold "
        "chosen without any label. Lesion voxels outside the brain mask ('lost') count as misses.",
    )
    parser.add_argument(
        "-i", dest="predictions", type=Path, required=True, metavar="PREDICTIONS",
        help="folder that disanat_predict wrote",
    )  # fmt: skip
    parser.add_argument(
        "-l", dest="labels", type=Path, required=True, metavar="LABELS",
        help="folder with one mask a case, CASE.nii.gz, on the scan's grid: above 0 is lesion, "
        "all 0 is a healthy brain",
    )  # fmt: skip
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FOLDER",
        help="where to write evaluation.json and evaluation.csv (default: into PREDICTIONS)",
    )  # fmt: skip
    add_subgroup_arguments(parser, several=False)
    parser.add_argument(
        "-s", dest="scans", type=Path, metavar="SCANS",
        help="folder of the scans, from which the contrast of each lesion is measured (default, "
        "with --participants: where they lay when they were predicted)",
    )  # fmt: skip
    return parser


def _number(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _cells(result: CaseResult) -> tuple[str, ...]:
    return (
        result.case,
        f"{result.lesion_ml:.2f}",
        _number(result.average_precision, 3),
        _number(result.best_dice, 3),
        _number(result.stored_dice, 3),
        f"{result.false_positive_ml:.2f}",
        f"{result.lost_voxels} of {result.lesion_voxels}",
    )


def format_table(evaluation: Evaluation) -> str:
    """The table that the command prints."""
    rows = [_HEADER, *(_cells(result) for result in evaluation.cases)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
        for row in rows
    ]
    return "\n".join([*lines, "", *_summary(evaluation)])


def _summary(evaluation: Evaluation) -> list[str]:
    from disanat.evaluation.lesions import FOUND_FRACTION  # --help must be quick

    lost, voxels = evaluation.lost_voxels, evaluation.lesion_voxels
    share = f" ({100 * lost / voxels:.1f}%)" if voxels else ""
    found = ", ".join(f"{r.size} {r.found}/{r.lesions}" for r in evaluation.recall if r.lesions)
    lines = [
        f"mean over {evaluation.average_precision.cases} cases with lesions "
        "[95% bootstrap interval over patients; n/a below five]",
        f"  AP               {evaluation.average_precision.text()}",
        f"  best_dice        {evaluation.best_dice.text()}",
        f"  dice             {evaluation.stored_dice.text()}",
        f"pooled AP          {_number(evaluation.pooled_average_precision, 3)}",
        f"slice AUROC        {_number(evaluation.slice_auroc, 3)}",
        f"case AUROC         {_number(evaluation.case_auroc, 3)}",
        f"FP mL if healthy   {evaluation.healthy_false_positive_ml.text(2)}",
        f"lost voxels        {lost} of {voxels}{share} lie outside the brain mask: misses",
        f"lesions found      {found or 'n/a'} (found: {FOUND_FRACTION:.0%} of its voxels or more)",
    ]
    if evaluation.not_predicted:
        lines.append(f"not predicted      {', '.join(evaluation.not_predicted)}")
    return lines


def _run(args: argparse.Namespace) -> int:
    from disanat.api.judging import evaluate, subgroups
    from disanat.evaluation.participants import check_subgroup_wishes, read_participants
    from disanat.reporting.subgroup_page import subgroup_text

    output = args.output or args.predictions
    cuts = cuts_of(args.cuts)
    check_subgroup_wishes(args.participants is not None, args.columns, cuts)
    table = None
    if args.participants is not None:  # a mistake in it is told before the evaluation
        table = read_participants(args.participants, args.columns, cuts)
    wanted = table is not None or args.scans is not None
    scans = args.scans or wanted
    evaluation = evaluate(args.predictions, args.labels, output, scans=scans)
    print(format_table(evaluation))
    print(f"\nWritten to {output / 'evaluation.json'} and evaluation.csv")
    if wanted:
        print(f"\n{subgroup_text(subgroups(evaluation, table, output))}")
        print(f"Written to {output / 'subgroups.md'}, .csv, .json and .png")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, build_parser(), argv)
