"""From a raw dataset to its fingerprint and plan, on disk."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from disanat.errors import DatasetError, PlanError
from disanat.home import BOOKS, Home, read_json, write_json
from disanat.io.dataset import RawDataset
from disanat.plans import (
    BrainMaskTool,
    CaseFingerprint,
    Fingerprint,
    NumberFormat,
    Plans,
    load_json,
    save_json,
)
from disanat.preprocessing.brain_tools import require_tool
from disanat.preprocessing.parallel import Processes
from planning.fingerprint import fingerprint_dataset, kept_measures
from planning.memory import default_memory
from planning.planner import CONFIGURATIONS, Overrides, plan
from planning.prior import Encoder
from planning.sizing import Device

__all__ = ["PLANS", "Request", "plan_dataset", "required_tool", "shipped_encoder"]

_log = logging.getLogger(__name__)

_MEASURED = f"{BOOKS}/measured"
"""Folder for what is measured of each case until the fingerprint of all is written."""
PLANS = "plans.json"


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    gpu_memory_gb: float | None
    configurations: tuple[str, ...]
    processes: Processes
    progress: bool
    overrides: Overrides = field(default_factory=Overrides)
    plans_name: str = ""


def plan_dataset(home: Home, raw: RawDataset, settings: Request) -> Plans:
    """Measure the dataset, plan, and write `dataset_fingerprint.json` and `plans.json`.

    Raises:
        DisanatError: as `planning.plan`.
    """
    folder = home.plans_folder(raw.name, settings.plans_name)
    device, memory = _machine(settings.gpu_memory_gb)
    unknown = [name for name in settings.configurations if name not in CONFIGURATIONS]
    if unknown:
        raise PlanError(
            f"There is no configuration '{unknown[0]}': use {' or '.join(CONFIGURATIONS)}."
        )
    source = home.preprocessed / raw.name / "dataset_fingerprint.json"
    measured = home.preprocessed / raw.name / _MEASURED
    former = (*_measured(source), *kept_measures(measured))
    tool = required_tool(settings.overrides)
    fingerprint = fingerprint_dataset(
        raw, settings.processes, settings.progress, former, tool, measured
    )
    names = [n for n in CONFIGURATIONS if n in {*settings.configurations, *_planned(folder)}]
    given, shipped = settings.gpu_memory_gb is not None, shipped_encoder()
    plans = plan(
        fingerprint,
        raw.label_mapping,
        device=device,
        memory_gb=memory,
        number_format=_number_format(device),
        configurations=names,
        overrides=replace(settings.overrides, memory_given=given),
        name=settings.plans_name,
        encoder=shipped,
    )
    if plans.prior == "atlas" and shipped is None:
        _log.info("No model ships that sees anatomies: the atlas is registered by intensity.")
    save_json(fingerprint, source)
    shutil.rmtree(measured, ignore_errors=True)
    declared = read_json(raw.folder / "dataset.json", DatasetError, "write it again")
    write_json(declared, home.preprocessed / raw.name / "dataset.json")
    save_json(plans, folder / PLANS)
    _log.info("Wrote %s", folder / PLANS)
    return plans


def _machine(gpu_memory_gb: float | None) -> tuple[Device, float]:
    return ("cuda", gpu_memory_gb) if gpu_memory_gb is not None else default_memory()


def _number_format(device: Device) -> NumberFormat:
    """Every GPU of recent years has bfloat16; of this machine's CPU we ask."""
    from disanat.networks.precision import native_format  # only here: torch is slow

    return "bfloat16" if device == "cuda" else native_format(device)


def _measured(source: Path) -> tuple[CaseFingerprint, ...]:
    if not source.exists():
        return ()
    try:
        return load_json(source, Fingerprint, PlanError, "all cases are measured again").cases
    except PlanError as cause:
        _log.warning("%s", cause)
        return ()


def _planned(folder: Path) -> tuple[str, ...]:
    """What was planned before and is planned again; 3d_lowres only if it is asked for."""
    if not (folder / PLANS).exists():
        return ()
    try:
        former = load_json(folder / PLANS, Plans).configurations
        return tuple(name for name in former if name != "3d_lowres")
    except PlanError as cause:
        _log.warning("The former plan is replaced: %s", cause)
        return ()


def shipped_encoder() -> Encoder | None:
    """The anatomy encoder of the model that ships with disanat; None without one.

    Raises:
        ModelError: its description is damaged.
    """
    from disanat.inference.bundled import bundled_model

    shipped = bundled_model()
    if shipped is None:
        return None
    trained = f"{shipped.method} on {shipped.dataset}, {shipped.finished}"
    return Encoder(shipped.classes, trained)


def required_tool(overrides: Overrides) -> BrainMaskTool:
    """What finds the brain in whole heads; it must be there before any case is read.

    Raises:
        PlanError: it is not installed.
    """
    tool = overrides.brain_mask_tool or "extractor"
    require_tool(tool)
    return tool
