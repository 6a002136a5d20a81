"""MkDocs' hook: the site mirrors the repository, so that one link works there and on GitHub alike.

It holds the README, the pages of the navigation, and all files that these link to. The pages of
commands and of functions are made when the site is built, and so cannot be out of date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent))

from commands import command_page, notebook_page  # noqa: E402

from disanat.cli.main import installed_commands  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = "documentation/commands.md"
NOTEBOOKS = "documentation/notebooks"
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the mirrored files in the place of those found in the folder of the documentation."""
    kept = [f for f in files if f.src_dir != config.docs_dir]
    made = {COMMANDS: command_page(installed_commands())}
    for path in sorted((ROOT / NOTEBOOKS).glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        made[f"{NOTEBOOKS}/{path.stem}.md"] = notebook_page(notebook, path.name)
    starts = [p for p in _pages(config.nav) if p not in made]
    linked = reachable(ROOT, [*starts, *(f"{NOTEBOOKS}/{p.name}" for p in _notebooks())])
    return Files(
        [
            *kept,
            *(File.generated(config, name, abs_src_path=str(ROOT / name)) for name in linked),
            *(File.generated(config, name, content=text) for name, text in made.items()),
        ]
    )


def _notebooks() -> list[Path]:
    return sorted((ROOT / NOTEBOOKS).glob("*.ipynb"))


def _pages(nav: Any) -> Iterator[str]:
    """The files that the navigation names."""
    for entry in nav if isinstance(nav, list) else [nav]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            for value in entry.values():
                yield from _pages(value)


def reachable(root: Path, starts: list[str]) -> list[str]:
    """These files and all that are linked from them, from page to page; relative to `root`."""
    found: dict[str, None] = {}
    ahead = list(starts)
    while ahead:
        name = ahead.pop()
        if name in found or not (root / name).is_file():
            continue
        found[name] = None
        if name.endswith(".md"):
            ahead += [target for target, _ in local_links(root, name)]
    return sorted(found)


def local_links(root: Path, name: str) -> Iterator[tuple[str, str]]:
    """Of a page: each link into the repository, as the file it names and the heading in it."""
    text = (root / name).read_text(encoding="utf-8")
    for link in _LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = unquote(link).partition("#")
        target = ((root / name).parent / path).resolve() if path else (root / name).resolve()
        yield str(target.relative_to(root.resolve())), heading


def without_code(text: str) -> str:
    """A page without its blocks and pieces of code, in which nothing is a link."""
    return re.sub(r"`[^`\n]*`", "`code`", re.sub(r"```.*?```", "", text, flags=re.S))
