"""Names of files as the Brain Imaging Data Structure has them (bids-specification.readthedocs.io).

`sub-01_ses-2_acq-highres_run-1_T1w.nii.gz` has entities (sub, ses, acq, run) and a suffix (T1w).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_conversion.common import find_optional, read_table, walk_files

__all__ = ["BidsFile", "bids_files", "channel_name", "lesion_mask", "participants"]

_FILE = r"sub-[^_]+(_[^_]+)*\.nii(\.gz)?"
_NOT_RAW = ("derivatives", "sourcedata", "code", "stimuli")
_CHANNELS = {"T1w": "T1", "T2w": "T2", "PDw": "PD", "T2starw": "T2star"}
_MASK_SUFFIXES = ("mask", "roi", "dseg", "msk")


@dataclass(frozen=True)
class BidsFile:
    """One image with what its name says; `suffix` is the last word."""

    path: Path
    entities: Mapping[str, str]
    suffix: str

    @property
    def subject(self) -> str:
        return self.entities["sub"]

    @property
    def session(self) -> str:
        return self.entities.get("ses", "")

    @property
    def case(self) -> str:
        """`sub-01_ses-2`, or `sub-01` where there are no sessions."""
        return f"sub-{self.subject}" + (f"_ses-{self.session}" if self.session else "")


def _parse(path: Path) -> BidsFile:
    *words, suffix = path.name.partition(".")[0].split("_")
    entities = dict(w.split("-", 1) for w in words if "-" in w)
    if "sess" in entities:  # as OASIS-3 has it now and then
        entities.setdefault("ses", entities.pop("sess"))
    return BidsFile(path, entities, suffix)


def bids_files(source: Path, raw: bool = True) -> list[BidsFile]:
    """Images below a folder whose names are like those of BIDS, sorted by path.

    `raw` leaves out derivatives and the like.
    """
    skip = _NOT_RAW if raw else ()
    return [_parse(path) for path in walk_files(source, _FILE, 8, skip)]


def channel_name(file: BidsFile) -> str:
    """What disanat calls the contrast: T1, T2, FLAIR, PD, T1c; others by their suffix."""
    name = _CHANNELS.get(file.suffix, file.suffix)
    return f"{name}c" if name == "T1" and "ce" in file.entities else name


def lesion_mask(file: BidsFile) -> bool:
    """Whether a file is a mask of lesions: `label-lesion_mask`, `desc-T1lesion_mask` and so on."""
    said = [file.entities.get(key, "") for key in ("label", "desc")]
    named = any(re.search("lesion|tumou?r", word, re.IGNORECASE) for word in said)
    return file.suffix.lower() in _MASK_SUFFIXES and named


def participants(source: Path, keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """Rows of participants.tsv by subject (without `sub-`); only these columns, if there."""
    table = find_optional(source, "participants.tsv", "../participants.tsv")
    if table is None:
        return {}
    rows = {}
    for row in read_table(table):
        subject = row.get("participant_id", "").removeprefix("sub-")
        rows[subject] = {key: row[key] for key in keys if row.get(key)} if keys else row
    return rows
