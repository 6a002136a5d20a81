"""`disanat_audit`: ask whether a model shows who was in its training, before it is shared."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from disanat.cli.common import add_home_argument, add_prediction_arguments, run_command
from disanat.home import resolve_home

if TYPE_CHECKING:
    from disanat.experiments.audit import Audit

__all__ = ["build_parser", "format_table", "main"]

log = logging.getLogger(__name__)

_LEFT_OUT = 1


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_audit",
        description=(
            "Ask whether a model shows who was in its training: are scans that it was trained on "
            "rebuilt better than others? Prints a table and a verdict, and writes audit.json and "
            "audit.csv. What the answer means, and what it cannot say: "
            "documentation/sharing_models.md."
        ),
        epilog="example: disanat_audit -m dal --members trained_on --nonmembers others",
    )
    parser.add_argument(
        "-m",
        "--model",
        required=True,
        help="a model's folder, a method's name such as dal, or pretrained: the model that ships "
        "with disanat",
    )
    parser.add_argument(
        "--members",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="scans that the model was trained on (CASE_0000.nii.gz, or plain names for one "
        "channel)",
    )
    parser.add_argument(
        "--nonmembers",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="scans that it was not trained on, of other people, but of the same kind",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("audit"),
        metavar="FOLDER",
        help="where to write audit.json and audit.csv (default: ./audit; not the model's folder, "
        "since they name cases and would be shared with it)",
    )
    add_prediction_arguments(parser)
    add_home_argument(parser)
    return parser


def format_table(found: Audit) -> str:
    """The table that the command prints, and the verdict below it."""
    import numpy as np

    from disanat.experiments.audit import FALSE_ALARMS, MEASURES

    rows: list[tuple[str, ...]] = [
        (
            "median over",
            "members",
            "others",
            "AUC [95% interval]",
            f"caught at {FALSE_ALARMS:.0%} false alarms",
        )
    ]
    for attack in found.attacks:
        middle = [
            f"{np.median(found.errors(group, attack.measure)):.3f}"
            for group in ("member", "nonmember")
        ]
        caught = "n/a" if attack.caught is None else f"{attack.caught:.0%}"
        rows.append((MEASURES[attack.measure], *middle, attack.area.text(2), caught))
    counts = [str(len(found.errors(g, "plain"))) for g in ("member", "nonmember")]
    rows.append(("cases", *counts, "", ""))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", found.verdict])


def _run(args: argparse.Namespace) -> int:
    from disanat.experiments.audit import audit, write_audit
    from disanat.inference.find import find_model
    from disanat.inference.model import load_model
    from disanat.networks.precision import default_device

    folder = find_model(resolve_home(args.home), args.model)
    model = load_model(folder, args.device or default_device())
    found = audit(model, args.members, args.nonmembers, args.brain_masks)
    write_audit(found, model, (args.members, args.nonmembers), args.output)
    print(f"{folder}\n\n{format_table(found)}")
    print(f"\nWritten to {args.output / 'audit.json'} and audit.csv")
    left_out = [case for case in found.cases if case.message]
    if left_out:
        log.warning(
            "%d left out:\n%s",
            len(left_out),
            "\n".join(f"  {case.case}: {case.message}" for case in left_out),
        )
        return _LEFT_OUT
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
