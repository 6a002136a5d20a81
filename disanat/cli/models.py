"""`disanat_models`: list the finished models."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from disanat.cli.common import add_home_argument, run_command
from disanat.home import resolve_home

if TYPE_CHECKING:
    from disanat.inference.listing import ListedModel

__all__ = ["build_parser", "format_table", "main"]

log = logging.getLogger(__name__)

_UNREADABLE = 1
_HEADER = (
    "method", "dataset", "configuration", "fold", "finished", "threshold", "FP mL", "dice",
    "origin", "made by", "use with -m",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_models",
        description=(
            "List the finished models: own trainings, imported ones, and the one that ships with "
            "disanat. Those of a comparison are not listed."
        ),
        epilog="threshold: of the lesion mask. FP mL: false positives at it in the median healthy "
        "brain. dice: on synthetic lesions, where the threshold was chosen; real lesions can be "
        "very different.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_home_argument(parser)
    return parser


def _cells(model: ListedModel) -> tuple[str, ...]:
    cells = (
        model.method,
        model.dataset,
        model.configuration,
        model.folds,
        model.finished[:16].replace("T", " "),
        f"{model.threshold:.2f}",
        f"{model.false_positives_ml:.2f}",
        f"{model.dice:.2f}",
        model.origin,
        model.made_by,
        model.use,
    )
    # A description may come from anybody: nothing in it may steer the terminal.
    return tuple(cell if cell.isprintable() else ascii(cell) for cell in cells)


def format_table(models: Sequence[ListedModel]) -> str:
    """The table that the command prints."""
    rows = [_HEADER, *(_cells(model) for model in models)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows)


def _run(args: argparse.Namespace) -> int:
    from disanat.inference.listing import list_models

    home = resolve_home(args.home)
    models, mistakes = list_models(home)
    for mistake in mistakes:
        log.warning("%s", mistake)
    if args.json:
        print(json.dumps([asdict(model) for model in models], indent=2))
    elif models:
        print(format_table(models))
    else:
        print(f"No finished model is in {home.results}, and none ships with this disanat.")
    return _UNREADABLE if mistakes else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
