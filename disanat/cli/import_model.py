"""`disanat_import_model`: take in a model that somebody else has exported."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import add_home_argument, run_command
from disanat.home import resolve_home

__all__ = ["build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_import_model",
        description=(
            "Take in a model that disanat_export_model wrote. The archive is checked before "
            "anything is written; nothing in it is executed. That it is whole does not say that "
            "it is good: documentation/security.md. An imported model is used only where it is "
            "named: disanat_predict -m NAME."
        ),
        epilog="example: disanat_import_model model.zip --name stroke",
    )
    parser.add_argument("archive", type=Path, metavar="FILE.zip", help="the archive")
    parser.add_argument(
        "--name", help="what -m is to call the model (default: the name of the file)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an imported model of that name"
    )
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.inference.archive import read_archive
    from disanat.inference.find import imported_folder

    name = args.name or args.archive.stem
    target = imported_folder(resolve_home(args.home), name)
    manifest = read_archive(args.archive, target, args.overwrite)
    home = f" --home {args.home}" if args.home else ""
    print(
        f"Imported to {target}: made by {manifest.author} with disanat {manifest.disanat_version}, "
        f"exported {manifest.date[:10]}. Its card is {target / 'README.md'}.\n"
        f"Next: disanat_predict -m {name} -i scans -o results{home}"
    )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
