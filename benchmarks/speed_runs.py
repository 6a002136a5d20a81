"""Running something in a process of its own, and what it took: time, and memory at its peak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from speed_data import QUICK, WORK
from steps import ROOT

__all__ = ["NNUNET", "Run", "child", "nnunet", "nnunet_is_there", "run"]

NNUNET = Path(os.environ.get("NNUNET_VENV", "/tmp/nnunet_venv"))
"""An environment of its own with nnU-Net; see the page for how to make it."""
_GLANCE_S = 0.2


@dataclass(frozen=True)
class Run:
    """`peak_mb` is the largest process's own peak of resident memory, `worker_mb` that of the
    largest process that it started; 0 without one."""

    seconds: float
    peak_mb: float
    worker_mb: float
    said: str


def run(words: Sequence[str | Path], more: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end. Ends the benchmark where the command fails."""
    log = WORK / "last_output.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}
    with open(log, "w", encoding="utf-8") as told:
        began = time.monotonic()
        process = psutil.Popen(
            [str(w) for w in words], stdout=told, stderr=subprocess.STDOUT, env=environment
        )
        peaks = {"own": 0, "worker": 0}
        while process.poll() is None:
            _look(process, peaks)
            time.sleep(_GLANCE_S)
        seconds = time.monotonic() - began
    said = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        sys.exit(f"{said[-3000:]}\n{words} ended with exit code {process.returncode}.")
    top = max(peaks.values())
    return Run(seconds, top / 2**20, peaks["worker"] / 2**20, said)


def _look(process: psutil.Process, peaks: dict[str, int]) -> None:
    try:
        peaks["own"] = max(peaks["own"], _peak(process))
        for one in process.children(recursive=True):
            peaks["worker"] = max(peaks["worker"], _peak(one))
    except (psutil.Error, OSError):  # it has just ended
        return


def _peak(process: psutil.Process) -> int:
    """Bytes; Linux keeps the peak itself, elsewhere it is what is seen at each glance."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return int(process.memory_info().rss)
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return next((1024 * int(x.split()[1]) for x in lines if x.startswith("VmHWM")), 0)


def child(task: str, code: Path = ROOT, **arguments: Any) -> dict[str, Any]:
    """What `speed_child.py` finds out with disanat as it lies in a folder; with the run itself."""
    script = ROOT / "benchmarks" / "speed_child.py"
    words = [sys.executable, script, task, json.dumps(arguments), *(["--quick"] if QUICK else [])]
    done = run(words, {"PYTHONPATH": str(code)})
    found: dict[str, Any] = json.loads(done.said.strip().splitlines()[-1])
    return found | {"wall_s": done.seconds, "peak_mb": done.peak_mb, "worker_mb": done.worker_mb}


def nnunet_is_there() -> bool:
    return (NNUNET / "bin" / "nnUNetv2_predict").exists()


def nnunet(command: str, base: Path, *words: str | Path) -> Run:
    """Run one of nnU-Net's commands, or a script in its environment."""
    folders = {f"nnUNet_{kind}": str(base / kind) for kind in ("raw", "preprocessed", "results")}
    quiet = {"nnUNet_compile": "f", "PYTHONPATH": ""}
    return run([NNUNET / "bin" / command, *words], folders | quiet)
