"""Prediction of a whole folder: one bad case is reported, the others are still predicted."""

from __future__ import annotations

import glob
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError
from disanat.home import remove_temporaries, write_json
from disanat.inference.bids import (
    check_layout,
    describe_dataset,
    sidecar_path,
    write_sidecars,
)
from disanat.inference.case_list import write_case_list
from disanat.inference.inputs import check_dicom, input_cases, named_channels
from disanat.inference.layout import BIDS, CHANNEL_KINDS, FLAT, KINDS, Layout, Output
from disanat.inference.made_by import prediction_facts
from disanat.inference.model import DESCRIPTION
from disanat.inference.prediction import Prediction
from disanat.inference.predictor import Predictor
from disanat.inference.records import (
    CaseRow,
    Table,
    done_before,
    files_of,
    forget,
    keep,
    made_from,
)
from disanat.inference.registering import Route, placing
from disanat.inference.sent import SentPredictor
from disanat.io.cases import Case, find_brain_mask
from disanat.io.content import file_digest, image_digest
from disanat.locks import hold
from disanat.preprocessing.parallel import Elsewhere, each_result

__all__ = ["CaseRow", "predict_folder"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Work:
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


def predict_folder(
    predictor: Predictor,
    source: Path,
    target: Path,
    extras: tuple[str, ...] = ("phi",),
    channels: list[int] | None = None,
    brain_masks: Path | None = None,
    part: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    register: Route | None = None,
    channel_names: Sequence[str] = (),
    bids: bool = False,
    cluster: Elsewhere | None = None,
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
        register: bring channels on other grids onto that of the first, by their `anatomy`, by
            `intensity`, or by `both` in turn; refused if not given.
        channel_names: what the channels are called, in the order of their numbers.
        bids: lay the results out as BIDS derivatives.
        cluster: whose workers predict, a task for each case; they see the same folders.

    Returns:
        One row per case of the part, those that failed with status `failed` and a message.

    Raises:
        DatasetError: there is no case, input and output folder are the same, there is no folder of
            masks, or the output folder is laid out otherwise.
        ModelError: `register` needs the model that ships with disanat, and there is none.
        BusyError: another process predicts into the folder, or the same part.
    """
    if cluster is not None:  # its workers stand in other folders
        source, target = source.absolute(), target.absolute()
        brain_masks = None if brain_masks is None else brain_masks.absolute()
    cases = input_cases(source, channels)
    if brain_masks is not None and not brain_masks.is_dir():
        raise DatasetError(
            f"{brain_masks} is not a folder: give the folder of brain masks with --brain_masks."
        )
    if source.resolve() == target.resolve():
        raise DatasetError(f"{target} is the input folder: give another folder with -o.")
    named = named_channels(cases, channel_names)
    check_dicom(cases, extras)
    layout = BIDS if bids else FLAT
    check_layout(target, layout, cases)
    if register:
        placing(register)  # before the first case, should no model ship that it needs
    settings = made_from(
        {
            "model": file_digest(predictor.model.folder / DESCRIPTION),
            "brain_mask_tool": predictor.model.plans.brain_mask_tool,
            "threshold": predictor.threshold,
            "extras": sorted(extras),
            **({"register": register} if register else {}),
            **({"channel_names": list(channel_names)} if channel_names else {}),
            **({"bids": True} if bids else {}),
        }
    )
    facts = prediction_facts(
        predictor, source, channels, brain_masks, channel_names, register
    )
    who = predictor if cluster is None else SentPredictor.of(predictor)
    work = _Work(
        who, target, extras, brain_masks, named, register, settings, layout, facts
    )
    names = [case.name for case in cases]
    number, parts = part
    with _held(target, number, parts):
        write_json(facts, target / "prediction.json")
        if bids:
            describe_dataset(target, cases, facts)
        table = Table(target, names, settings, alone=parts == 1)
        rows, kept = [], 0
        jobs = [(work, case, overwrite) for case in cases[number::parts]]
        own = [case.name for _, case, _ in jobs]
        done = each_result(_predict_one, jobs, cluster or 0, own)
        for row, before in tqdm(
            done, desc="predicting", unit="case", disable=None, total=len(jobs)
        ):  # fmt: skip
            kept += before
            rows.append(row)
            table.add(row)
            if cluster is not None and row.status == "failed":  # the worker alone has said it
                log.warning("case %s failed: %s", row.case, row.message)
        if cluster is not None and parts == 1:
            remove_temporaries(target)  # of workers that were lost
        places = {name: place for place, name in enumerate(own)}
        rows.sort(key=lambda row: places[row.case])
        table.finish(lambda records: write_case_list(target, records, layout))
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


def _predict_one(work: _Work, case: Case, overwrite: bool) -> tuple[CaseRow, bool]:
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
    work: _Work, case: Case, prediction: Prediction, outputs: Sequence[Output]
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
