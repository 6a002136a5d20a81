"""`disanat_models`: which trained models there are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from disanat.cli.common import add_home_argument, run_command
from disanat.home import resolve_home

__all__ = ["build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_models",
        description=(
            "List the finished models of the home folder, newest first, and the one that ships "
            "with disanat. Dice and mL: on synthetic lesions, and of false positives in a healthy "
            "brain, at the stored threshold."
        ),
        epilog="example: disanat_models --json",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.inference.listing import list_models
    from disanat.reporting.markdown import markdown_table

    models = list_models(resolve_home(args.home))
    if args.json:
        print(json.dumps({"schema_version": 1, "models": [asdict(m) for m in models]}, indent=2))
    elif models:
        print(markdown_table([_row(asdict(model)) for model in models]))
    else:
        print("No model has been trained or imported yet: run disanat_train.")
    return 0


def _row(values: dict[str, object]) -> dict[str, str]:
    short = values | {"finished": str(values["finished"])[:16]}
    return {key: f"{v:.2f}" if isinstance(v, float) else str(v) for key, v in short.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
