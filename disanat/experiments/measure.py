"""One model on one test set: predicted in a process of its own, judged, and kept."""

from __future__ import annotations

import csv
import logging
import multiprocessing
import resource
import shutil
import sys
from concurrent.futures import TimeoutError
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pebble import ProcessExpired, ProcessPool

from disanat.errors import DatasetError, ModelError
from disanat.evaluation.evaluate import (
    Evaluation,
    evaluate_folder,
    read_evaluation,
    write_evaluation,
)
from disanat.evaluation.scans import Scans
from disanat.experiments.sets import LabelledSet
from disanat.home import read_json, write_json
from disanat.inference.folder import predict_folder
from disanat.inference.model import finished
from disanat.inference.predictor import Predictor
from disanat.preprocessing.parallel import MINUTES_PER_JOB, Elsewhere

__all__ = ["Cost", "Measured", "measure", "peak_memory_mb"]

log = logging.getLogger(__name__)

_DONE = "measured.json"
_TABLE = "predictions.csv"


@dataclass(frozen=True)
class Cost:
    """What a prediction takes. `seconds` is the median over volumes (None if none succeeded)."""

    seconds: float | None
    peak_mb: float | None
    """Of the whole process on a CPU: Python, its libraries, the networks and the largest volume of
    the set. On a GPU: what torch had allocated there. None where workers of a cluster predicted,
    which do other things too."""
    device: str


@dataclass(frozen=True)
class Measured:
    """How a method did on one set, and what it cost."""

    evaluation: Evaluation
    cost: Cost
    not_predicted: tuple[str, ...]
    """Cases of the set that failed."""


def measure(
    model: Path,
    one: LabelledSet,
    folder: Path,
    device: str,
    cluster: Elsewhere | None = None,
) -> Measured:
    """Predict and judge a set, or read what an earlier call found with the same model and cases.

    Args:
        model: folder of a finished model.
        one: the set.
        folder: where the predictions go; whatever is there of another model is removed.
        device: `cpu` or `cuda`.
        cluster: whose workers predict; else a process of its own does.

    Raises:
        DisanatError: nothing could be predicted or judged.
    """
    cases = {case.name: [str(path) for path in case.channels.values()] for case in one.cases()}
    stamp: dict[str, object] = {
        "model": str(model),
        "finished": finished(model),
        "labels": str(one.labels),
        "channels": None if one.channels is None else list(one.channels),
        "cases": cases,
        "device": device,
    }
    done = _earlier(folder, stamp)
    if done is None:
        shutil.rmtree(folder, ignore_errors=True)
        done = _predicted(model, one, folder, device, cluster)
        evaluation = evaluate_folder(folder, one.labels, scans=Scans.find(folder, "", one.scans))
        write_evaluation(evaluation, folder)
        write_json({"schema_version": 1, "stamp": stamp, "cost": asdict(done)}, folder / _DONE)
    else:
        log.info("%s has been measured already.", folder)
        evaluation = read_evaluation(folder)
    judged = {result.case for result in evaluation.cases}
    return Measured(evaluation, done, tuple(sorted(cases.keys() - judged)))


def peak_memory_mb() -> float:
    """The most memory that this process has had so far, in MB.

    Linux says it in `/proc`; what `getrusage` says there may be the parent's peak, which a child
    inherits.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _earlier(folder: Path, stamp: dict[str, object]) -> Cost | None:
    """What the set cost when it was measured with the same model; None if it was not."""
    if not (folder / _DONE).exists():
        return None
    kept = read_json(folder / _DONE, DatasetError, "remove it to measure again")
    return Cost(**kept["cost"]) if kept.get("stamp") == stamp else None


def _predicted(
    model: Path, one: LabelledSet, folder: Path, device: str, cluster: Elsewhere | None
) -> Cost:
    if cluster is None:
        peak: float | None = _apart(model, one, folder, device)
    else:
        channels = None if one.channels is None else list(one.channels)
        predictor = Predictor.from_folder(model, device)
        predict_folder(predictor, one.scans, folder, (), channels, cluster=cluster)
        peak = None
    with open(folder / _TABLE, newline="", encoding="utf-8") as handle:
        seconds = [float(row["seconds"]) for row in csv.DictReader(handle) if row["seconds"]]
    return Cost(float(np.median(seconds)) if seconds else None, peak, device)


def _apart(model: Path, one: LabelledSet, folder: Path, device: str) -> float:
    """Predict in a fresh process; returns its peak memory, which is the prediction's own."""
    limit = 60 * MINUTES_PER_JOB * len(one.cases())
    pool = ProcessPool(1, context=multiprocessing.get_context("spawn"))
    try:
        call = pool.schedule(_predict, args=(model, one, folder, device), timeout=limit)
        peak: float = call.result()
        return peak
    except ProcessExpired as cause:
        raise ModelError(
            f"The process that predicted {one.name} with {model} died (often for want of "
            "memory): free some, and run the command again."
        ) from cause
    except TimeoutError as cause:
        raise ModelError(
            f"{one.name} was not predicted with {model} within {limit / 3600:g} hours: look for "
            "odd scans, and run the command again."
        ) from cause
    finally:
        pool.stop()
        pool.join(timeout=10)


def _predict(model: Path, one: LabelledSet, folder: Path, device: str) -> float:
    """Predict the set in this process; returns its peak memory in MB."""
    import torch

    predictor = Predictor.from_folder(model, device)
    channels = None if one.channels is None else list(one.channels)
    # One at a time: what a volume takes, in time and memory, is to be its own.
    predict_folder(predictor, one.scans, folder, (), channels, at_once=1)
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return peak_memory_mb()
