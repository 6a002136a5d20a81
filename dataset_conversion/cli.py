"""`disanat_convert`: turn a known dataset's folder into disanat's layout."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from dataset_conversion.conversion import describe, prepare
from dataset_conversion.convert import write_conversion
from dataset_conversion.converter import Converter
from dataset_conversion.registry import CONVERTERS, GROUPS, get_converter
from disanat.cli.common import add_home_argument, run_command
from disanat.errors import DatasetError
from disanat.home import resolve_home

__all__ = ["build_parser", "main"]

_WIDTH = 96


def build_parser(converter: Converter | None = None) -> argparse.ArgumentParser:
    """The command's arguments; those of one converter with what it expects."""
    parser = argparse.ArgumentParser(
        prog=f"disanat_convert {converter.name}" if converter else "disanat_convert",
        usage=None if converter else "disanat_convert NAME -i FOLDER [-d NUMBER] [options]",
        description=f"{converter.title}. {_where(converter)}"
        if converter
        else "Turn the folder of a known set into HOME/raw/DatasetXXX_Name.",
        epilog=_expectations(converter) if converter else _list(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if converter is None:
        parser.add_argument(
            "converter", metavar="NAME", help="which set it is; NAME --help says what it expects"
        )
    else:
        parser.add_argument("converter", choices=[converter.name], help=argparse.SUPPRESS)
    parser.add_argument("-i", "--input", type=Path, help="the set's folder, as downloaded")
    parser.add_argument(
        "-d", "--dataset_id", type=int,
        help=f"the number it gets (default: {converter.number if converter else 'see below'})",
    )  # fmt: skip
    parser.add_argument(
        "--link", action="store_true", help="link the scans instead of copying them"
    )
    if converter is None or (converter.find and converter.name != "pattern"):
        _add_channels(parser, converter)
    if converter is None or converter.find:
        parser.add_argument(
            "--dry_run", action="store_true", help="only say what would be taken; write nothing"
        )
    for option in converter.options if converter else ():
        option.add_to(parser)
    add_home_argument(parser)
    return parser


def _add_channels(parser: argparse.ArgumentParser, converter: Converter | None) -> None:
    if converter is None:
        text = "contrasts to take, in the order of their numbers (default: the set's usual ones)"
    elif not converter.channels:
        text = "contrasts to take: T1, T2, FLAIR, PD, T1c or a suffix of BIDS (default: T1)"
    else:
        usual = " ".join(converter.usual or converter.channels)
        text = f"contrasts to take, of {' '.join(converter.channels)} (default: {usual})"
    parser.add_argument("--channels", nargs="+", default=(), metavar="NAME", help=text)


def _where(converter: Converter) -> str:
    return f"Licence: {converter.licence}. From {converter.site}."


def _expectations(converter: Converter) -> str:
    lines = ["expected in the folder (one of):"]
    for layout in converter.expects:
        lines += textwrap.wrap(
            layout,
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _list() -> str:
    width = max(len(name) for name in CONVERTERS)
    lines = []
    for title, group in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {c.name:<{width}}  {c.number:>3}  {c.title}" for c in group]
    return "\n".join(["names, numbers and sets", *lines])


def _run(arguments: argparse.Namespace) -> int:
    converter = get_converter(arguments.converter)
    source: Path | None = arguments.input
    if converter.needs_source and source is None:
        raise DatasetError(f"Converting {converter.name} needs the set's folder: give it with -i.")
    if source is not None and not source.is_dir():
        raise DatasetError(f"{source} is not a folder: give the set's folder with -i.")
    home = resolve_home(arguments.home)
    number: int | None = arguments.dataset_id
    if converter.write is not None:
        number = converter.number if number is None else number
        print(converter.write(source or Path(), home, number, arguments.link))
        return 0
    options = {option.name: getattr(arguments, option.name) for option in converter.options}
    channels = getattr(arguments, "channels", ())
    conversion = prepare(converter, source or Path(), home, number, channels, options)
    if arguments.dry_run:
        print(describe(conversion))
    else:
        print(write_conversion(conversion, arguments.link))
    return 0


def _named(words: Sequence[str]) -> Converter | None:
    """The converter that a command line names, wherever the name stands in it."""
    plain = argparse.ArgumentParser(add_help=False)
    plain.add_argument("name", nargs="?")
    for flags in (("-i", "--input"), ("-d", "--dataset_id"), ("--home",)):
        plain.add_argument(*flags)
    return CONVERTERS.get(plain.parse_known_args(words)[0].name or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one set; 0 on success, 2 on a user's mistake."""
    words = sys.argv[1:] if argv is None else argv
    return run_command(_run, build_parser(_named(words)), argv)
