"""What the prediction of a folder does with one case: keep it, predict it, or say why not."""

from __future__ import annotations

import glob
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError, DisanatError
from disanat.inference.bids import (
    sidecar_path,
    write_sidecars,
)
from disanat.inference.layout import CHANNEL_KINDS, KINDS, Layout, Output
from disanat.inference.prediction import Prediction
from disanat.inference.predictor import Predictor
from disanat.inference.records import (
    CaseRow,
    done_before,
    files_of,
    forget,
    keep,
    made_from,
)
from disanat.inference.registering import Route
from disanat.inference.sent import SentPredictor
from disanat.io.cases import Case, find_brain_mask
from disanat.io.content import image_digest

__all__ = ["Work", "predict_one"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What is the same for all cases of one prediction."""

    predictor: Predictor | SentPredictor
    target: Path
    extras: tuple[str, ...]
    brain_masks: Path | None
    channel_names: dict[int, str]
    register: Route | None
    settings: str
    """Stands for the model and all settings."""
    layout: Layout
    facts: Mapping[str, Any]
    """What prediction.json says."""

    def made_from(self, scans: Mapping[int, str], mask: Path | None) -> str:
        """Stands for all that the prediction of a case depends on; scans by their digests."""
        return made_from(
            {
                "settings": self.settings,
                "channels": scans,
                "brain_mask": None if mask is None else image_digest(mask),
            }
        )


def predict_one(work: Work, case: Case, overwrite: bool) -> tuple[CaseRow, bool]:
    """The row of a case, and whether it was there before."""
    began = time.monotonic()
    target = work.target
    begun: list[Path] = []
    try:
        if not case.channels:
            raise DatasetError(
                f"Case {case.name} has none of the channels asked for: leave it out, or change "
                "--use_channels."
            )
        mask = _users_mask(case, work.brain_masks)
        scans = {number: image_digest(path) for number, path in case.channels.items()}
        source = work.made_from(scans, mask)
        before = None if overwrite else done_before(target, case.name, source)
        if before is not None:
            return before, True
        _remove_outputs(case.name, target, work.layout)
        forget(target, case.name)
        more = {"register": work.register} if work.register else {}
        prediction = work.predictor.predict_case(case, mask, **more)
        outputs = prediction.outputs(case.name, work.extras, work.layout, work.channel_names)
        begun = [target / output.path for output in outputs]
        files = _save(work, case, prediction, outputs)
    except DisanatError as mistake:
        log.warning("case %s failed: %s", case.name, mistake)
        _remove_outputs(case.name, target, work.layout, begun)
        row = CaseRow(case.name, "failed", message=str(mistake))
        keep(target, row, work.settings)
        return row, False
    row = _row(case, prediction, time.monotonic() - began, work.channel_names)
    keep(target, row, work.settings, source, files, prediction.lesions, scans)
    return row, False


def _save(
    work: Work, case: Case, prediction: Prediction, outputs: Sequence[Output]
) -> list[Path]:
    """Write the images of a case and, in BIDS, what stands beside each."""
    names = work.channel_names
    files = prediction.save(work.target, case.name, work.extras, work.layout, names)
    if work.layout.bids:
        channels = prediction.channels(names)
        files += write_sidecars(work.target, case, prediction, outputs, channels, work.facts)
    return files


def _row(
    case: Case, prediction: Prediction, seconds: float, names: Mapping[int, str]
) -> CaseRow:
    _warn(case.name, prediction)
    p, peak = prediction.case_p, prediction.peak_threshold
    return CaseRow(
        case=case.name,
        status="ok",
        channels=" ".join(map(str, case.channels)),
        contrasts=" ".join(prediction.contrasts.values()),
        threshold=round(prediction.threshold, 4),
        peak_threshold=None if peak is None else round(peak, 4),
        brain_volume_ml=round(prediction.brain_ml, 1),
        lesion_volume_ml=round(prediction.lesion_ml, 3),
        case_score=round(prediction.case_score, 4),
        case_p=round(p.value, 4) if p else None,
        case_p_resolution=round(p.resolution, 4) if p else None,
        flags=";".join(prediction.flags),
        channel_names=" ".join(names[number] for number in case.channels if number in names),
        registration=";".join(
            f"channel {one.channel}: {one.told}" for one in prediction.registration
        ),
        seconds=round(seconds, 2),
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


def _remove_outputs(
    case: str, target: Path, layout: Layout, begun: Sequence[Path] = ()
) -> None:
    """Results of an earlier prediction must not outlive a failure of this one."""
    if layout.bids:  # their names hang on what was found: only the record knows them
        for path in (*files_of(target, case), *begun, *map(sidecar_path, begun)):
            path.unlink(missing_ok=True)
        return
    for kind in KINDS:
        (target / layout.path(case, kind)).unlink(missing_ok=True)
    for kind in CHANNEL_KINDS:
        for path in target.glob(f"{glob.escape(case)}_[0-9][0-9][0-9][0-9]_{kind}.nii.gz"):
            path.unlink()
