"""Any set in BIDS: contrasts by suffix, sessions, runs, lesion masks of derivatives.

The layout is that of bids-specification.readthedocs.io:
`sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz`; masks are `*_label-lesion_mask.nii.gz` (or `_roi`, or
with `desc-...lesion...`) in the set itself or in `derivatives/`. BIDS does not say who is healthy,
so `--train` or `--test` must.

Contrasts of BIDS sets mostly lie on different grids. T1 is taken unless `--channels` says
otherwise. Of several contrasts, those that lie on the grid of the mask, or of the first one, are
taken; others are left out of the case, with a line in the log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataset_conversion.bids_names import (
    BidsFile,
    bids_files,
    channel_name,
    lesion_mask,
    participants,
)
from dataset_conversion.common import nothing_found
from dataset_conversion.converter import Converter, Found, Option, Request, Split, Subject
from disanat.errors import DatasetError
from disanat.home import read_json
from disanat.inference.layout import described_as_ours

__all__ = ["CONVERTER", "bids_subjects", "split_of"]

_log = logging.getLogger(__name__)
_FACTS = ("age", "sex", "group", "diagnosis", "site")
_NAME = re.compile(r"\w[\w.-]*")

WHO = (
    Option("train", "all cases are healthy: they go to imagesTr", False, {"action": "store_true"}),
    Option("test", "scans to test on: they go to imagesTs", False, {"action": "store_true"}),
)
_OPTIONS = (
    Option("name", "what the dataset is called (default: the folder's name)"),
    *WHO,
    Option(
        "sessions",
        "all: each session is a case; first: one of each subject (default: first with --train, so "
        "that no one is both trained on and set aside; all with --test)",
        None,
        {"choices": ("first", "all")},
    ),
    Option(
        "runs",
        "all: each run is a case; first: one of each session (default)",
        "first",
        {"choices": ("first", "all")},
    ),
    Option(
        "where",
        "only files with these entities, such as acq=highres",
        (),
        {"nargs": "+", "metavar": "KEY=VALUE"},
    ),
    Option(
        "participants",
        "only subjects of whom participants.tsv says this, such as group=control",
        (),
        {"nargs": "+", "metavar": "COLUMN=VALUE"},
    ),
    Option("masks", "folder with the lesion masks (default: the set and its derivatives)"),
)


def split_of(options: Mapping[str, Any], name: str) -> Split:
    """`Tr` or `Ts`, which the user must say.

    Raises:
        DatasetError: neither or both are said.
    """
    if bool(options["train"]) == bool(options["test"]):
        raise DatasetError(
            f"{name} cannot know who is healthy: give --train if all cases are, and --test for "
            "scans to test on."
        )
    return "Tr" if options["train"] else "Ts"


def _pairs(given: Sequence[str], flag: str) -> dict[str, str]:
    pairs = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise DatasetError(f"{flag} {word} says nothing: write it as KEY=VALUE.")
        pairs[key] = value
    return pairs


def bids_subjects(
    files: Sequence[BidsFile],
    channels: Sequence[str],
    sessions: str = "all",
    runs: str = "first",
    masks: Sequence[BidsFile] = (),
) -> list[Subject]:
    """Cases of BIDS-like files: a case for each session (or each run), sorted by name.

    Raises:
        DatasetError: two files of a case have one contrast and no number of a run tells them
            apart, or a case has two masks.
    """
    grouped: dict[str, dict[str, list[BidsFile]]] = {}
    for file in _of_sessions(files, sessions):
        name = channel_name(file)
        if name in channels:
            case = file.case
            if runs == "all" and "run" in file.entities:
                case += f"_run-{file.entities['run']}"
            grouped.setdefault(case, {}).setdefault(name, []).append(file)
    masks_of: dict[str, list[BidsFile]] = {}
    for file in masks:
        masks_of.setdefault(file.case, []).append(file)
    subjects = []
    for case, found in sorted(grouped.items()):
        scans = {name: _one(found[name], case, name).path for name in channels if name in found}
        mask = masks_of.get(re.sub(r"_run-[^_]+$", "", case), [])
        if len(mask) > 1:
            raise DatasetError(
                f"{mask[0].path} and {mask[1].path} are both masks of {case}: give the folder of "
                "those that are meant with --masks."
            )
        subjects.append(Subject(case, scans, {"labelsTs": mask[0].path} if mask else {}))
    return subjects


def _of_sessions(files: Sequence[BidsFile], sessions: str) -> Sequence[BidsFile]:
    if sessions == "all":
        return files
    first: dict[str, str] = {}
    for file in files:
        known = first.setdefault(file.subject, file.session)
        first[file.subject] = min(known, file.session, key=_in_order)
    return [file for file in files if file.session == first[file.subject]]


def _in_order(label: str) -> tuple[int, str]:
    """Sessions 2 and 10, d0129 and d1000, in the order of their numbers."""
    digits = re.sub(r"\D", "", label)
    return (int(digits) if digits else 0, label)


def _one(files: Sequence[BidsFile], case: str, name: str) -> BidsFile:
    """The first run; what differs otherwise than by run, the user must choose."""
    parts = sorted(files, key=lambda f: (_in_order(f.entities.get("run", "")), f.path.name))
    first, *others = parts
    same = {k: v for k, v in first.entities.items() if k != "run"}
    for other in others:
        if {k: v for k, v in other.entities.items() if k != "run"} != same:
            raise DatasetError(
                f"{first.path} and {other.path} are both {name} of {case}: choose with --where, "
                "such as --where acq=highres."
            )
    if others:
        _log.info("%s: %s has %d runs; the first is taken.", case, name, len(parts))
    return first


def _find(request: Request) -> Found:
    source, options = request.source, request.options
    split = split_of(options, "bids")
    where = _pairs(options["where"], "--where")
    everything = bids_files(source)
    files = [
        file
        for file in everything
        if all(file.entities.get(k) == v for k, v in where.items())
        and file.entities.get("part", "mag") == "mag"
        and not lesion_mask(file)
    ]
    keep = _pairs(options["participants"], "--participants")
    if keep:
        rows = participants(source, ())
        files = [f for f in files if _is(rows.get(f.subject, {}), keep)]
    sessions = options["sessions"] or ("first" if split == "Tr" else "all")
    masks = _masks(source, options["masks"]) if split == "Ts" else []
    subjects = bids_subjects(files, request.channels, sessions, options["runs"], masks)
    if not subjects:
        wanted = ", ".join(request.channels)
        chosen = [*options["where"], *options["participants"]]
        detail = f" with {' '.join(chosen)}" if chosen else ""
        raise nothing_found(source, f"file sub-*.nii.gz of BIDS that is {wanted}{detail}")
    facts = participants(source, _FACTS)
    licence, origin = _described(source)
    return Found(
        [_with_facts(s, facts) for s in subjects],
        dataset=_name(options["name"], source),
        split=split,
        licence=licence,
        source=origin,
    )


def _is(row: Mapping[str, str], keep: Mapping[str, str]) -> bool:
    return all(row.get(column.lower(), "") == value for column, value in keep.items())


def _masks(source: Path, folder: str | None) -> list[BidsFile]:
    if folder is None:
        return _drawn([f for f in bids_files(source, raw=False) if lesion_mask(f)], source)
    chosen = Path(folder)
    if not chosen.is_dir():
        raise DatasetError(f"{chosen} is not a folder: give that of the lesion masks with --masks.")
    masks = [f for f in bids_files(chosen, raw=False) if lesion_mask(f)]
    return masks or bids_files(chosen, raw=False)


def _drawn(masks: Sequence[BidsFile], source: Path) -> list[BidsFile]:
    """Masks but for those that disanat predicted: they must never be taken for the truth."""
    folders = {p for f in masks for p in f.path.parents if p.is_relative_to(source)}
    predicted = {folder for folder in folders if _is_predicted(folder)}
    kept = [file for file in masks if predicted.isdisjoint(file.path.parents)]
    if len(kept) < len(masks):
        _log.info("%d masks that disanat predicted are left out.", len(masks) - len(kept))
    return kept


def _is_predicted(folder: Path) -> bool:
    try:
        return described_as_ours(folder)
    except DatasetError:  # another program's, and damaged
        return False


def _with_facts(subject: Subject, rows: Mapping[str, Mapping[str, str]]) -> Subject:
    row = rows.get(subject.name.split("_")[0].removeprefix("sub-"), {})
    return Subject(subject.name, subject.channels, subject.labels, facts=row)


def _name(given: str | None, source: Path) -> str:
    if given is not None and not _NAME.fullmatch(given):
        raise DatasetError(f"--name {given} cannot be a dataset's name: use letters and digits.")
    return given or re.sub(r"\W+", "", source.resolve().name) or "BIDS"


def _described(source: Path) -> tuple[str, str]:
    """Licence and source as dataset_description.json states them."""
    path = source / "dataset_description.json"
    said = read_json(path, DatasetError, "repair or remove it") if path.is_file() else {}
    said = said if isinstance(said, dict) else {}
    title = str(said.get("Name") or source.resolve().name)
    doi = str(said.get("DatasetDOI") or "")
    return str(said.get("License") or "none stated"), f"{title} ({doi})" if doi else title


CONVERTER = Converter(
    name="bids",
    title="any set in BIDS, healthy (--train) or with lesions (--test)",
    dataset="BIDS",
    number=200,
    split="Ts",
    licence="as in dataset_description.json",
    source="as in dataset_description.json",
    site="such as openneuro.org",
    expects=(
        "sub-01/[ses-1/]anat/sub-01_[ses-1_]T1w.nii.gz, and masks *_label-lesion_mask.nii.gz",
    ),
    usual=("T1",),
    find=_find,
    grids="leave_out",
    options=_OPTIONS,
)
