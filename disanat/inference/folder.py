"""Prediction of a whole folder: one bad case is reported, the others are still predicted."""

from __future__ import annotations

import csv
import glob
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError
from disanat.home import atomic_path, write_json
from disanat.inference.bundled import is_bundled
from disanat.inference.model import finished
from disanat.inference.predictor import Prediction, Predictor, input_cases
from disanat.io.cases import Case, find_brain_mask

__all__ = ["CaseRow", "predict_folder"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseRow:
    """One row of `predictions.csv`."""

    case: str
    status: str
    channels: str = ""
    contrasts: str = ""
    threshold: float | None = None
    brain_volume_ml: float | None = None
    lesion_volume_ml: float | None = None
    case_score: float | None = None
    case_p: float | None = None
    case_p_resolution: float | None = None
    flags: str = ""
    seconds: float | None = None
    message: str = ""


def predict_folder(
    predictor: Predictor,
    source: Path,
    target: Path,
    extras: tuple[str, ...] = ("phi",),
    channels: list[int] | None = None,
    brain_masks: Path | None = None,
) -> list[CaseRow]:
    """Predict every case of a folder (or a single file) and write all results.

    Args:
        predictor: with its model.
        source: folder or file.
        target: output folder, made if need be.
        extras: which further images to write (see `Prediction.save`).
        channels: use only these channels; all by default.
        brain_masks: folder of the user's own masks, CASE_brainmask.nii.gz or CASE.nii.gz; a case
            without one is masked as the plan says.

    Returns:
        One row per case, those that failed with status `failed` and a message.

    Raises:
        DatasetError: there is no case, input and output folder are the same, or there is no
            folder of masks.
    """
    cases = input_cases(source, channels)
    if brain_masks is not None and not brain_masks.is_dir():
        raise DatasetError(
            f"{brain_masks} is not a folder: give the folder of brain masks with --brain_masks."
        )
    if source.resolve() == target.resolve():
        raise DatasetError(f"{target} is the input folder: give another folder with -o.")
    target.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in tqdm(cases, desc="predicting", unit="case", disable=None):
        rows.append(_predict_one(predictor, case, target, extras, brain_masks))
        _write_table(rows, target)
    model = predictor.model
    write_json(
        {
            "schema_version": 1,
            "model": str(model.folder),
            "bundled": is_bundled(model.folder),
            "finished": finished(model.folder),
            "method": model.method.name,
            "configuration": model.configuration.name,
            "dataset": model.plans.dataset,
            "threshold": predictor.threshold,
            "threshold_choice": predictor.threshold_choice,
            "channels": channels,
            "brain_mask_tool": model.plans.brain_mask_tool,
            "brain_masks": None if brain_masks is None else str(brain_masks),
        },
        target / "prediction.json",
    )
    return rows


def _predict_one(
    predictor: Predictor,
    case: Case,
    target: Path,
    extras: tuple[str, ...],
    brain_masks: Path | None,
) -> CaseRow:
    began = time.monotonic()
    _remove_outputs(case.name, target)
    try:
        if not case.channels:
            raise DatasetError(
                f"Case {case.name} has none of the channels asked for: leave it out, or change "
                "--use_channels."
            )
        prediction = predictor.predict_case(case, _users_mask(case, brain_masks))
        prediction.save(target, case.name, extras)
    except DisanatError as mistake:
        log.warning("case %s failed: %s", case.name, mistake)
        return CaseRow(case.name, "failed", message=str(mistake))
    _warn(case.name, prediction)
    p = prediction.case_p
    return CaseRow(
        case=case.name,
        status="ok",
        channels=" ".join(map(str, case.channels)),
        contrasts=" ".join(prediction.contrasts.values()),
        threshold=round(prediction.threshold, 4),
        brain_volume_ml=round(prediction.brain_ml, 1),
        lesion_volume_ml=round(prediction.lesion_ml, 3),
        case_score=round(prediction.case_score, 4),
        case_p=round(p.value, 4) if p else None,
        case_p_resolution=round(p.resolution, 4) if p else None,
        flags=";".join(prediction.flags),
        seconds=round(time.monotonic() - began, 2),
    )


def _warn(case: str, prediction: Prediction) -> None:
    if prediction.flags:
        odd = ", ".join(flag.split(":")[-1].replace("_", " ") for flag in prediction.flags)
        log.warning(
            "Case %s is unlike the scans of the training (%s): look at it before you trust its "
            "results.",
            case,
            odd,
        )


def _users_mask(case: Case, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    mask = find_brain_mask(folder, case.name)
    if mask is None:
        log.warning("case %s has no mask in %s: its brain is found as planned.", case.name, folder)
    return mask


def _remove_outputs(case: str, target: Path) -> None:
    """Results of an earlier prediction must not outlive a failure of this one."""
    for ending in ("", "_anomaly", "_brainmask", "_anatomy", "_edges"):
        (target / f"{case}{ending}.nii.gz").unlink(missing_ok=True)
    for phi in target.glob(f"{glob.escape(case)}_[0-9][0-9][0-9][0-9]_phi.nii.gz"):
        phi.unlink()


def _write_table(rows: Sequence[CaseRow], target: Path) -> None:
    with (
        atomic_path(target / "predictions.csv") as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as handle,
    ):
        writer = csv.DictWriter(handle, [f.name for f in fields(CaseRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
