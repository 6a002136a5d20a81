"""Programs of others that find the brain, for users who have installed one: HD-BET, SynthStrip.

They run as processes of their own, without a shell, on a temporary copy of the scan; nothing of
them is part of disanat.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess  # nosec B404
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from disanat.errors import ImageError, PlanError
from disanat.io.images import Scan, read_labels, same_grid, write_like
from disanat.plans import BrainMaskTool

__all__ = ["brain_by_tool", "require_tool"]

log = logging.getLogger(__name__)

_TIMEOUT_S = 1800.0
_MASKS = ("*_bet.nii.gz", "*_mask.nii.gz")


@dataclass(frozen=True)
class _Program:
    """How one tool is called: `arguments` takes the scan's file and the folder to write to."""

    name: str
    remedy: str
    arguments: Callable[[Path, Path], list[str]]


def _hd_bet(scan: Path, folder: Path) -> list[str]:
    output = str(folder / "out.nii.gz")
    return ["-i", str(scan), "-o", output, "--save_bet_mask", "-device", "cpu", "--disable_tta"]


def _synthstrip(scan: Path, folder: Path) -> list[str]:
    return ["-i", str(scan), "-m", str(folder / "brain_mask.nii.gz")]


_PROGRAMS = {
    "hd-bet": _Program("hd-bet", "install it with pip install hd-bet", _hd_bet),
    "synthstrip": _Program(
        "mri_synthstrip", "install FreeSurfer and source its set-up script", _synthstrip
    ),
}


def require_tool(tool: BrainMaskTool) -> str | None:
    """Path of the tool's program; None for the extractor, which ships with disanat.

    Raises:
        PlanError: the program is not on the PATH.
    """
    if tool == "extractor":
        return None
    program = _PROGRAMS[tool]
    found = shutil.which(program.name)
    if found is None:
        raise PlanError(
            f"Brain masks were to come from {tool}, but its program {program.name} is not on the "
            f"PATH: {program.remedy}, give masks of your own, or plan and train without "
            f"--brain_mask_tool {tool}."
        )
    return os.path.abspath(found)


def brain_by_tool(scan: Scan, tool: BrainMaskTool) -> np.ndarray:
    """Brain mask of a whole head by an installed program; bool, axes S, P, L.

    Args:
        scan: one channel.
        tool: which program; not `extractor`.

    Raises:
        PlanError: the program is not installed, or cannot be started.
        ImageError: it failed on this scan, took longer than half an hour, or wrote no mask on the
            scan's grid.
    """
    program = str(require_tool(tool))
    with TemporaryDirectory(prefix="disanat_") as name:
        folder = Path(name)
        source = folder / "scan.nii.gz"
        write_like(scan.array, scan.geometry, source)
        command = [program, *_PROGRAMS[tool].arguments(source, folder)]
        log.info("%s: %s looks for the brain.", scan.path.name, tool)
        _run(command, folder, tool, scan.path)
        written = sorted(path for pattern in _MASKS for path in folder.glob(pattern))
        if not written:
            raise ImageError(
                f"{tool} wrote no brain mask for {scan.path}: check that its version is one that "
                "documentation/brain_mask.md names."
            )
        mask = read_labels(written[0])
    if not same_grid(mask.geometry, scan.geometry):
        raise ImageError(
            f"{tool} wrote the brain mask of {scan.path} on another grid: check that its version "
            "is one that documentation/brain_mask.md names."
        )
    return np.asarray(mask.array > 0)


def _run(command: list[str], folder: Path, tool: str, scan: Path) -> None:
    try:
        # A list of arguments: no shell reads them, and the scan's name is not among them.
        done = subprocess.run(  # nosec B603
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as cause:
        raise ImageError(
            f"{tool} did not finish on {scan} within {_TIMEOUT_S / 60:g} minutes: run it by hand "
            "to see why, or give a mask of your own."
        ) from cause
    except OSError as cause:
        raise PlanError(
            f"{command[0]} cannot be started ({cause.strerror}): {_PROGRAMS[tool].remedy}."
        ) from cause
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ImageError(
            f"{tool} failed on {scan} (exit code {done.returncode}; {said[:160]}): run it by hand "
            "to see why, or give a mask of your own."
        )
