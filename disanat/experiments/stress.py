"""Does the detection survive another acquisition? Each case, degraded in every way, predicted.

Each result is kept as soon as it is there; a study that was interrupted goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError
from disanat.experiments.stress_kinds import RESTORED, Degradation
from disanat.experiments.stress_scans import (
    StressResult,
    StressScan,
    degrade,
    judge,
    look_up,
    untouched,
)
from disanat.home import BOOKS, read_json, write_json
from disanat.inference.inputs import input_cases
from disanat.inference.model import DESCRIPTION
from disanat.inference.predictor import Predictor
from disanat.inference.records import made_from
from disanat.io.cases import Case, find_brain_mask, find_image
from disanat.io.content import file_digest, image_digest
from disanat.locks import hold

__all__ = ["UNTOUCHED", "Study", "Stress", "stress"]

log = logging.getLogger(__name__)

UNTOUCHED = "untouched"
_RECORDS = f"{BOOKS}/stress"
_VERSION = 1
"""To be raised whenever a degradation or its judgement changes."""


@dataclass(frozen=True)
class Study:
    """All that is decided before it begins.

    `labels` is a folder of expert masks; a case without one, or with an empty one, is healthy.
    `guide`: the channel that guides the restoration of thick slices.
    """

    scans: Path
    folder: Path
    degradations: tuple[Degradation, ...]
    labels: Path | None = None
    brain_masks: Path | None = None
    channels: tuple[int, ...] | None = None
    guide: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Stress:
    """Results of all cases, and by case why others were left out."""

    results: tuple[StressResult, ...]
    left_out: Mapping[str, str]

    @property
    def failed(self) -> tuple[str, ...]:
        """In sentences, what did not work."""
        return (
            *(f"{case} is left out: {why}" for case, why in self.left_out.items()),
            *(
                f"{r.case}, {r.degradation} {r.strength:g}: {r.message}"
                for r in self.results
                if r.message
            ),
        )


def stress(study: Study, predictor: Predictor) -> Iterator[Stress]:
    """Do all that has not been done; gives what there is after each case.

    Raises:
        DatasetError: no scan can be used, a folder is not there, or no label fits any scan.
        BusyError: another process works in the folder.
    """
    cases = _checked(study)
    with hold(study.folder, "stressing"):
        results: list[StressResult] = []
        left_out: dict[str, str] = {}
        each = 1 + sum(len(one.strengths) for one in study.degradations)
        with tqdm(total=each * len(cases), desc="stressing", unit="scan", disable=None) as bar:
            for number, case in enumerate(cases, start=1):
                try:
                    results += _one_case(study, case, predictor, bar)
                except DisanatError as mistake:
                    log.warning("case %s is left out: %s", case.name, mistake)
                    left_out[case.name] = str(mistake)
                bar.n = number * each
                bar.refresh()
                if results:
                    yield Stress(tuple(results), dict(left_out))
        if not results:
            raise DatasetError(
                f"{study.scans} holds no scan that can be used ({next(iter(left_out.values()))})"
            )


def _checked(study: Study) -> list[Case]:
    if study.seed < 0:
        raise DatasetError(f"--seed {study.seed} is below 0: give 0 or more.")
    wanted = None
    if study.channels is not None:
        wanted = sorted({*study.channels, *([] if study.guide is None else [study.guide])})
    cases = [case for case in input_cases(study.scans, wanted) if case.channels]
    if study.scans.resolve() == study.folder.resolve():
        raise DatasetError(f"{study.folder} is the input folder: give another folder with -o.")
    for folder, what, flag in (
        (study.labels, "expert masks", "-l"),
        (study.brain_masks, "brain masks", "--brain_masks"),
    ):
        if folder is not None and not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder: give the folder of {what} with {flag}.")
    if study.guide is not None and not any(study.guide in case.channels for case in cases):
        raise DatasetError(
            f"No case in {study.scans} has a channel {study.guide}: give --restore the number of "
            "one that is there."
        )
    if study.labels is None:
        log.info("No labels are given (-l): every scan is taken for healthy.")
    else:
        without = [c.name for c in cases if find_image(study.labels, c.name) is None]
        if len(without) == len(cases):
            raise DatasetError(
                f"{study.labels} has no label map for any scan in {study.scans}: put them there as "
                "CASE.nii.gz, or leave out -l where all scans are healthy."
            )
        if without:
            log.info("Taken for healthy, as they have no label map: %s.", ", ".join(without))
    return cases


def _one_case(
    study: Study, case: Case, predictor: Predictor, bar: tqdm[Any]
) -> list[StressResult]:
    """The untouched scan, then every degradation at every strength."""
    label = None if study.labels is None else find_image(study.labels, case.name)
    mask = None if study.brain_masks is None else find_brain_mask(study.brain_masks, case.name)
    book = _Book(study, case, predictor, label, mask)
    guided = study.guide in case.channels
    asked = [
        (d, s) for d in study.degradations if guided or d.name != RESTORED for s in d.strengths
    ]
    missing = [(d, s) for d, s in asked if book.get(d.name, s) is None]
    first = book.get(UNTOUCHED, 0.0)
    if first is None or missing:
        scan = look_up(case, predictor.model.plans.brain_mask_tool, mask, label, study.guide)
        first, anatomy = judge(scan, untouched(scan), predictor, UNTOUCHED, 0.0)
        book.add(first)
        bar.update()
        for degradation, strength in missing:
            made = _result(scan, degradation, strength, study.seed, predictor, anatomy)
            book.add(made)
            bar.update()
    found = [book.get(d.name, s) for d, s in asked]
    return [first, *(one for one in found if one is not None)]


def _result(
    scan: StressScan,
    degradation: Degradation,
    strength: float,
    seed: int,
    predictor: Predictor,
    anatomy: Any,
) -> StressResult:
    """One degraded scan; where the model refuses it, why."""
    name = degradation.name
    try:
        shown = degrade(scan, degradation, strength, seed)
        return judge(scan, shown, predictor, name, strength, anatomy)[0]
    except DisanatError as mistake:
        log.warning("case %s, %s %g: %s", scan.case, name, strength, mistake)
        healthy = not scan.lesion.any()
        return StressResult(scan.case, name, strength, healthy, message=str(mistake))


class _Book:
    """What is known of a case already, kept beside the report; only what was made from the same."""

    def __init__(
        self,
        study: Study,
        case: Case,
        predictor: Predictor,
        label: Path | None,
        mask: Path | None,
    ) -> None:
        self._path = study.folder / _RECORDS / f"{case.name}.json"
        self._source = made_from(
            {
                "stress": _VERSION,
                "model": file_digest(predictor.model.folder / DESCRIPTION),
                "threshold": [predictor.mask_rule.threshold, predictor.mask_rule.peak],
                "channels": {str(n): image_digest(path) for n, path in case.channels.items()},
                "label": None if label is None else image_digest(label),
                "brain_mask": None if mask is None else image_digest(mask),
                "guide": study.guide,
                "seed": study.seed,
            }
        )
        self._known: dict[tuple[str, float], StressResult] = {}
        for one in self._read():
            if not one.message:
                self._known[one.degradation, one.strength] = one

    def get(self, degradation: str, strength: float) -> StressResult | None:
        return self._known.get((degradation, strength))

    def add(self, result: StressResult) -> None:
        self._known[result.degradation, result.strength] = result
        record = {
            "schema_version": 1,
            "made_from": self._source,
            "results": [asdict(one) for one in self._known.values()],
        }
        write_json(record, self._path)

    def _read(self) -> Sequence[StressResult]:
        if not self._path.exists():
            return ()
        try:
            record = read_json(self._path, DatasetError, "the case is predicted again")
            if record["made_from"] != self._source:
                return ()
            return [StressResult(**one) for one in record["results"]]
        except (DatasetError, AttributeError, KeyError, TypeError) as cause:
            log.debug("%s: %r", self._path, cause)
            return ()
