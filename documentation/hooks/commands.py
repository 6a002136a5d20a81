"""Every command with its flags as one page, made from the commands' own parsers."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint

from disanat.cli.common import add_verbose_argument
from disanat.cli.main import description

__all__ = ["command_page", "notebook_page"]

_HEAD = """\
# Commands and their flags

Made from the commands themselves when this site is built. `disanat --help` lists them,
`COMMAND --help` shows the same flags. `disanat predict` and `disanat_predict` are the same.
"""


def command_page(commands: Mapping[str, EntryPoint]) -> str:
    """The page as Markdown; `commands` are entry points by name without `disanat_`."""
    sections = [_section(point) for point in commands.values()]
    listed = [
        f"- [`{point.name}`](#{point.name}): {_plain(description(point))}"
        for point in commands.values()
    ]
    return "\n".join([_HEAD, *listed, "", *sections])


def _section(point: EntryPoint) -> str:
    parser = import_module(point.module).build_parser()
    add_verbose_argument(parser)
    usage = parser.format_usage().removeprefix("usage: ").rstrip()
    parts = [f"## {point.name}", "", *_text(parser, parser.description), _fence(usage), ""]
    parts += [*_flags(parser), "", *_text(parser, parser.epilog)]
    return "\n".join(parts)


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    formatter = parser._get_formatter()
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a.help != argparse.SUPPRESS]
        if group.description and actions:
            yield f"\n{_plain(group.title or '')} ({_plain(group.description)}):\n"
        for action in actions:
            flag = formatter._format_action_invocation(action)
            said = formatter._expand_help(action) if action.help else ""
            yield f"- `{flag}`: {_plain(said)}" + (" **Required.**" if action.required else "")


def _text(parser: argparse.ArgumentParser, text: str | None) -> list[str]:
    """A description or an epilog: as it stands where its lines are meant so."""
    if not text:
        return []
    filled = text.replace("%(prog)s", parser.prog)
    if issubclass(parser.formatter_class, argparse.RawDescriptionHelpFormatter):
        return [_fence(filled.rstrip()), ""]
    return [_plain(filled), ""]


def _fence(text: str) -> str:
    return f"```text\n{text}\n```"


def _plain(text: str) -> str:
    """The text with nothing in it that Markdown would take for a mark of its own."""
    return re.sub(r"([*_<>\[\]`|])", r"\\\1", text)


def notebook_page(notebook: Mapping[str, object], source: str) -> str:
    """A notebook's text and code as Markdown, without what it printed."""
    cells = notebook["cells"]
    assert isinstance(cells, list)
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join([*parts, f"[This page as a notebook]({source})"]) + "\n"
