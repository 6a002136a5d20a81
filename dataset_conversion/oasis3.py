"""OASIS-3: ageing, of which those are taken whose CDR was 0 at every visit.

Layouts, as the README of github.com/NrgXnat/oasis-scripts describes them:
- `OAS30001_MR_d0129/anat1/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz` (or in a folder NIFTI below);
- in BIDS, `sub-OAS30001/ses-d0129/anat/sub-OAS30001_ses-d0129_T1w.nii.gz`.

The clinical dementia rating (CDR) is in `OASIS3_UDSb4_cdr.csv` of the set's data files (columns
OASISID, CDRTOT); it is looked for below the folder, or named with `--cdr`. Of each person the first
session with the contrast is taken, and its first run. T1, T2 and FLAIR lie on different grids: T1
is taken, and `--channels FLAIR` makes another dataset.
"""

from __future__ import annotations

import re
from pathlib import Path

from dataset_conversion.bids import bids_subjects
from dataset_conversion.bids_names import bids_files, channel_name
from dataset_conversion.common import nothing_found, read_table, walk_files
from dataset_conversion.converter import Converter, Found, Option, Request
from disanat.errors import DatasetError

__all__ = ["CONVERTER"]

_TABLE = "OASIS3_UDSb4_cdr.csv"
_PERSON = re.compile(r"OAS3\d{4}")


def _table(source: Path, given: str | None) -> Path:
    if given is not None:
        if not Path(given).is_file():
            raise DatasetError(f"{given} is no file: give {_TABLE} with --cdr.")
        return Path(given)
    found = walk_files(source, re.escape(_TABLE), 8)
    if not found:
        raise DatasetError(
            f"{source} holds no {_TABLE}, which says who is healthy: put it there, or name it with "
            "--cdr."
        )
    return found[0]


def _never_impaired(table: Path) -> set[str]:
    """Who was rated at least once, and 0 every time."""
    ratings: dict[str, set[float]] = {}
    for row in read_table(table):
        person = _PERSON.match(row.get("oasisid", ""))
        try:
            rating = float(row.get("cdrtot", ""))
        except ValueError:
            continue
        if person:
            ratings.setdefault(person[0], set()).add(rating)
    if not ratings:
        raise DatasetError(f"{table} has no columns OASISID and CDRTOT with values: give {_TABLE}.")
    return {person for person, found in ratings.items() if found == {0.0}}


def _find(request: Request) -> Found:
    files = [
        file
        for file in bids_files(request.source)
        if _PERSON.fullmatch(file.subject) and channel_name(file) in request.channels
        # The T2 of a few sessions is an extra one of the hippocampus.
        and file.entities.get("acq", "") != "TSE"
    ]
    if not files:
        raise nothing_found(
            request.source,
            f"file sub-OAS30001_ses-d0129_run-01_{request.channels[0]}w.nii.gz or the like",
        )
    healthy = _never_impaired(_table(request.source, request.options["cdr"]))
    kept = [file for file in files if file.subject in healthy]
    if not kept:
        raise DatasetError(
            f"{request.source} holds scans of nobody whose CDR was always 0: check that the table "
            "belongs to them."
        )
    return Found(bids_subjects(kept, request.channels, sessions="first"))


CONVERTER = Converter(
    name="oasis3",
    title="ageing people whose CDR was always 0, T1 (or T2, FLAIR)",
    dataset="OASIS3",
    number=12,
    split="Tr",
    licence="OASIS data use agreement",
    source="OASIS-3 (sites.wustl.edu/oasisbrains), CDR 0 at every visit",
    site="sites.wustl.edu/oasisbrains",
    expects=(
        "OAS30001_MR_d0129/anat1/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz, and "
        "OASIS3_UDSb4_cdr.csv",
        "sub-OAS30001/ses-d0129/anat/sub-OAS30001_ses-d0129_T1w.nii.gz, and the same table",
    ),
    channels=("T1", "T2", "FLAIR"),
    usual=("T1",),
    find=_find,
    grids="leave_out",
    options=(Option("cdr", f"the table {_TABLE} (default: looked for below the folder)"),),
)
