"""What a healthy dataset looks like: every case is read, checked and measured once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from acvl_utils.cropping_and_padding.bounding_boxes import get_bbox_from_mask
from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError
from disanat.io.cases import Case
from disanat.io.dataset import RawDataset, mapping_scheme
from disanat.io.images import Scan, read_labels, read_scan, same_grid
from disanat.plans import CaseFingerprint, Fingerprint, IntTriple
from disanat.preprocessing.brain_mask import healthy_brain_mask, stripped_background
from disanat.tissues import remap_labels

__all__ = ["Examination", "Problem", "examine_case", "examine_dataset", "fingerprint_dataset"]

_FEWEST_CASES = 4
_PERCENTILES = (0.5, 25, 50, 75, 99.5)


@dataclass(frozen=True)
class Problem:
    """Something wrong with a case: what, the values seen, and what to do about it."""

    case: str
    what: str
    values: str
    remedy: str

    @property
    def sentence(self) -> str:
        seen = f" ({self.values})" if self.values else ""
        return f"{self.what}{seen}: {self.remedy}."


@dataclass(frozen=True)
class Examination:
    """Of one case: its fingerprint, or the problems that stand in the way."""

    case: str
    fingerprint: CaseFingerprint | None = None
    problems: tuple[Problem, ...] = ()


def fingerprint_dataset(dataset: RawDataset, processes: int, progress: bool) -> Fingerprint:
    """Read every training case of a dataset and say what it looks like.

    Args:
        dataset: with healthy scans in `imagesTr`.
        processes: workers; 0 works in this process.
        progress: show a bar.

    Raises:
        DatasetError: cases are missing or faulty; one line for each fault.
    """
    examined = examine_dataset(dataset, processes, progress)
    if len(examined) < _FEWEST_CASES:
        raise DatasetError(
            f"{dataset.folder / 'imagesTr'} holds too few cases (found {len(examined)}): put at "
            f"least {_FEWEST_CASES} healthy scans there, so that three can be set aside."
        )
    problems = [problem for one in examined for problem in one.problems]
    if problems:
        lines = [problem.sentence for problem in problems]
        heading = f"{dataset.name} has {len(lines)} problems:\n  "
        raise DatasetError(lines[0] if len(lines) == 1 else heading + "\n  ".join(lines))
    return _aggregate(dataset, [one.fingerprint for one in examined if one.fingerprint])


def examine_dataset(dataset: RawDataset, processes: int, progress: bool) -> list[Examination]:
    """Examine all training cases, in the order of their names.

    Raises:
        DatasetError: there are no cases, a file's channel is not declared, or a worker was killed.
    """
    cases = dataset.training_cases()
    bar = tqdm(total=len(cases), desc="Reading cases", unit="case", disable=not progress)
    found = {}
    with bar:
        for one in _examinations(dataset, cases, min(processes, len(cases))):
            found[one.case] = one
            bar.update()
    return [found[case.name] for case in cases]


def _examinations(
    dataset: RawDataset, cases: Sequence[Case], processes: int
) -> Iterator[Examination]:
    if processes < 1:
        yield from (examine_case(dataset, case) for case in cases)
        return
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        jobs = {pool.submit(examine_case, dataset, case): case for case in cases}
        for job in as_completed(jobs):
            try:
                yield job.result()
            except BrokenProcessPool as cause:
                raise DatasetError(
                    f"A worker process was killed while reading {dataset.folder}, probably because "
                    "memory ran out: run it again with fewer workers, as -np 1."
                ) from cause
    finally:
        pool.shutdown(cancel_futures=True)


def examine_case(dataset: RawDataset, case: Case) -> Examination:
    """Read and measure one case; a user's mistakes come back as problems.

    Raises:
        RuntimeError: a defect of disanat; the message names the case.
    """
    try:
        return _examine(dataset, case)
    except DisanatError as mistake:
        return Examination(case.name, problems=(_problem(case.name, mistake),))
    except Exception as cause:
        raise RuntimeError(f"Case {case.name} in {dataset.folder} could not be examined") from cause


def _problem(case: str, mistake: DisanatError) -> Problem:
    what, _, remedy = str(mistake).rpartition(": ")
    return Problem(case, what, "", remedy.rstrip("."))


def _examine(dataset: RawDataset, case: Case) -> Examination:
    scans: dict[int, Scan] = {}
    problems: list[Problem] = []
    for channel, path in case.channels.items():
        try:
            scans[channel] = read_scan(path)
        except DisanatError as mistake:
            problems.append(_problem(case.name, mistake))
    problems += _grid_problems(case.name, list(scans.values()))
    prior, more = _read_prior(dataset, case, next(iter(scans.values()), None))
    problems += more
    if problems:
        return Examination(case.name, problems=tuple(problems))
    return Examination(case.name, fingerprint=_measure(case.name, scans, prior, dataset))


def _grid(scan: Scan) -> str:
    size = "x".join(map(str, scan.geometry.size))
    spacing = "x".join(f"{value:.4g}" for value in scan.geometry.spacing)
    origin = ", ".join(f"{value:.4g}" for value in scan.geometry.origin)
    return f"{size} voxels of {spacing} mm from {origin}, {scan.geometry.orientation}"


def _grid_problems(case: str, scans: Sequence[Scan]) -> list[Problem]:
    return [
        Problem(
            case,
            f"{scan.path} lies on another grid than {scans[0].path.name}",
            f"{_grid(scan)}; {_grid(scans[0])}",
            "register and resample all channels of a case to one of them",
        )
        for scan in scans[1:]
        if not same_grid(scan.geometry, scans[0].geometry)
    ]


def _read_prior(
    dataset: RawDataset, case: Case, scan: Scan | None
) -> tuple[np.ndarray | None, list[Problem]]:
    if not dataset.label_mapping:
        return None, []
    path = dataset.prior_path(case.name)
    if path is None:
        wanted = dataset.folder / "priorsTr" / f"{case.name}.nii.gz"
        remedy = "add the label map, or take the case out of imagesTr"
        return None, [Problem(case.name, f"{wanted} does not exist", "", remedy)]
    labels = read_labels(path)
    if scan is not None and not same_grid(labels.geometry, scan.geometry):
        what = f"{path} lies on another grid than the scan {scan.path.name}"
        remedy = "resample the label map to the scan, with nearest neighbours"
        values = f"{_grid(labels)}; {_grid(scan)}"
        return None, [Problem(case.name, what, values, remedy)]
    known = [number for numbers in dataset.label_mapping.values() for number in numbers]
    found = np.unique(labels.array)
    if not np.isin(found, known).any():
        what = f"{path} holds none of the labels that dataset.json declares"
        values = "found " + ", ".join(map(str, found[:8]))
        remedy = "name the right numbering under 'prior' in dataset.json"
        return None, [Problem(case.name, what, values, remedy)]
    return labels.array, []


def _measure(
    case: str, scans: dict[int, Scan], labels: np.ndarray | None, dataset: RawDataset
) -> CaseFingerprint:
    first = next(iter(scans.values()))
    prior = None
    if labels is not None:
        scheme = mapping_scheme(dataset.label_mapping) or ()
        prior = remap_labels(labels, dataset.label_mapping, scheme)
    mask = healthy_brain_mask(first.array, first.spacing, prior)
    backgrounds = [stripped_background(scan.array, scan.spacing) for scan in scans.values()]
    percentiles = [np.percentile(scan.array[mask], _PERCENTILES) for scan in scans.values()]
    numbers = [] if labels is None else np.unique(labels[labels > 0]).tolist()
    return CaseFingerprint(
        case=case,
        channels=tuple(scans),
        spacing=first.spacing,
        shape=_triple(first.array.shape),
        shape_after_crop=_triple([high - low for low, high in get_bbox_from_mask(mask)]),
        orientation=first.geometry.orientation,
        skull_stripped=all(value is not None for value in backgrounds),
        background=tuple(
            float(scan.array.min()) if value is None else value
            for scan, value in zip(scans.values(), backgrounds)
        ),
        brain_volume_ml=round(float(mask.sum() * np.prod(first.spacing) / 1000), 3),
        intensity_percentiles=tuple(
            tuple(float(f"{value:.6g}") for value in row) for row in percentiles
        ),
        prior_labels=tuple(int(number) for number in numbers),
    )


def _triple(values: Sequence[int]) -> IntTriple:
    s, p, l_ = (int(value) for value in values)
    return s, p, l_


def _aggregate(dataset: RawDataset, cases: Sequence[CaseFingerprint]) -> Fingerprint:
    s, p, l_ = (float(v) for v in np.median([case.spacing for case in cases], axis=0))
    shape = np.median([case.shape_after_crop for case in cases], axis=0)
    return Fingerprint(
        dataset=dataset.name,
        channel_names=dataset.channel_names,
        cases=tuple(cases),
        median_spacing=(s, p, l_),
        median_shape=_triple([round(float(value)) for value in shape]),
        skull_stripped=all(case.skull_stripped for case in cases),
        prior_available=bool(dataset.label_mapping),
    )
