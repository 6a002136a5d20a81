"""Preprocessing beside nnU-Net's: the same stripped scans, steps, processes and target spacing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import speed_nnunet_plan as yardstick
from disanat.io.store import open_case, stored_cases
from disanat.reporting.markdown import markdown_table
from planning import Overrides, plan
from speed_data import CASES, DATASET, GIVEN_MM, NUMBER, QUICK, dataset
from speed_runs import child, nnunet_is_there

__all__ = ["measure", "page"]

TARGET_MM = 2.0
PROCESSES = 2
ROUNDS = 1 if QUICK else 3


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def measure() -> dict[str, Any]:
    """Both programs in turn; of each the quickest of its runs, as others disturb but never help."""
    home, base = dataset()
    plan(
        NUMBER,
        home,
        processes=PROCESSES,
        progress=False,
        overrides=Overrides(target_spacing=(TARGET_MM,) * 3),
    )
    with_yardstick = nnunet_is_there()
    if with_yardstick:
        yardstick.plan(base, TARGET_MM)
    rounds = [(_ours(home), _theirs(base) if with_yardstick else {}) for _ in range(ROUNDS)]
    ours, theirs = (min(runs, key=lambda run: run.get("seconds", 0.0)) for runs in zip(*rounds))
    folder = home / "preprocessed" / DATASET / "2d"
    found: dict[str, Any] = {
        "ours": ours,
        "float32": sum(
            4 * int(np.prod(open_case(folder, name).image.shape)) for name in stored_cases(folder)
        ),
    }
    if with_yardstick:
        found["nnunet"] = theirs
        found["ratios"] = [b["seconds"] / a["seconds"] for a, b in rounds]
    return found


def _ours(home: Path) -> dict[str, Any]:
    shutil.rmtree(home / "preprocessed" / DATASET / "2d", ignore_errors=True)
    done = child("preprocess", home=str(home), number=NUMBER, processes=PROCESSES)
    folder = Path(done["folder"])
    _check_complete(folder)
    return {
        "seconds": done["wall_s"],
        "worker_mb": done["worker_mb"],
        "bytes": _bytes(folder, "*.b2nd"),
        "image_bytes": _bytes(folder, "*[0-9].b2nd"),
    }


def _theirs(base: Path) -> dict[str, Any]:
    stored = base / "preprocessed" / DATASET / yardstick.STORED
    shutil.rmtree(stored, ignore_errors=True)
    done = yardstick.prepare(base, PROCESSES)
    _check_complete(stored)
    return {
        "seconds": done.seconds,
        "worker_mb": done.worker_mb,
        "bytes": _bytes(stored, "*"),
        "image_bytes": _bytes(stored, "*[0-9].b2nd"),
        "version": yardstick.version(),
    }


def _check_complete(folder: Path) -> None:
    if len(list(folder.glob("*[0-9].b2nd"))) != CASES:
        sys.exit(f"{folder} does not hold {CASES} cases: the comparison means nothing.")


def page(found: dict[str, Any]) -> list[str]:
    ours, theirs, rows = found["ours"], found.get("nnunet"), []
    for name, one in (("disanat", ours), ("nnU-Net", theirs)):
        if one is None:
            continue
        rows.append(
            {
                "": name,
                "cases a minute": f"{60 * CASES / one['seconds']:.0f}",
                "peak memory of a worker, MB": f"{one['worker_mb']:.0f}",
                "scans on disk / float32": f"{one['image_bytes'] / found['float32']:.0%}",
                "scans and label maps / float32": f"{one['bytes'] / found['float32']:.0%}",
            }
        )
    said = [
        f"{CASES} stripped scans of {GIVEN_MM:g} mm with a label map of eight tissues: cropped, "
        f"normalised, resampled to {TARGET_MM:g} mm and stored, by {PROCESSES} processes; from the "
        "start of the command, planning left out; the quickest of each one's runs, which took "
        "turns. float32 is the size of disanat's arrays uncompressed.",
        "",
        markdown_table(rows),
    ]
    if theirs is None:
        return [*said, "", yardstick.ABSENT]
    ratios = ", ".join(f"{ratio:.1f}" for ratio in found["ratios"])
    return [
        *said,
        "",
        f"disanat prepares **{theirs['seconds'] / ours['seconds']:.1f} times** as many cases a "
        f"minute as nnU-Net {theirs['version']} (in each round: {ratios}), with "
        f"{ours['worker_mb'] / theirs['worker_mb']:.2f} times its memory. Both resample scans by "
        "cubic interpolation. nnU-Net resamples label maps by linear interpolation of each class, "
        "disanat by nearest neighbour; disanat also tells mixed tissues from pure ones, which is "
        "part of its time.",
    ]
