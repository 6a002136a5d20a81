"""`disanat_import_model`: take up a model that somebody gave away as one file."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import add_home_argument, run_command
from disanat.errors import ModelError
from disanat.home import resolve_home

__all__ = ["build_parser", "main"]

_NAME = re.compile(r"\w[\w.-]*")


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_import_model",
        description=(
            "Unpack a model made by disanat_export_model into HOME/results/Imported. Checksums, "
            "sizes and names are checked before anything is written; nothing in it is executed."
        ),
        epilog="example: disanat_import_model model.zip --name hospital_a",
    )
    parser.add_argument("archive", type=Path, metavar="FILE.zip", help="the file")
    parser.add_argument("--name", help="what to call it here (default: the file's name)")
    parser.add_argument("--overwrite", action="store_true", help="replace one of that name")
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.inference.archive import read_archive

    name = args.name or args.archive.stem
    if not _NAME.fullmatch(name):
        raise ModelError(f"'{name}' cannot name a model: give --name with letters and digits.")
    target = resolve_home(args.home).results / "Imported" / name / "fold_0"
    manifest = read_archive(args.archive, target, args.overwrite)
    print(
        f"Imported into {target}, made by {manifest.made_by} on {manifest.made_at[:10]} with "
        f"disanat {manifest.disanat}.\nNext: disanat_predict -m {target} -i folder -o folder"
    )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
