"""nnU-Net's own planning of the same dataset."""

from __future__ import annotations

import json
from importlib.metadata import distributions
from pathlib import Path

from speed_data import DATASET, NUMBER
from speed_runs import NNUNET, Run, nnunet
from steps import ROOT

__all__ = ["ABSENT", "PLANS", "STORED", "plan", "prepare", "untrained", "version"]

PLANS = "nnUNetPlans_speed"
STORED = f"{PLANS}_3d_fullres"
ABSENT = (
    "nnU-Net was not there, so nothing is beside it. `python -m venv /tmp/nnunet_venv && "
    "/tmp/nnunet_venv/bin/pip install -c constraints.txt 'nnunetv2>=2.5.1'` installs it apart from "
    "disanat (NNUNET_VENV names another folder)."
)


def plan(base: Path, mm: float) -> None:
    """Fingerprint and default plan (8 GB), for a target spacing of `mm`."""
    if (base / "preprocessed" / DATASET / f"{PLANS}.json").exists():
        return
    nnunet(
        "nnUNetv2_plan_and_preprocess",
        base,
        *("-d", NUMBER, "--no_pp", "-c", "3d_fullres", "-npfp", "2"),
        *("-overwrite_target_spacing", *[f"{mm:g}"] * 3, "-overwrite_plans_name", PLANS),
    )


def prepare(base: Path, processes: int) -> Run:
    """Its preprocessing for that plan."""
    return nnunet(
        "nnUNetv2_preprocess",
        base,
        *("-d", NUMBER, "-plans_name", PLANS, "-c", "3d_fullres", "-np", str(processes)),
    )


def untrained(base: Path, configuration: str) -> dict[str, object]:
    """A model folder with random weights; returns its patch size and spacing."""
    if not (base / "preprocessed" / DATASET / STORED).is_dir():
        prepare(base, 2)
    script = ROOT / "benchmarks" / "speed_nnunet.py"
    done = nnunet("python", base, script, DATASET, PLANS, configuration)
    return dict(json.loads(done.said.strip().splitlines()[-1]))


def version() -> str:
    """As installed."""
    places = [str(path) for path in NNUNET.glob("lib/*/site-packages")]
    return next((one.version for one in distributions(path=places, name="nnunetv2")), "?")
