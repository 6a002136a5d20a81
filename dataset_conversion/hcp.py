"""Human Connectome Project and what is laid out like it: healthy, T1 and T2.

Layouts, as the HCP Pipelines (github.com/Washington-University/HCPpipelines) have them:
- preprocessed: `100307/T1w/T1w_acpc_dc_restore.nii.gz` and `T2w_acpc_dc_restore.nii.gz`, on one
  grid of 0.7 mm;
- unprocessed: `100307/unprocessed/3T/T1w_MPR1/100307_3T_T1w_MPR1.nii.gz` and
  `T2w_SPC1/100307_3T_T2w_SPC1.nii.gz`, often on two grids: then T2 is left out.

Where a folder holds both, the preprocessed scans are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dataset_conversion.common import find_optional, nothing_found
from dataset_conversion.converter import Converter, Found, Request, Subject

__all__ = ["CONVERTER"]

_Patterns = Mapping[str, tuple[str, ...]]
_PREPROCESSED: _Patterns = {
    "T1": ("T1w/T1w_acpc_dc_restore.nii*",),
    "T2": ("T1w/T2w_acpc_dc_restore.nii*",),
}
_UNPROCESSED: _Patterns = {
    "T1": ("unprocessed/3T/T1w_MPR1/*_T1w_MPR1.nii*", "unprocessed/T1w_MPR1/*_T1w_MPR1.nii*"),
    "T2": ("unprocessed/3T/T2w_SPC1/*_T2w_SPC1.nii*", "unprocessed/T2w_SPC1/*_T2w_SPC1.nii*"),
}


def _scans(folder: Path, patterns: _Patterns, request: Request) -> dict[str, Path]:
    found = {name: find_optional(folder, *patterns[name]) for name in request.channels}
    return {name: path for name, path in found.items() if path}


def _find(request: Request) -> Found:
    people = sorted(p for p in request.source.iterdir() if p.is_dir() and p.name[:1] != ".")
    for patterns in (_PREPROCESSED, _UNPROCESSED):
        scans = {p.name: _scans(p, patterns, request) for p in people}
        subjects = [Subject(name, channels) for name, channels in scans.items() if channels]
        if subjects:
            return Found(subjects)
    raise nothing_found(
        request.source,
        "file 100307/T1w/T1w_acpc_dc_restore.nii.gz or the like (preprocessed)",
        "file 100307/unprocessed/3T/T1w_MPR1/100307_3T_T1w_MPR1.nii.gz or the like (unprocessed)",
    )


CONVERTER = Converter(
    name="hcp",
    title="healthy, T1 and T2 (HCP and what is laid out like it)",
    dataset="HCP",
    number=14,
    split="Tr",
    licence="WU-Minn HCP open access data use terms",
    source="Human Connectome Project, or a set laid out like it",
    site="db.humanconnectome.org",
    expects=(
        "100307/T1w/T1w_acpc_dc_restore.nii.gz, T2w_acpc_dc_restore.nii.gz",
        "100307/unprocessed/3T/T1w_MPR1/100307_3T_T1w_MPR1.nii.gz, T2w_SPC1/...",
    ),
    channels=("T1", "T2"),
    find=_find,
    grids="leave_out",
)
