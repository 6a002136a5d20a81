"""Prediction: a folder with and without overlap, beside nnU-Net, fast, and before and after."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import speed_nnunet_plan as yardstick
from disanat.inference.bundled import bundled_folder
from disanat.networks.precision import native_format
from disanat.reporting.markdown import markdown_table
from speed_child import PROFILED
from speed_data import QUICK, VOLUMES, WORK, dataset, volumes
from speed_runs import Run, child, nnunet, nnunet_is_there, run
from steps import ROOT

__all__ = [
    "measure",
    "measure_beside",
    "measure_profiles",
    "page",
    "page_beside",
    "page_profiles",
]

FOLDERS = ((1, 2),) if QUICK else ((1, 12), (4, 3))
"""Channels, and cases in the folder."""
WAYS = {
    "one at a time": {"at_once": 1, "fast": False},
    "overlapping": {"at_once": 2, "fast": False},
    "overlapping, --fast": {"at_once": 2, "fast": True},
}
COMMAND = "import sys; from disanat.cli.predict import main; sys.exit(main(sys.argv[1:]))"
BEFORE = "9669af2"
"""The last commit without any of it."""
NNUNET_MM = 2.0
MM = min(VOLUMES.values())
ROUNDS = 1 if QUICK else 3


def measure() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, mm in VOLUMES.items():
        for channels, cases in FOLDERS:
            scans = volumes(mm, channels, cases)
            for way, how in WAYS.items():
                key = f"{name}, {channels} channel{'s' * (channels > 1)}"
                found.setdefault(key, {})[way] = _predicted(scans, **how)
    return found


def _predicted(scans: Path, at_once: int, fast: bool) -> dict[str, Any]:
    model, out = str(bundled_folder()), WORK / "predicted"
    shutil.rmtree(out, ignore_errors=True)
    return child(
        "predict", model=model, scans=str(scans), out=str(out), at_once=at_once, fast=fast
    )


def page(found: dict[str, Any]) -> list[str]:
    rows = []
    for volume, ways in found.items():
        plain = ways["one at a time"]
        for way, one in ways.items():
            rows.append(
                {
                    "volume": volume,
                    "": way,
                    "cases": str(one["cases"]),
                    "cases a minute": f"{60 * one['cases'] / one['seconds']:.1f}",
                    "times as fast": f"{plain['seconds'] / one['seconds']:.2f}",
                    "networks at work": f"{one['network_s'] / one['seconds']:.0%}",
                    "processor s a case": f"{one['cpu_s'] / one['cases']:.1f}",
                    "peak MB": f"{one['peak_mb']:.0f}",
                }
            )
    return [
        "A folder of copies of one stripped volume, NIfTI in to mask, score and PHI out, by the "
        "shipped model, after start-up. *Networks at work*: the share of the time in which a "
        "network runs.",
        "",
        markdown_table(rows),
    ]


def measure_beside() -> dict[str, Any]:
    """One volume by both commands in turn, start-up included; untrained weights for nnU-Net."""
    if not nnunet_is_there():
        return {}
    scans, base = volumes(MM, 1, 1), dataset()[1]
    out = WORK / "beside"
    shutil.rmtree(out, ignore_errors=True)
    yardstick.plan(base, NNUNET_MM)
    network = yardstick.untrained(base, "3d_fullres")
    ours: list[str | Path] = [sys.executable, "-c", COMMAND, "-i", scans, "--overwrite"]
    ours += ["-m", "pretrained", "--home", WORK / "home", "--device", "cpu"]
    runs: dict[str, list[Run]] = {"disanat": [], "disanat --fast": [], "nnU-Net": []}
    for _ in range(ROUNDS):
        runs["disanat"].append(run([*ours, "-o", out / "disanat"]))
        runs["disanat --fast"].append(run([*ours, "-o", out / "fast", "--fast"]))
        theirs = nnunet(
            "nnUNetv2_predict",
            base,
            *("-i", scans, "-o", out / "nnunet", "-d", "901", "-c", "3d_fullres", "-f", "0"),
            *("-p", yardstick.PLANS, "-device", "cpu", "-npp", "1", "-nps", "1"),
        )
        runs["nnU-Net"].append(theirs)
    for name in ("disanat", "fast", "nnunet"):
        if not (out / name / "case0.nii.gz").exists():
            sys.exit(f"{out / name} holds no prediction: the comparison means nothing.")
    return {
        "seconds": {who: [one.seconds for one in those] for who, those in runs.items()},
        "peak_mb": {who: max(one.peak_mb for one in those) for who, those in runs.items()},
        "network": network,
        "version": yardstick.version(),
        "format": native_format("cpu"),
    }


def page_beside(found: dict[str, Any]) -> list[str]:
    if not found:
        return [yardstick.ABSENT]
    seconds, peak, plan = found["seconds"], found["peak_mb"], found["network"]
    theirs = np.array(seconds["nnU-Net"])
    rows = [
        {
            "": who,
            "times as fast": f"{theirs.min() / min(own):.1f}",
            "in each round": ", ".join(f"{ratio:.1f}" for ratio in theirs / np.array(own)),
            "peak MB of its largest process": f"{peak[who]:.0f}",
        }
        for who, own in seconds.items()
    ]
    return [
        f"One channel of one volume of {MM:g} mm, by the whole commands with their start, in turn; "
        "the quickest run of each counts.",
        "",
        markdown_table(rows),
        "",
        f"nnU-Net {found['version']} runs its default 3d_fullres plan (8 GB) of the training set "
        f"above, patches of {'x'.join(map(str, plan['patch']))} at {plan['spacing'][0]:g} mm, "
        "mirrored along all axes, one process each for preparing and exporting; its weights are "
        "untrained, which does not change its time. disanat runs the shipped model, planned for "
        f"the same spacing; with `--fast` its networks calculate in {found['format']} here.",
    ]


def _earlier() -> Path | None:
    """The code as it was at `BEFORE`, or None where its history is not at hand."""
    target = WORK / f"before_{BEFORE}"
    if not target.is_dir():
        packed = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True)
        if packed.returncode:
            return None
        target.mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", target], input=packed.stdout, check=True)
    return target


def measure_profiles() -> dict[str, Any]:
    """Where one thread's time goes in a folder, in both states of the code."""
    before = _earlier()
    if before is None:
        return {}
    given = {"model": str(bundled_folder()), "scans": str(volumes(MM, 1, 2))}
    given["out"] = str(WORK / "profiled")
    found = {}
    for name, code, how in (("before", before, {}), ("after", ROOT, {"at_once": 1})):
        shutil.rmtree(WORK / "profiled", ignore_errors=True)
        found[name] = child("profile", code, **given, **how)
    return found


def page_profiles(found: dict[str, Any]) -> list[str]:
    if not found:
        return [f"Not measured: commit {BEFORE} is not at hand."]
    before, after = (found[state]["seconds"] for state in ("before", "after"))
    whole = PROFILED[-1][1]
    rows = [
        {
            "function": f"`{name}` of {file}",
            "share before": f"{before[name] / before[whole]:.0%}",
            "share after": f"{after[name] / after[whole]:.0%}",
            "time, after / before": f"{after[name] / before[name]:.2f}",
        }
        for file, name in PROFILED
    ]
    rows.sort(key=lambda row: float(row["time, after / before"]))
    return [
        f"Two cases of {MM:g} mm with one channel, one after the other: the main thread's own time "
        f"at commit {BEFORE} (before) and now (after), what a function calls included.",
        "",
        markdown_table(rows),
    ]
