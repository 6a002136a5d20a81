"""HD-BET and SynthStrip, played by small programs on the PATH."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import ImageError, PlanError
from disanat.io.images import Scan, read_scan
from disanat.plans import BrainMaskTool
from disanat.preprocessing import brain_tools
from disanat.preprocessing.brain_tools import brain_by_tool, require_tool


@pytest.fixture
def head(miniature: Any, tmp_path: Path) -> Scan:
    """Stored obliquely, so that a mask on another grid would be noticed."""
    array, _ = miniature.head(0)
    miniature.write(tmp_path / "x.nii.gz", array, (4.0, 4.0, 4.0), "PSR", 12.0)
    return read_scan(tmp_path / "x.nii.gz")


def program(folder: Path, name: str, *lines: str) -> None:
    """Replace a fake program by a shell script."""
    (folder / "programs" / name).write_text("\n".join(("#!/bin/sh", *lines)) + "\n")


@pytest.mark.parametrize(
    ("tool", "called"),
    [
        ("hd-bet", "hd-bet -i SCAN -o OUT --save_bet_mask -device cpu --disable_tta"),
        ("synthstrip", "mri_synthstrip -i SCAN -m OUT"),
    ],
)
def test_the_mask_comes_back_on_the_scans_grid(
    head: Scan, miniature: Any, fake_tools: Path, tool: BrainMaskTool, called: str
) -> None:
    mask = brain_by_tool(head, tool)
    np.testing.assert_array_equal(mask, head.array > 15)
    assert (mask == miniature.head(0)[1]).mean() > 0.99
    words = fake_tools.read_text().split()
    scan, out = Path(words[2]), Path(words[4])
    words[2], words[4] = "SCAN", "OUT"
    assert " ".join(words) == called
    assert scan.name == "scan.nii.gz" and scan.parent == out.parent and not scan.exists()


def test_a_path_with_spaces_is_no_command(
    miniature: Any, tmp_path: Path, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a b; touch c"
    folder.mkdir()
    monkeypatch.setattr(brain_tools.TemporaryDirectory, "__enter__", lambda self: str(folder))
    array, inside = miniature.head(0)
    miniature.write(tmp_path / "x.nii.gz", array)
    mask = brain_by_tool(read_scan(tmp_path / "x.nii.gz"), "hd-bet")
    assert (mask == inside).mean() > 0.99


def test_a_missing_program_is_named_with_its_remedy(
    head: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert require_tool("extractor") is None
    with pytest.raises(PlanError, match=r"hd-bet is not on the PATH: install it with pip .*\.$"):
        require_tool("hd-bet")
    with pytest.raises(PlanError, match=r"mri_synthstrip is not on the PATH: install FreeSurfer"):
        brain_by_tool(head, "synthstrip")


def test_a_failure_says_what_the_program_said(
    head: Scan, tmp_path: Path, fake_tools: Path
) -> None:
    program(tmp_path, "hd-bet", "echo first >&2", "echo no memory left >&2", "exit 3")
    with pytest.raises(ImageError, match=r"hd-bet failed on .*x.nii.gz \(exit code 3; no memory"):
        brain_by_tool(head, "hd-bet")
    program(tmp_path, "hd-bet", "exit 0")
    with pytest.raises(ImageError, match=r"hd-bet wrote no brain mask for .*x.nii.gz: check"):
        brain_by_tool(head, "hd-bet")


def test_a_program_that_hangs_is_ended(
    head: Scan, tmp_path: Path, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brain_tools, "_TIMEOUT_S", 0.2)
    program(tmp_path, "mri_synthstrip", "exec sleep 30")
    with pytest.raises(ImageError, match=r"synthstrip did not finish on .*x.nii.gz within"):
        brain_by_tool(head, "synthstrip")


def test_a_program_that_cannot_be_started(head: Scan, tmp_path: Path, fake_tools: Path) -> None:
    (tmp_path / "programs" / "hd-bet").write_text("#!/no/such/interpreter\n")
    with pytest.raises(PlanError, match=r"hd-bet cannot be started \(No such file"):
        brain_by_tool(head, "hd-bet")


def test_a_relative_folder_on_the_path(
    head: Scan, tmp_path: Path, fake_tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "programs")
    assert brain_by_tool(head, "hd-bet").any()


@pytest.mark.parametrize("name", ["out_bet.nii.gz", "out_mask.nii.gz"])
def test_masks_of_either_name_are_found_but_must_fit(
    head: Scan, miniature: Any, tmp_path: Path, fake_tools: Path, name: str
) -> None:
    """Older versions of HD-BET call their mask otherwise."""
    made = tmp_path / name
    miniature.write(made, (head.array > 15).astype(np.uint8), (4.0, 4.0, 4.0), "PSR", 12.0)
    program(tmp_path, "hd-bet", f"cp '{made}' .")
    np.testing.assert_array_equal(brain_by_tool(head, "hd-bet"), head.array > 15)
    miniature.write(made, (head.array > 15).astype(np.uint8))
    with pytest.raises(ImageError, match=r"brain mask of .*x.nii.gz on another grid"):
        brain_by_tool(head, "hd-bet")
