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
from speed_data import CASES, DATASET, GIVEN_MM, NUMBER, dataset
from speed_runs import child, nnunet, nnunet_is_there

__all__ = ["measure", "page"]

TARGET_MM = 2.0
PROCESSES = 2


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def measure() -> dict[str, Any]:
    home, base = dataset()
    plan(
        NUMBER,
        home,
        processes=PROCESSES,
        progress=False,
        overrides=Overrides(target_spacing=(TARGET_MM,) * 3),
    )
    shutil.rmtree(home / "preprocessed" / DATASET / "2d", ignore_errors=True)
    ours = child("preprocess", home=str(home), number=NUMBER, processes=PROCESSES)
    folder = Path(ours["folder"])
    float32 = sum(
        4 * int(np.prod(open_case(folder, name).image.shape)) for name in stored_cases(folder)
    )
    found: dict[str, Any] = {
        "ours": {
            "seconds": ours["wall_s"],
            "worker_mb": ours["worker_mb"],
            "bytes": _bytes(folder, "*.b2nd"),
            "image_bytes": _bytes(folder, "*[0-9].b2nd"),
        },
        "float32": float32,
    }
    if not nnunet_is_there():
        return found
    yardstick.plan(base, TARGET_MM)
    shutil.rmtree(base / "preprocessed" / DATASET / yardstick.STORED, ignore_errors=True)
    theirs = nnunet(
        "nnUNetv2_preprocess",
        base,
        *("-d", NUMBER, "-plans_name", yardstick.PLANS, "-c", "3d_fullres"),
        *("-np", str(PROCESSES)),
    )
    stored = base / "preprocessed" / DATASET / yardstick.STORED
    for where in (folder, stored):
        if len(list(where.glob("*[0-9].b2nd"))) != CASES:
            sys.exit(f"{where} does not hold {CASES} cases: the comparison means nothing.")
    found["nnunet"] = {
        "seconds": theirs.seconds,
        "worker_mb": theirs.worker_mb,
        "bytes": _bytes(stored, "*"),
        "image_bytes": _bytes(stored, "*[0-9].b2nd"),
        "version": yardstick.version(),
    }
    return found


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
        "start of the command, planning left out. float32 is the size of disanat's arrays "
        "uncompressed.",
        "",
        markdown_table(rows),
    ]
    if theirs is None:
        return [*said, "", yardstick.ABSENT]
    return [
        *said,
        "",
        f"disanat prepares **{theirs['seconds'] / ours['seconds']:.1f} times** as many cases a "
        f"minute as nnU-Net {theirs['version']}, with {ours['worker_mb'] / theirs['worker_mb']:.2f}"
        " times its memory. Both resample scans by cubic interpolation. nnU-Net resamples label "
        "maps by linear interpolation of each class, disanat by nearest neighbour; disanat also "
        "tells mixed tissues from pure ones, which is part of its time.",
    ]
