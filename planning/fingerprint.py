"""What a healthy dataset looks like: every case is read, checked and measured once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError, ImplausibleError
from disanat.io.cases import Case
from disanat.io.dataset import RawDataset
from disanat.io.images import Scan, read_labels, read_scan, same_grid
from disanat.plans import (
    BrainMaskTool,
    CaseFingerprint,
    Fingerprint,
    Triple,
    load_json,
    save_json,
)
from disanat.preprocessing.label_maps import read_tissues
from disanat.preprocessing.parallel import Processes, each_result
from planning.aggregate import aggregate
from planning.case_measures import measure_case
from planning.content import content_of

__all__ = [
    "Examination",
    "Problem",
    "examine_case",
    "examine_dataset",
    "fingerprint_dataset",
    "kept_measures",
]

_log = logging.getLogger(__name__)
_FEWEST_CASES = 4


@dataclass(frozen=True)
class Problem:
    """Something wrong with a case: what, the values seen, and what to do about it."""

    case: str
    what: str
    values: str
    remedy: str
    leaves_out: bool = False
    """Whether planning goes on without the case."""

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
    processes: Processes,
    progress: bool,
    former: Sequence[CaseFingerprint] = (),
    tool: BrainMaskTool = "extractor",
    keep: Path | None = None,
) -> Fingerprint:
    """Read every training case of a dataset and say what it looks like.

    A case in which no plausible brain was found is reported and left out.

    Args:
        dataset: with healthy scans in `imagesTr`.
        processes: workers; 0 works in this process.
        progress: show a bar.
        former: what was measured before; a case whose content is still the same is not measured
            again.
        tool: what finds the brain in whole heads.
        keep: folder for what is measured of each case, so that a run that is interrupted need not
            measure it again; see `kept_measures`.

    Raises:
        DatasetError: cases are missing or faulty; one line for each fault.
    """
    examined = examine_dataset(dataset, processes, progress, former, tool, keep)
    if len(examined) < _FEWEST_CASES:
        raise DatasetError(
            f"{dataset.folder / 'imagesTr'} holds too few cases (found {len(examined)}): put at "
            f"least {_FEWEST_CASES} healthy scans there, so that three can be set aside."
        )
    used = _usable(dataset, examined)
    if former:
        unchanged = sum(one.unchanged for one in examined)
        _log.info("%d of %d cases unchanged since the last time.", unchanged, len(examined))
    return aggregate(dataset, used, label_map_spacings(dataset, progress))


def label_map_spacings(dataset: RawDataset, progress: bool) -> list[Triple]:
    """Voxel sizes in mm of the label maps without scans, each read and checked.

    Raises:
        DatasetError: a map holds none of the declared labels, or is called like a scan.
        ImageError: a map cannot be read.
    """
    maps = dataset.label_maps()
    bar = tqdm(maps.values(), desc="Reading label maps", unit="map", disable=not progress)
    return [read_tissues(path, dataset.map_mapping)[2].spacing for path in bar]


def _usable(dataset: RawDataset, examined: Sequence[Examination]) -> list[CaseFingerprint]:
    """Fingerprints of all cases but the implausible ones, which are reported."""
    problems = [problem for one in examined for problem in one.problems]
    used = [one.fingerprint for one in examined if one.fingerprint]
    only_implausible = all(problem.leaves_out for problem in problems)
    if only_implausible and len(used) >= _FEWEST_CASES:
        for problem in problems:
            _log.warning("left out: %s", problem.sentence)
        return used
    lines = [problem.sentence for problem in problems]
    if len(lines) == 1 and not only_implausible:
        raise DatasetError(lines[0])
    heading = (
        f"{dataset.name} keeps {len(used)} of {len(examined)} cases, fewer than {_FEWEST_CASES}:"
        if only_implausible
        else f"{dataset.name} has {len(lines)} problems:"
    )
    raise DatasetError("\n  ".join([heading, *lines]))


def examine_dataset(
    dataset: RawDataset,
    processes: Processes,
    progress: bool,
    former: Sequence[CaseFingerprint] = (),
    tool: BrainMaskTool = "extractor",
    keep: Path | None = None,
) -> list[Examination]:
    """Examine all training cases, in the order of their names; see `fingerprint_dataset`.

    Raises:
        DatasetError: there are no cases, a file's channel is not declared, or a case takes too long
            or too much memory.
    """
    cases = dataset.training_cases()
    bar = tqdm(total=len(cases), desc="Reading cases", unit="case", disable=not progress)
    known = {one.case: one for one in former}
    jobs = [(case, known.get(case.name)) for case in cases]
    found = {}
    examine = partial(examine_case, dataset, tool=tool)
    with bar:
        for one in each_result(examine, jobs, processes, [case.name for case in cases]):
            found[one.case] = one
            if keep is not None and one.fingerprint is not None and not one.unchanged:
                save_json(one.fingerprint, keep / f"{one.case}.json")
            bar.update()
    return [found[case.name] for case in cases]


def kept_measures(folder: Path) -> list[CaseFingerprint]:
    """What a run that was interrupted had measured: one JSON a case; damaged ones are left out."""
    kept = []
    for path in sorted(folder.glob("*.json")):
        try:
            kept.append(load_json(path, CaseFingerprint))
        except DisanatError as mistake:
            _log.debug("%s", mistake)
    return kept


def examine_case(
    dataset: RawDataset,
    case: Case,
    former: CaseFingerprint | None = None,
    tool: BrainMaskTool = "extractor",
) -> Examination:
    """Read and measure one case; a user's mistakes come back as problems.

    Nothing but its files' bytes is read if they are still those of the former fingerprint.

    Raises:
        RuntimeError: a defect of disanat; the message names the case.
    """
    try:
        content = content_of(dataset, case, tool)
        if former is not None and former.content == content:
            return Examination(case.name, former, unchanged=True)
        return _examine(dataset, case, content, tool)
    except DisanatError as mistake:
        return Examination(case.name, problems=(_problem(case.name, mistake),))
    except Exception as cause:
        raise RuntimeError(f"Case {case.name} in {dataset.folder} could not be examined") from cause


def _problem(case: str, mistake: DisanatError) -> Problem:
    what, _, remedy = str(mistake).rpartition(": ")
    return Problem(case, what, "", remedy.rstrip("."), isinstance(mistake, ImplausibleError))


def _examine(dataset: RawDataset, case: Case, content: str, tool: BrainMaskTool) -> Examination:
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
    measured = measure_case(dataset, case.name, scans, prior, content, tool)
    return Examination(case.name, measured)


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
