"""documentation/tutorial_own_data.md: its commands run, and the files that it names are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset_conversion.registry import CONVERTERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "documentation" / "tutorial_own_data.md"
TARGETS = dict(
    re.findall(r'"(disanat_\w+)": "([\w.]+):main"', (ROOT / "setup.py").read_text("utf-8"))
)
QUICK = {
    "disanat_plan_and_preprocess": ("-np", "0", "-c", "2d"),
    "disanat_train": ("--device", "cpu", "-m", "threshold"),
    "disanat_predict": ("--device", "cpu"),
    "disanat_report": ("-np", "0"),
}
"""What is added so that a test is done in seconds."""


def blocks() -> list[tuple[str, list[str]]]:
    """Commands and lists of files in the page's order, as kind and lines."""
    text = PAGE.read_text(encoding="utf-8")
    found = []
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M):
        lines = block.replace("\\\n", " ").splitlines()
        if kind == "text":
            found.append(("files", lines))
        elif lines[0].startswith("disanat_") and " " in lines[0]:
            found.append(("commands", lines))
    return found


def commands() -> list[list[str]]:
    lines = [line for kind, block in blocks() for line in block if kind == "commands"]
    return [shlex.split(line) for line in lines]


def test_every_command_is_one_that_its_parser_takes() -> None:
    assert len(commands()) >= 10
    for name, *words in commands():
        module = import_module(TARGETS[name])
        known = (CONVERTERS["pattern"],) if name == "disanat_convert" else ()
        module.build_parser(*known).parse_args(words)


@pytest.fixture
def mydata(miniature: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the page begins with, in the current folder."""
    folder = tmp_path / "mydata"
    for number in range(1, 5):
        image = miniature.brain(number).image
        miniature.write(folder / "healthy" / f"C0{number}_T1.nii.gz", image)
    for look in ("T1", "FLAIR"):
        brain = miniature.brain(20, look.lower(), lesion=True)
        miniature.write(folder / "patients" / f"P01_{look}.nii.gz", brain.image)
    miniature.write(folder / "masks" / "P01.nii.gz", brain.lesion.astype(np.uint8))
    monkeypatch.chdir(tmp_path)
    return folder


def test_every_file_it_names_is_there_after_its_commands(
    mydata: Path, ship: Callable[[], Path]
) -> None:
    assert {path.name for path in mydata.iterdir()} == {"healthy", "patients", "masks"}
    ship()
    assert [kind for kind, _ in blocks()] == ["commands", "files"] * 7
    for kind, lines in blocks():
        for line in lines:
            if kind == "commands":
                name, *words = shlex.split(line)
                main = import_module(TARGETS[name]).main
                assert main([*words, *QUICK.get(name, ())]) == 0, line
            else:
                path = Path(line.replace("dal__2d", "threshold__2d"))
                assert path.is_file() and path.stat().st_size > 0, line
    page = Path("results/report.html").read_text(encoding="utf-8")
    assert "Evaluation against the expert masks" in page and 'alt="scan of P01' in page
    assert Path("first_look/report.html").read_text("utf-8").count("<article") == 2
