"""What made a result: model, settings, versions, the commit of the sources, the command."""

from __future__ import annotations

import platform
import shlex
import subprocess  # nosec B404
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import disanat
from disanat.inference.bundled import is_bundled
from disanat.inference.model import finished

if TYPE_CHECKING:
    from disanat.inference.predictor import Predictor
    from disanat.inference.registering import Route

__all__ = ["command_line", "commit", "prediction_facts", "versions"]

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


def prediction_facts(
    predictor: Predictor,
    source: Path,
    channels: list[int] | None,
    brain_masks: Path | None,
    channel_names: Sequence[str],
    register: Route | None,
) -> dict[str, Any]:
    """What prediction.json says of a folder of predictions."""
    model = predictor.model
    return {
        "schema_version": 1,
        "input": str(source.absolute()),
        "model": str(model.folder),
        "bundled": is_bundled(model.folder),
        "finished": finished(model.folder),
        "method": model.method.name,
        "configuration": model.configuration.name,
        "dataset": model.plans.dataset,
        "threshold": predictor.mask_rule.threshold,
        "peak_threshold": predictor.mask_rule.peak,
        "own_thresholds": {
            kind: {"threshold": rule.threshold, "peak_threshold": rule.peak}
            for kind, rule in predictor.own_mask_rules.items()
        },
        "threshold_choice": predictor.threshold_choice,
        "channels": channels,
        "brain_mask_tool": model.plans.brain_mask_tool,
        "brain_masks": None if brain_masks is None else str(brain_masks),
        "channel_names": list(channel_names),
        "register": register,
        "fast": predictor.fast,
        "command": command_line(),
        "commit": commit(),
        "versions": versions(),
    }
