"""Links work, every flag is in the site, and environment.yml names what setup.py names."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "documentation" / "hooks"))
from commands import command_page  # noqa: E402

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("documentation/*.md"))]
PAGES += sorted(ROOT.glob("benchmarks/*.md"))
SETUP = (ROOT / "setup.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_work(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    links = [x.split("#")[0] for x in re.findall(r"\]\(([^)\s]+)\)", text)]
    here = [x for x in links if x and not re.match(r"[a-z]+:", x)]
    assert [x for x in here if not (page.parent / x).exists()] == []


def test_every_flag_of_every_command_is_on_its_page() -> None:
    found = re.findall(r'"(disanat_\w+)": "([\w.]+:main)"', SETUP)
    points = {name: EntryPoint(name, value, "console_scripts") for name, value in found}
    page = command_page(points)
    assert len(points) >= 10
    for point in points.values():
        section = page.split(f"\n## {point.name}\n")[1].split("\n## ")[0]
        for action in import_module(point.module).build_parser()._actions:
            assert all(flag in section for flag in action.option_strings)


def test_environment_names_what_setup_names() -> None:
    block = re.search(r"install_requires=\[(.*?)\]", SETUP, re.S)
    assert block
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    named = re.findall(r"^      - (?!--)(\S+)$", environment, re.M)
    assert named == re.findall(r'"([^"]+)"', block[1])
