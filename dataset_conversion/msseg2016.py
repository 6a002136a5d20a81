"""MSSEG 2016: multiple sclerosis of four scanners, consensus of seven raters.

Layout (Commowick et al., NeuroImage 244:118589, 2021):
`Training/Center_01/Patient_01/Preprocessed_Data/FLAIR_preprocessed.nii.gz`, `T1_`, `T2_`, `DP_`
(proton density), `GADO_` (T1 with contrast agent), all on one grid without skull, and
`Masks/Consensus.nii.gz`. Older archives have these files together in one folder for each patient.
Raw data lie on other grids and are not taken.
"""

from __future__ import annotations

import re
from pathlib import Path

from dataset_conversion.common import channel_files, find_optional, nothing_found, walk_files
from dataset_conversion.converter import Converter, Found, Request, Subject

__all__ = ["CONVERTER"]

_WORDS = {"FLAIR": "FLAIR", "T1": "T1", "T2": "T2", "PD": "DP", "T1c": "GADO"}


def _subject(flair: Path, request: Request) -> Subject:
    scans = flair.parent
    folder = scans.parent if scans.name == "Preprocessed_Data" else scans
    below = folder.resolve().relative_to(request.source.resolve()).parts[-3:]
    case = re.sub(r"[\W_]+", "_", "_".join(below) or folder.resolve().name)
    patterns = {name: f"{word}_preprocessed.nii*" for name, word in _WORDS.items()}
    channels = channel_files(scans, patterns, request.channels, case)
    mask = find_optional(folder, "Masks/Consensus.nii*", "Consensus.nii*")
    return Subject(case, channels, {"labelsTs": mask} if mask else {})


def _find(request: Request) -> Found:
    scans = walk_files(request.source, r"FLAIR_preprocessed\.nii(\.gz)?")
    if not scans:
        raise nothing_found(
            request.source, "file Preprocessed_Data/FLAIR_preprocessed.nii.gz (MSSEG 2016)"
        )
    return Found([_subject(scan, request) for scan in scans])


CONVERTER = Converter(
    name="msseg2016",
    title="multiple sclerosis, five contrasts, seven raters",
    dataset="MSSEG2016",
    number=116,
    split="Ts",
    licence="challenge terms",
    source="MSSEG 2016 (Commowick et al., 2021), preprocessed scans",
    site="shanoir.irisa.fr",
    expects=(
        "Training/Center_01/Patient_01/Preprocessed_Data/FLAIR_preprocessed.nii.gz, T1_..., "
        "T2_..., DP_..., GADO_..., and Masks/Consensus.nii.gz",
    ),
    channels=tuple(_WORDS),
    find=_find,
)
