"""`disanat`: lists every command, and runs one: `disanat predict` is `disanat_predict`.

The commands are read from the entry points that are installed, so that those of other packages,
called `disanat_...` as well, are there too.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from disanat import __version__
from disanat.cli.common import USER_ERROR

__all__ = ["build_parser", "description", "installed_commands", "main"]

_PREFIX = "disanat_"


def installed_commands() -> dict[str, EntryPoint]:
    """Name without `disanat_` -> entry point, of all such commands that are installed."""
    found = entry_points(group="console_scripts")
    return {
        point.name.removeprefix(_PREFIX): point
        for point in sorted(found, key=lambda point: point.name)
        if point.name.startswith(_PREFIX)
    }


def description(point: EntryPoint) -> str:
    """What a command does, in one line: the first of its module's docstring, after its name.

    The module is read, not imported. Empty where it says nothing.
    """
    try:
        spec = find_spec(point.module)
        text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
        docstring = ast.get_docstring(ast.parse(text)) or ""
    except (ImportError, OSError, SyntaxError, ValueError):
        return ""
    first = " ".join(docstring.split("\n\n")[0].split())
    return first.removeprefix(f"`{point.name}`:").strip().rstrip(".")


def build_parser(commands: dict[str, EntryPoint] | None = None) -> argparse.ArgumentParser:
    """The umbrella's arguments; its help lists all commands."""
    known = installed_commands() if commands is None else commands
    width = max(map(len, known), default=0)
    listed = "\n".join(f"  {name:<{width}}  {description(p)}" for name, p in known.items())
    parser = argparse.ArgumentParser(
        prog="disanat",
        usage="disanat COMMAND ...",
        description="Finds lesions in brain MRI without ever having seen one. Research use only.",
        epilog=f"commands:\n{listed}\n\n'disanat COMMAND --help' says more; 'disanat predict' and "
        "'disanat_predict' are the same.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"disanat {__version__}")
    command = parser.add_argument(
        "command", nargs="?", metavar="COMMAND", help="one of those below"
    )
    command.completer = lambda **_: list(known)  # type: ignore[attr-defined]
    return parser


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant; empty if none is near."""
    names = list(known)
    begun = [other for other in names if other.startswith(name)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return (begun or near or [""])[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that is named first with the words after it; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    known = installed_commands()
    if "_ARGCOMPLETE" in os.environ:
        return _complete(known)
    if words and not words[0].startswith("-"):
        name = words[0].removeprefix(_PREFIX).replace("-", "_")
        if name in known:
            return int(known[name].load()(words[1:]) or 0)
        nearest = _nearest(name, known)
        hint = f"did you mean {nearest}?" if nearest else f"use one of {', '.join(known)}."
        print(f"error: There is no command '{words[0]}': {hint}", file=sys.stderr)
        return USER_ERROR
    parser = build_parser(known)
    parser.parse_args(words)
    parser.print_help()
    return 0


def _complete(known: dict[str, EntryPoint]) -> int:
    """What a shell asks for: names of commands, or the flags of the one that is named."""
    import argcomplete

    line = os.environ.get("COMP_LINE", "")
    before = line.split()
    if len(before) > 1 and before[1] in known and line[: len("disanat ")] == "disanat ":
        # The command's own parser answers as if it were called itself; no place in the line moves.
        os.environ["COMP_LINE"] = line.replace("disanat ", _PREFIX, 1)
        if line[len(" ".join(before[:2])) :].startswith(" "):
            return int(known[before[1]].load()([]) or 0)
        os.environ["COMP_LINE"] = line
    argcomplete.autocomplete(build_parser(known))
    return 0


if __name__ == "__main__":
    sys.exit(main())
