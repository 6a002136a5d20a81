"""What the drills share: a small simulated home, commands to kill, results to compare."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dataset_conversion import simulated
from disanat.home import BOOKS, Home
from disanat.networks.weights import load_state
from disanat.plans import NetworkPlan, Plans, load_json, save_json

__all__ = ["DATASET", "STAGES", "Run", "Stage", "contents", "differences", "launch", "make_start"]

DATASET = "Dataset005_Simulated"
EPOCHS, ITERATIONS, CASES, SPACING_MM = 4, 6, 5, 5.0
_CLOCKS = ("finished", "minutes", "seconds", "data_wait", "members")
_TIMES = re.compile(r"\| [\d.]+ s, waited for data \d+%")
_RESULTS = ("preprocessed", "results", "predictions")


@dataclass(frozen=True)
class Stage:
    """One of the three commands, as it is drilled."""

    name: str
    words: tuple[str, ...]


STAGES = (
    Stage("plan and preprocess", ("disanat_plan_and_preprocess", "-d", "5", "-np", "2")),
    Stage("train", ("disanat_train", "-d", "5", "-np", "0", "--device", "cpu")),
    Stage(
        "predict",
        ("disanat_predict", "-i", "scans", "-o", "predictions", "--save", "phi", "anatomy")
        + ("--device", "cpu"),
    ),
)


@dataclass(frozen=True)
class Run:
    """A command that has ended. `code` is negative for a signal."""

    code: int
    seconds: float
    said: str


def launch(words: Sequence[str], home: Path) -> subprocess.Popen[str]:
    """Start a command in the folder of a home, in a process group of its own."""
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "DISANAT_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [str(scripts / words[0]), *words[1:]],
        cwd=home,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], limit_s: float = 900) -> Run:
    """Wait for a command; one that hangs is killed and counts as such (code -9, said so)."""
    began = time.monotonic()
    try:
        _, said = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
        said += f"\nHANG: killed after {limit_s:g} s"
    return Run(process.returncode, time.monotonic() - began, said)


def make_start(home: Path) -> None:
    """A home with simulated healthy scans, and scans to predict beside it."""
    raw = simulated.convert(Home(home), 5, CASES, SPACING_MM)
    shutil.copytree(raw / "imagesTs", home / "scans")


def shrink(home: Path) -> None:
    """Make the plan's networks and epochs tiny: the drills are about losing work, not doing it."""
    source = home / "preprocessed" / DATASET / "plans.json"
    plans = load_json(source, Plans)

    def small(network: NetworkPlan) -> NetworkPlan:
        return NetworkPlan((8, 12, 16), network.strides[:3], network.kernel_sizes[:3], 1)

    tiny = {
        name: replace(
            one,
            batch_size=8,
            encoder=small(one.encoder),
            restorer=small(one.restorer),
            comparator=small(one.comparator),
            decoder_features=8,
            epochs=EPOCHS,
            iterations_per_epoch=ITERATIONS,
        )
        for name, one in plans.configurations.items()
    }
    save_json(replace(plans, configurations=tiny), source)


def result_files(home: Path) -> Iterator[Path]:
    """All files of results under their final names, disanat's own books left out."""
    for part in _RESULTS:
        for path in sorted((home / part).rglob("*")):
            if path.is_file() and BOOKS not in path.parts and ".tmp." not in path.name:
                yield path


def contents(home: Path) -> dict[str, str]:
    """Relative path -> digest of what a file says, but for what a clock wrote.

    Raises:
        Exception: a file cannot be read for what it is; that is what is looked for.
    """
    return {str(path.relative_to(home)): said(path) for path in result_files(home)}


def said(path: Path) -> str:
    """Digest of a file's content without clock times."""
    if path.suffix == ".json":
        return _digest(_timeless(json.loads(path.read_text(encoding="utf-8"))))
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as handle:
            return _digest(_timeless(list(csv.DictReader(handle))))
    if path.suffix == ".pt":
        return _digest(_timeless(_plain(load_state(path, torch.device("cpu")))))
    if path.name == "training_log.txt":
        return _digest(_TIMES.sub("|", path.read_text(encoding="utf-8")))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _timeless(v) for k, v in value.items() if k not in _CLOCKS}
    return [_timeless(v) for v in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    """Tensors as digests of their bytes; a checksum over clock times says nothing here."""
    if isinstance(value, torch.Tensor):
        array = value.detach().contiguous().flatten().view(torch.uint8).numpy()
        return [str(value.dtype), list(value.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if k not in ("digest", "checksum")}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Files that differ, or that only one of the two has."""
    return sorted(
        name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)
    )
