"""What made a result: versions, the commit of the sources, the command."""

from __future__ import annotations

import platform
import shlex
import subprocess  # nosec B404
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import disanat

__all__ = ["command_line", "commit", "versions"]

_PACKAGES = ("torch", "numpy", "scipy", "SimpleITK")
_PATIENCE_S = 10.0


def versions() -> dict[str, str]:
    """Versions of disanat, of Python, and of the packages that numbers depend on."""
    found = {"disanat": disanat.__version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Which commit disanat runs from, `-dirty` where files differ; empty where it is no clone."""
    root = Path(disanat.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    words = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        # The words are fixed; git is where the user has it.
        done = subprocess.run(  # nosec B603
            words, cwd=root, capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def command_line() -> str:
    """The command as it was typed, its program without the folder."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
