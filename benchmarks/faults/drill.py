"""What the drills share: a small simulated home, commands to kill, results to compare."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from material import CLASSES, brain, write_image

from disanat.home import BOOKS, write_json
from disanat.networks.weights import load_state
from disanat.plans import NetworkPlan, Plans, load_json, save_json

__all__ = [
    "DATASET",
    "STAGES",
    "Run",
    "Stage",
    "contents",
    "differences",
    "finish",
    "launch",
    "make_scans",
    "make_start",
    "result_files",
    "said",
    "shrink",
]

DATASET = "Dataset005_Small"
EPOCHS, ITERATIONS, HEALTHY, SCANS = 4, 6, 8, 6
_CLOCKS = ("finished", "minutes", "seconds", "data_wait", "members")
_TIMES = re.compile(r"\| [\d.]+ s, waited for data \d+%")
_RESULTS = ("preprocessed", "results", "predictions")


@dataclass(frozen=True)
class Stage:
    """One of the three commands, as it is drilled."""

    name: str
    words: tuple[str, ...]


STAGES = (
    Stage("plan and preprocess", ("disanat_plan_and_preprocess", "-d", "5", "-np", "0")),
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
    """A home with small healthy scans and their label maps, and scans to predict beside it."""
    raw = home / "raw" / DATASET
    for seed in range(HEALTHY):
        image, labels = brain(seed)
        write_image(image, raw / f"imagesTr/h{seed}_0000.nii.gz")
        tissues = np.where(labels > 0, labels + 10, 0).astype(np.uint8)
        write_image(tissues, raw / f"priorsTr/h{seed}.nii.gz")
    declared = {"channel_names": {"0": "T1"}, "prior": {"classes": CLASSES}, "simulated": True}
    write_json(declared, raw / "dataset.json")
    make_scans(home / "scans", SCANS)


def make_scans(folder: Path, number: int) -> None:
    """Scans with a bright lesion each."""
    for seed in range(number):
        image, labels = brain(100 + seed)
        image[12:17, 14:19, 10:15] = np.where(labels[12:17, 14:19, 10:15] > 0, 150, 0)
        write_image(image, folder / f"p{seed:03d}_0000.nii.gz")


def shrink(home: Path) -> None:
    """Make the plan's networks and epochs tiny: the drills are about losing work, not doing it."""
    source = home / "preprocessed" / DATASET / "plans.json"
    plans = load_json(source, Plans)

    def small(network: NetworkPlan) -> NetworkPlan:
        stages = min(3, len(network.features))
        features = (8, 12, 16)[:stages]
        return NetworkPlan(features, network.strides[:stages], network.kernel_sizes[:stages], 1)

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
