"""Prediction of a whole folder: one bad case is reported, the others are still predicted."""

from __future__ import annotations

import glob
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError
from disanat.home import write_json
from disanat.inference.bundled import is_bundled
from disanat.inference.in_order import in_order
from disanat.inference.inputs import check_dicom, input_cases, named_channels
from disanat.inference.made_by import command_line, commit, versions
from disanat.inference.model import DESCRIPTION, finished
from disanat.inference.prediction import Prediction
from disanat.inference.predictor import Predictor
from disanat.inference.records import (
    CaseRow,
    Table,
    done_before,
    forget,
    keep,
    made_from,
)
from disanat.io.cases import Case, find_brain_mask
from disanat.io.content import file_digest, image_digest
from disanat.locks import hold
from disanat.preprocessing.alignment import AlignedChannel

__all__ = ["CaseRow", "predict_folder"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Work:
    """What is the same for all cases of one prediction."""

    predictor: Predictor
    target: Path
    extras: tuple[str, ...]
    brain_masks: Path | None
    channel_names: dict[int, str]
    register: bool
    settings: str
    """Stands for the model and all settings."""

    def made_from(self, scans: Mapping[int, str], mask: Path | None) -> str:
        """Stands for all that the prediction of a case depends on; scans by their digests."""
        return made_from(
            {
                "settings": self.settings,
                "channels": scans,
                "brain_mask": None if mask is None else image_digest(mask),
            }
        )


def predict_folder(
    predictor: Predictor,
    source: Path,
    target: Path,
    extras: tuple[str, ...] = ("phi",),
    channels: list[int] | None = None,
    brain_masks: Path | None = None,
    part: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    register: bool = False,
    channel_names: Sequence[str] = (),
    at_once: int = 2,
) -> list[CaseRow]:
    """Predict every case of a folder (or a single file) and write all results.

    A case that was predicted from the same files, by the same model with the same settings, and
    whose results are still as they were written, is kept: what was interrupted goes on.

    Args:
        predictor: with its model.
        source: folder or file.
        target: output folder, made if need be.
        extras: which further images to write (see `Prediction.save`).
        channels: use only these channels; all by default.
        brain_masks: folder of the user's own masks, CASE_brainmask.nii.gz or CASE.nii.gz; a case
            without one is masked as the plan says.
        part: number of the part to predict, and of how many; several processes, each with its own
            part, fill one folder and one table.
        overwrite: predict again what is there.
        register: bring channels on other grids onto that of the first; else they are refused.
        channel_names: what the channels are called, in the order of their numbers.
        at_once: cases in work at a time: with 2, one is read, prepared, scored and written while
            the networks work on the other; with 1 half the memory is enough. The results are the
            same.

    Returns:
        One row per case of the part, those that failed with status `failed` and a message.

    Raises:
        DatasetError: there is no case, input and output folder are the same, or there is no
            folder of masks.
        BusyError: another process predicts into the folder, or the same part.
    """
    cases = input_cases(source, channels)
    if brain_masks is not None and not brain_masks.is_dir():
        raise DatasetError(
            f"{brain_masks} is not a folder: give the folder of brain masks with --brain_masks."
        )
    if source.resolve() == target.resolve():
        raise DatasetError(f"{target} is the input folder: give another folder with -o.")
    named = named_channels(cases, channel_names)
    check_dicom(cases, extras)
    settings = made_from(
        {
            "model": file_digest(predictor.model.folder / DESCRIPTION),
            "brain_mask_tool": predictor.model.plans.brain_mask_tool,
            "threshold": predictor.threshold,
            "extras": sorted(extras),
            **({"register": True} if register else {}),
            **({"fast": True} if predictor.fast else {}),
            **({"channel_names": list(channel_names)} if channel_names else {}),
        }
    )
    work = _Work(predictor, target, extras, brain_masks, named, register, settings)
    names = [case.name for case in cases]
    number, parts = part
    with _held(target, number, parts):
        _describe(predictor, source, target, channels, brain_masks, channel_names, register)
        table = Table(target, names, settings, alone=parts == 1)
        rows, kept, own = [], 0, cases[number::parts]
        with closing(in_order(partial(_predict_one, work, overwrite), own, at_once)) as found:
            bar = tqdm(found, total=len(own), desc="predicting", unit="case", disable=None)
            for row, before in bar:
                kept += before
                rows.append(row)
                table.add(row)
        table.finish()
    if kept:
        log.info(
            "%d of %d cases were predicted before from the same files, with the same model and "
            "settings: kept (--overwrite predicts them again).",
            kept,
            len(rows),
        )
    return rows


@contextmanager
def _held(target: Path, number: int, parts: int) -> Iterator[None]:
    """Hold the folder, or this part of the work in it beside those who do the others."""
    with ExitStack() as stack:
        stack.enter_context(hold(target, "predicting", shared=parts > 1))
        if parts > 1:
            stack.enter_context(hold(target, "predicting", part=f"{number}_of_{parts}"))
        yield


def _describe(
    predictor: Predictor,
    source: Path,
    target: Path,
    channels: list[int] | None,
    brain_masks: Path | None,
    channel_names: Sequence[str] = (),
    register: bool = False,
) -> None:
    model = predictor.model
    write_json(
        {
            "schema_version": 1,
            "input": str(source.absolute()),
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
            "channel_names": list(channel_names),
            "register": register,
            "fast": predictor.fast,
            "command": command_line(),
            "commit": commit(),
            "versions": versions(),
        },
        target / "prediction.json",
    )


def _predict_one(work: _Work, overwrite: bool, case: Case) -> tuple[CaseRow, bool]:
    """The row of a case, and whether it was there before."""
    began = time.monotonic()
    target = work.target
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
        forget(target, case.name)
        _remove_outputs(case.name, target)
        more = {"register": True} if work.register else {}
        prediction = work.predictor.predict_case(case, mask, **more)
        files = prediction.save(target, case.name, work.extras)
    except DisanatError as mistake:
        log.warning("case %s failed: %s", case.name, mistake)
        _remove_outputs(case.name, target)
        row = CaseRow(case.name, "failed", message=str(mistake))
        keep(target, row, work.settings)
        return row, False
    row = _row(case, prediction, time.monotonic() - began, work.channel_names)
    keep(target, row, work.settings, source, files, prediction.lesions, scans)
    return row, False


def _row(
    case: Case, prediction: Prediction, seconds: float, names: Mapping[int, str]
) -> CaseRow:
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
        channel_names=" ".join(names[number] for number in case.channels if number in names),
        registration=";".join(_told(one) for one in prediction.registration),
        seconds=round(seconds, 2),
    )


def _told(one: AlignedChannel) -> str:
    return (
        f"channel {one.channel}: {one.shift_mm:.1f} mm {one.turn_deg:.1f} deg information "
        f"{one.information_before:.2f} to {one.information_after:.2f} spread {one.spread_mm:.1f} "
        f"mm covered {one.covered:.2f}"
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
    (target / f"{case}_seg.dcm").unlink(missing_ok=True)
    for kind in ("phi", "filled"):
        for path in target.glob(f"{glob.escape(case)}_[0-9][0-9][0-9][0-9]_{kind}.nii.gz"):
            path.unlink()
