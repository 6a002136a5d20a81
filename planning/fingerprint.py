"""What a healthy dataset looks like: every case is read, checked and measured once."""

from __future__ import annotations

import logging
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
from disanat.plans import CaseFingerprint, Fingerprint, Triple
from disanat.preprocessing.brain_mask import healthy_brain_mask, stripped_background
from disanat.tissues import remap_labels
from planning.aggregate import aggregate, triple
from planning.content import content_of
from planning.measures import bias_level, effective_resolution, noise_level

__all__ = ["Examination", "Problem", "examine_case", "examine_dataset", "fingerprint_dataset"]

_log = logging.getLogger(__name__)
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
    unchanged: bool = False
    """Whether the fingerprint is the former one, the content being the same."""


def fingerprint_dataset(
    dataset: RawDataset,
    processes: int,
    progress: bool,
    former: Sequence[CaseFingerprint] = (),
) -> Fingerprint:
    """Read every training case of a dataset and say what it looks like.

    Args:
        dataset: with healthy scans in `imagesTr`.
        processes: workers; 0 works in this process.
        progress: show a bar.
        former: what was measured before; a case whose content is still the same is not measured
            again.

    Raises:
        DatasetError: cases are missing or faulty; one line for each fault.
    """
    examined = examine_dataset(dataset, processes, progress, former)
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
    if former:
        unchanged = sum(one.unchanged for one in examined)
        _log.info("%d of %d cases unchanged since the last time.", unchanged, len(examined))
    return aggregate(dataset, [one.fingerprint for one in examined if one.fingerprint])


def examine_dataset(
    dataset: RawDataset,
    processes: int,
    progress: bool,
    former: Sequence[CaseFingerprint] = (),
) -> list[Examination]:
    """Examine all training cases, in the order of their names; see `fingerprint_dataset`.

    Raises:
        DatasetError: there are no cases, a file's channel is not declared, or a worker was killed.
    """
    cases = dataset.training_cases()
    bar = tqdm(total=len(cases), desc="Reading cases", unit="case", disable=not progress)
    known = {one.case: one for one in former}
    jobs = [(case, known.get(case.name)) for case in cases]
    found = {}
    with bar:
        for one in _examinations(dataset, jobs, min(processes, len(jobs))):
            found[one.case] = one
            bar.update()
    return [found[case.name] for case in cases]


def _examinations(
    dataset: RawDataset, jobs: Sequence[tuple[Case, CaseFingerprint | None]], processes: int
) -> Iterator[Examination]:
    if processes < 1:
        yield from (examine_case(dataset, case, former) for case, former in jobs)
        return
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        running = [pool.submit(examine_case, dataset, case, former) for case, former in jobs]
        for job in as_completed(running):
            try:
                yield job.result()
            except BrokenProcessPool as cause:
                raise DatasetError(
                    f"A worker process was killed while reading {dataset.folder}, probably because "
                    "memory ran out: run it again with fewer workers, as -np 1."
                ) from cause
    finally:
        pool.shutdown(cancel_futures=True)


def examine_case(
    dataset: RawDataset, case: Case, former: CaseFingerprint | None = None
) -> Examination:
    """Read and measure one case; a user's mistakes come back as problems.

    Nothing but its files' bytes is read if they are still those of the former fingerprint.

    Raises:
        RuntimeError: a defect of disanat; the message names the case.
    """
    try:
        content = content_of(dataset, case)
        if former is not None and former.content == content:
            return Examination(case.name, former, unchanged=True)
        return _examine(dataset, case, content)
    except DisanatError as mistake:
        return Examination(case.name, problems=(_problem(case.name, mistake),))
    except Exception as cause:
        raise RuntimeError(f"Case {case.name} in {dataset.folder} could not be examined") from cause


def _problem(case: str, mistake: DisanatError) -> Problem:
    what, _, remedy = str(mistake).rpartition(": ")
    return Problem(case, what, "", remedy.rstrip("."))


def _examine(dataset: RawDataset, case: Case, content: str) -> Examination:
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
    return Examination(case.name, _measure(dataset, case.name, scans, prior, content))


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
    dataset: RawDataset,
    case: str,
    scans: dict[int, Scan],
    labels: np.ndarray | None,
    content: str,
) -> CaseFingerprint:
    first = next(iter(scans.values()))
    prior = None
    if labels is not None:
        scheme = mapping_scheme(dataset.label_mapping) or ()
        prior = remap_labels(labels, dataset.label_mapping, scheme)
    mask = healthy_brain_mask(first.array, first.spacing, prior)
    channels = [_measure_channel(scan, mask) for scan in scans.values()]
    numbers = [] if labels is None else np.unique(labels[labels > 0]).tolist()
    return CaseFingerprint(
        case=case,
        channels=tuple(scans),
        spacing=first.spacing,
        shape=triple(first.array.shape),
        shape_after_crop=triple([high - low for low, high in get_bbox_from_mask(mask)]),
        orientation=first.geometry.orientation,
        skull_stripped=all(channel.stripped for channel in channels),
        background=tuple(channel.background for channel in channels),
        brain_volume_ml=round(float(mask.sum() * np.prod(first.spacing) / 1000), 3),
        intensity_percentiles=tuple(channel.percentiles for channel in channels),
        prior_labels=tuple(int(number) for number in numbers),
        noise=tuple(channel.noise for channel in channels),
        bias=tuple(channel.bias for channel in channels),
        resolution=tuple(channel.resolution for channel in channels),
        slice_thickness=max(channels[0].resolution),
        content=content,
    )


@dataclass(frozen=True)
class _Channel:
    """Of one scan, what `CaseFingerprint` holds per channel."""

    stripped: bool
    background: float
    percentiles: tuple[float, ...]
    noise: float
    bias: float
    resolution: Triple


def _measure_channel(scan: Scan, mask: np.ndarray) -> _Channel:
    around = stripped_background(scan.array, scan.spacing)
    percentiles = np.percentile(scan.array[mask], _PERCENTILES)
    # A field multiplies what is counted from zero. In a standardised scan that zero has become
    # the background's value.
    dark = around is not None and around < percentiles[1]
    s, p, l_ = effective_resolution(scan.array, mask, scan.spacing)
    return _Channel(
        stripped=around is not None,
        background=float(scan.array.min()) if around is None else around,
        percentiles=tuple(float(f"{value:.6g}") for value in percentiles),
        noise=round(noise_level(scan.array, mask), 4),
        bias=round(bias_level(scan.array - around if dark else scan.array, mask, scan.spacing), 4),
        resolution=(round(s, 3), round(p, 3), round(l_, 3)),
    )
