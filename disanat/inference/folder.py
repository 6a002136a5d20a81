"""Prediction of a whole folder: one bad case is reported, the others are still predicted."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tqdm import tqdm

from disanat.errors import DatasetError
from disanat.home import remove_temporaries, write_json
from disanat.inference.bids import (
    check_layout,
    describe_dataset,
)
from disanat.inference.case_list import write_case_list
from disanat.inference.in_order import in_order
from disanat.inference.inputs import check_dicom, input_cases, named_channels
from disanat.inference.layout import BIDS, FLAT
from disanat.inference.made_by import prediction_facts
from disanat.inference.model import DESCRIPTION
from disanat.inference.one_case import Work, predict_one
from disanat.inference.predictor import Predictor
from disanat.inference.records import (
    CaseRow,
    Table,
    made_from,
)
from disanat.inference.registering import Route, placing
from disanat.inference.sent import SentPredictor
from disanat.io.cases import Case
from disanat.io.content import file_digest
from disanat.locks import hold
from disanat.preprocessing.parallel import Elsewhere, each_result, part_of_the_cores

__all__ = ["CaseRow", "predict_folder"]

log = logging.getLogger(__name__)


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
        register: bring channels on other grids onto that of the first, by their `anatomy`, by
            `intensity`, or by `both` in turn; refused if not given.
        channel_names: what the channels are called, in the order of their numbers.
        bids: lay the results out as BIDS derivatives.
        cluster: whose workers predict, a task for each case; they see the same folders.
        at_once: cases in work at a time: with 2, one is read, prepared, scored and written while
            the networks work on the other; with 1 half the memory is enough. The results are the
            same.

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
            "threshold": predictor.mask_rule.threshold,
            "threshold_choice": predictor.threshold_choice,
            "extras": sorted(extras),
            **({"register": register} if register else {}),
            **({"fast": True} if predictor.fast else {}),
            **({"channel_names": list(channel_names)} if channel_names else {}),
            **({"bids": True} if bids else {}),
        }
    )
    facts = prediction_facts(
        predictor, source, channels, brain_masks, channel_names, register
    )
    who = predictor if cluster is None else SentPredictor.of(predictor)
    work = Work(
        who, target, extras, brain_masks, named, register, settings, layout, facts
    )
    names = [case.name for case in cases]
    number, parts = part
    with _held(target, number, parts):
        write_json(facts, target / "prediction.json")
        if bids:
            describe_dataset(target, cases, facts)
        table = Table(target, names, settings, alone=parts == 1)
        own = cases[number::parts]
        places = {case.name: place for place, case in enumerate(own)}
        rows, kept = [], 0
        with closing(_done(work, own, overwrite, at_once, cluster)) as found:
            bar = tqdm(found, total=len(own), desc="predicting", unit="case", disable=None)
            for row, before in bar:
                kept += before
                rows.append(row)
                table.add(row)
        if cluster is not None and parts == 1:
            remove_temporaries(target)  # of workers that were lost
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


def _done(
    work: Work,
    cases: Sequence[Case],
    overwrite: bool,
    at_once: int,
    cluster: Elsewhere | None,
) -> Generator[tuple[CaseRow, bool], None, None]:
    """Each case's row, and whether it was there before; of a cluster as they come."""
    if cluster is None:
        beside = at_once if len(cases) > 1 else 1
        with part_of_the_cores(beside, "blas"):
            yield from in_order(lambda case: predict_one(work, case, overwrite), cases, at_once)
        return
    jobs = [(work, case, overwrite) for case in cases]
    for row, before in each_result(predict_one, jobs, cluster, [case.name for case in cases]):
        if row.status == "failed":  # the worker alone has said it
            log.warning("case %s failed: %s", row.case, row.message)
        yield row, before


