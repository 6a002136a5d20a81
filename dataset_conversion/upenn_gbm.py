"""UPENN-GBM: glioblastoma, four contrasts, of which those with an expert's mask are taken.

Layout (cancerimagingarchive.net/collection/upenn-gbm, the NIfTI part):
`images_structural/UPENN-GBM-00002_11/UPENN-GBM-00002_11_FLAIR.nii.gz`, `_T1`, `_T1GD`, `_T2`, and
`images_segm/UPENN-GBM-00002_11_segm.nii.gz`. The masks of `automated_segm/` were drawn by a program
and are not taken.
"""

from __future__ import annotations

from dataset_conversion.common import (
    channel_files,
    find_optional,
    nothing_found,
    walk_folders,
)
from dataset_conversion.converter import Converter, Found, Request, Subject

__all__ = ["CONVERTER"]

_WORDS = {"FLAIR": "FLAIR", "T1": "T1", "T1c": "T1GD", "T2": "T2"}


def _find(request: Request) -> Found:
    folders = [
        folder
        for folder in walk_folders(request.source, r"UPENN-GBM-\d+_\d+")
        if folder.parent.name != "images_DSC"
    ]
    if not folders:
        raise nothing_found(
            request.source, "folder images_structural/UPENN-GBM-00002_11 or the like (UPENN-GBM)"
        )
    subjects = []
    for folder in folders:
        case = folder.name
        patterns = {name: f"{case}_{word}.nii*" for name, word in _WORDS.items()}
        channels = channel_files(folder, patterns, request.channels, case)
        mask = find_optional(folder.parent.parent, f"images_segm/{case}_segm.nii*")
        subjects.append(Subject(case, channels, {"labelsTs": mask} if mask else {}))
    return Found(subjects)


CONVERTER = Converter(
    name="upenn_gbm",
    title="glioblastoma, four contrasts",
    dataset="UPENNGBM",
    number=115,
    split="Ts",
    licence="CC BY 4.0",
    source="UPENN-GBM (Bakas et al., Scientific Data 2022)",
    site="cancerimagingarchive.net/collection/upenn-gbm",
    expects=(
        "images_structural/UPENN-GBM-00002_11/UPENN-GBM-00002_11_FLAIR.nii.gz, ..._T1, ..._T1GD, "
        "..._T2, and images_segm/UPENN-GBM-00002_11_segm.nii.gz",
    ),
    channels=tuple(_WORDS),
    find=_find,
)
