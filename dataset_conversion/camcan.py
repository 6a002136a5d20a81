"""Cam-CAN: healthy people from 18 to 88 years, T1 and T2, in BIDS.

Layout of the archive's BIDS release: `anat/sub-CC110033/anat/sub-CC110033_T1w.nii.gz` and
`..._T2w.nii.gz`, with participants.tsv. One of the two contrasts makes a dataset: T1 is taken, and
`--channels T2` makes another one. With `--channels T1 T2` those T2 are taken that happen to lie on
the grid of T1.
"""

from __future__ import annotations

from dataclasses import replace

from dataset_conversion.bids import bids_subjects
from dataset_conversion.bids_names import bids_files, participants
from dataset_conversion.common import find_optional, nothing_found
from dataset_conversion.converter import Converter, Found, Request

__all__ = ["CONVERTER"]


def _find(request: Request) -> Found:
    files = [f for f in bids_files(request.source) if f.subject.startswith("CC")]
    subjects = bids_subjects(files, request.channels)
    if not subjects:
        raise nothing_found(
            request.source, "file sub-CC110033_T1w.nii.gz or the like (Cam-CAN in BIDS)"
        )
    table = find_optional(request.source, "participants.tsv", "*/participants.tsv")
    facts = participants(table.parent, ("age", "sex", "gender")) if table else {}
    return Found([replace(s, facts=facts.get(s.name.removeprefix("sub-"), {})) for s in subjects])


CONVERTER = Converter(
    name="camcan",
    title="healthy, 18 to 88 years, T1 (or T2)",
    dataset="CamCAN",
    number=13,
    split="Tr",
    licence="CamCAN data use agreement",
    source="Cambridge Centre for Ageing and Neuroscience (Cam-CAN)",
    site="camcan-archive.mrc-cbu.cam.ac.uk",
    expects=("anat/sub-CC110033/anat/sub-CC110033_T1w.nii.gz, ..._T2w; participants.tsv",),
    channels=("T1", "T2"),
    usual=("T1",),
    find=_find,
    grids="leave_out",
)
