"""WMH 2017: white-matter hyperintensities of presumed vascular origin, FLAIR and T1.

Layout (doi.org/10.34894/AECRSD; wmh.isi.uu.nl): `training/Utrecht/0/pre/FLAIR.nii.gz`, `pre/T1`
(bias-corrected), `orig/FLAIR.nii.gz`, `orig/T1.nii.gz` and `wmh.nii.gz`; sites Utrecht, Singapore,
Amsterdam/GE3T and others, of `training/` and `test/`. The challenge's first archives have
`GE3T/100/` without Amsterdam. T1 lies on the grid of FLAIR; `3DT1` does not, and is not taken.

Label 1 (hyperintensities) goes to `labelsTs`. Label 2, a rough mask of other pathology, goes to
`labelsTs_other`: the challenge ignores those voxels, while a measure that knows only `labelsTs`
counts what is found there as false.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from dataset_conversion.common import channel_files, nothing_found, walk_files
from dataset_conversion.converter import Converter, Found, Made, Option, Request, Subject
from disanat.io.images import read_labels

__all__ = ["CONVERTER"]

_NOT_A_SITE = ("training", "test", "additional_annotations")


def _label(path: Path, value: int) -> sitk.Image:
    read_labels(path)
    image = sitk.ReadImage(str(path))
    return sitk.Cast(sitk.Equal(sitk.Round(image), float(value)), sitk.sitkUInt8)


def _case(folder: Path, source: Path) -> str:
    """Utrecht_0, Amsterdam_GE3T_100: site, scanner, number."""
    parts = folder.resolve().relative_to(source.resolve()).parts[-3:]
    sites = [part for part in parts if part not in _NOT_A_SITE]
    return re.sub(r"[\W_]+", "_", "_".join(sites or [folder.name])).strip("_")


def _subject(mask: Path, request: Request) -> Subject:
    folder = mask.parent
    scans = folder / request.options["scans"]
    case = _case(folder, request.source)
    channels = channel_files(
        scans, {"FLAIR": "FLAIR.nii*", "T1": "T1.nii*"}, request.channels, case
    )
    labels = {"labelsTs": Made((mask,), partial(_label, mask, 1))}
    if np.any(read_labels(mask).array == 2):
        labels["labelsTs_other"] = Made((mask,), partial(_label, mask, 2))
    return Subject(case, channels, labels)


def _find(request: Request) -> Found:
    masks = walk_files(request.source, r"wmh\.nii(\.gz)?", skip=("additional_annotations",))
    if not masks:
        raise nothing_found(request.source, "file Utrecht/0/wmh.nii.gz or the like (WMH 2017)")
    subjects = [_subject(mask, request) for mask in masks]
    other = any("labelsTs_other" in s.labels for s in subjects)
    return Found(subjects, extra={"other_pathology": "labelsTs_other"} if other else {})


CONVERTER = Converter(
    name="wmh2017",
    title="white-matter hyperintensities, FLAIR and T1",
    dataset="WMH2017",
    number=118,
    split="Ts",
    licence="CC BY-NC 4.0",
    source="WMH segmentation challenge 2017 (Kuijf et al., 2019; doi 10.34894/AECRSD)",
    site="dataverse.nl (doi 10.34894/AECRSD)",
    expects=(
        "training/Utrecht/0/pre/FLAIR.nii.gz, pre/T1.nii.gz, wmh.nii.gz; Singapore/50, "
        "Amsterdam/GE3T/100 and so on",
    ),
    channels=("FLAIR", "T1"),
    find=_find,
    options=(
        Option(
            "scans",
            "pre: bias-corrected (default); orig: as they left the scanner",
            "pre",
            {"choices": ("pre", "orig")},
        ),
    ),
)
