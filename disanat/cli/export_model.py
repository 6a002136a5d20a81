"""`disanat_export_model`: write a finished model as one file that can be given to others."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import add_home_argument, run_command
from disanat.home import resolve_home

__all__ = ["build_parser", "main"]

log = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_export_model",
        description=(
            "Write a finished model of one fold as one zip archive: weights, description, a card, "
            "and who made it. Names of cases are left out. With no model named, the one that "
            "finished training last is taken. Ask with disanat_audit first whether the model "
            "shows who was in its training: documentation/sharing_models.md."
        ),
        epilog="example: disanat_export_model -m dal -o model.zip --author 'Institute of X'",
    )
    parser.add_argument(
        "-m", "--model", help="a model's folder, a method's name, or the name of an imported model"
    )
    parser.add_argument("-d", "--dataset", help="take a model of this dataset")
    parser.add_argument("-c", "--configuration", help="take a model of this configuration")
    parser.add_argument("-f", "--fold", help="take the model of this fold (0 to 4, or all)")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FILE.zip", help="the file to write"
    )
    parser.add_argument(
        "--author",
        metavar="NAME",
        help="who made the model (default: what it says itself, else 'unknown')",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.inference.archive import write_archive
    from disanat.inference.find import find_model

    home = resolve_home(args.home)
    dataset = home.dataset_name(args.dataset) if args.dataset else None
    folder = find_model(home, args.model, dataset, args.configuration, args.fold)
    log.info("Exporting %s.", folder)
    manifest = write_archive(folder, args.output, args.author, args.overwrite)
    print(
        f"Written to {args.output} ({args.output.stat().st_size / 1e6:.1f} MB), made by "
        f"{manifest.author}. Others take it with: disanat_import_model {args.output.name}"
    )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
