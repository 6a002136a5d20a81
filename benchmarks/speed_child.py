"""One thing to measure, in a process of its own: `python speed_child.py TASK '{"json": ...}'`.

Prints what it found as JSON on its last line. `profile` also runs with earlier states of disanat.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
import time
from pathlib import Path
from typing import Any

PROFILED = (
    ("resampling.py", "resample"),
    ("lesions.py", "find_lesions"),
    ("brain_mask.py", "stripped_brain_mask"),
    ("integrity.py", "check_file"),
    ("volume.py", "apply_to_volume"),
    ("folder.py", "predict_folder"),
)
"""File and function; the last one is the whole."""


def predict(model: str, scans: str, out: str, at_once: int, fast: bool) -> dict[str, Any]:
    """A folder, with the networks' share of the time."""
    from disanat.inference.folder import predict_folder
    from disanat.inference.predictor import Predictor
    from disanat.networks.turns import network_turns

    predictor = Predictor.from_folder(model, fast=fast)
    began, spent = time.monotonic(), time.process_time()
    rows = predict_folder(predictor, Path(scans), Path(out), at_once=at_once, overwrite=True)
    seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "cpu_s": time.process_time() - spent,
        "network_s": network_turns.busy_s,
        "cases": sum(row.status == "ok" for row in rows),
    }


def profile(model: str, scans: str, out: str, **how: Any) -> dict[str, Any]:
    """Seconds of this thread in each of `PROFILED`, what they call included."""
    from disanat.inference.folder import predict_folder
    from disanat.inference.predictor import Predictor

    predictor = Predictor.from_folder(model)
    profiler = cProfile.Profile(time.thread_time)
    profiler.enable()
    predict_folder(predictor, Path(scans), Path(out), overwrite=True, **how)
    profiler.disable()
    found = dict.fromkeys((name for _, name in PROFILED), 0.0)
    calls = dict.fromkeys((name for _, name in PROFILED), 0)
    for (file, _, function), (_, count, _, total, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        if (Path(file).name, function) in PROFILED:
            found[function] += total
            calls[function] += count
    return {"seconds": found, "calls": calls}


def preprocess(home: str, number: str, processes: int) -> dict[str, Any]:
    from planning import preprocess as prepare

    return {"folder": str(prepare(number, home, processes=processes)[0])}


def evaluate(voxels: int) -> dict[str, Any]:
    """AP by the sorted scores, and by scikit-learn, which keeps to the plain definition."""
    import numpy as np
    from sklearn.metrics import average_precision_score

    from disanat.scoring.ranking import average_precision, best_dice, rank

    rng = np.random.default_rng(0)
    lesion = rng.random(voxels) < 0.05
    score = rng.normal(size=voxels).astype(np.float32) + lesion
    began = time.monotonic()
    ranking = rank(score, lesion, np.ones_like(lesion))
    ours = average_precision(ranking)
    exact = time.monotonic()
    best_dice(ranking)
    dice = time.monotonic()
    plain = float(average_precision_score(lesion, score))
    return {
        "ap_s": exact - began,
        "dice_s": dice - exact,
        "plain_s": time.monotonic() - dice,
        "difference": abs((ours or 0.0) - plain),
    }


def train(**arguments: Any) -> dict[str, Any]:
    from speed_training import measure

    return measure(**arguments)


if __name__ == "__main__":
    task = {f.__name__: f for f in (predict, profile, preprocess, evaluate, train)}[sys.argv[1]]
    result = task(**json.loads(sys.argv[2]))
    print()
    print(json.dumps(result))
