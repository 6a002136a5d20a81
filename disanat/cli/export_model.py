"""`disanat_export_model`: a trained model as one file, to be given to others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import add_home_argument, run_command
from disanat.errors import ModelError
from disanat.home import resolve_home

__all__ = ["build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_export_model",
        description=(
            "Write a finished model as one file: weights, description without the names of the "
            "training cases, a card, and checksums of all. Run disanat_audit before you share it."
        ),
        epilog='example: disanat_export_model -d 5 -o model.zip --author "A. Author, Hospital"',
    )
    parser.add_argument("-m", "--model", help="a model's folder, or a method's name (default: any)")
    parser.add_argument("-d", "--dataset", help="take a model of this dataset")
    parser.add_argument("-c", "--configuration", help="take a model of this configuration")
    parser.add_argument("-f", "--fold", help="take the model of this fold (0 to 4, or all)")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FILE.zip", help="the file to write"
    )
    parser.add_argument(
        "--author", default="unknown", help="who makes it: stands in the file (default: unknown)"
    )
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.inference.archive import write_archive
    from disanat.inference.find import find_model

    if args.output.suffix.lower() != ".zip":
        raise ModelError(f"{args.output} is no name of an archive: let it end in .zip.")
    home = resolve_home(args.home)
    dataset = home.dataset_name(args.dataset) if args.dataset else None
    folder = find_model(home, args.model, dataset, args.configuration, args.fold)
    write_archive(folder, args.output, args.author)
    size = args.output.stat().st_size / 1e6
    print(f"{folder} is now in {args.output} ({size:.1f} MB), made by {args.author}.")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
