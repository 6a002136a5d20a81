"""OASIS-1: people from 18 to 96 years, T1, of whom those without dementia are taken.

Layout of the discs: `disc1/OAS1_0001_MR1/` with `OAS1_0001_MR1.txt` (age, sex, CDR) and images,
each a .hdr with its .img: `RAW/OAS1_0001_MR1_mpr-1_anon`, and in `PROCESSED/MPRAGE/` the average of
the runs at 1 mm, `SUBJ_111/OAS1_0001_MR1_mpr_n4_anon_sbj_111`, and the same in the atlas' space,
`T88_111/OAS1_0001_MR1_mpr_n4_anon_111_t88_gfc` (`_masked_gfc` without skull). The number after `_n`
is that of the runs. Healthy means a clinical dementia rating (CDR) of 0, or none at all: the fact
sheet reports dementia in 100 of those over 60, and the younger were not rated. Second visits (MR2)
are of the same people and are left out.

Analyze headers say nothing of directions. Those used here are those of github.com/balbasty/
braindataprep: raw and average scans have axes towards anterior, superior, left; atlas scans towards
left, anterior, superior. Left and right of the result are only as sure as that.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from dataset_conversion.common import nothing_found, walk_folders
from dataset_conversion.converter import Converter, Found, Made, Option, Request, Subject
from disanat.errors import DatasetError, ImageError

__all__ = ["CONVERTER", "read_analyze"]

_log = logging.getLogger(__name__)
_SESSION = r"OAS1_\d{4}_MR1"
_IMAGES = {
    "average": "PROCESSED/MPRAGE/SUBJ_111/*_sbj_111.hdr",
    "atlas": "PROCESSED/MPRAGE/T88_111/*_t88_gfc.hdr",
    "atlas_stripped": "PROCESSED/MPRAGE/T88_111/*_t88_masked_gfc.hdr",
    "raw": "RAW/*_mpr-1_anon.hdr",
}
# Where the file's axes point to, in the axes L, P, S of SimpleITK.
_SAGITTAL = np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]])  # anterior, superior, left
_AXIAL = np.array([[1, 0, 0], [0, -1, 0], [0, 0, 1]])  # left, anterior, superior


def read_analyze(header: Path, axes: np.ndarray) -> sitk.Image:
    """An Analyze pair with the directions that its header lacks; its centre is the origin.

    Args:
        header: the .hdr file; the .img lies beside it.
        axes: columns are the directions of the file's axes in L, P, S.

    Raises:
        ImageError: it cannot be read, or is not one 3D image.
    """
    try:
        image = sitk.ReadImage(str(header))
    except RuntimeError as cause:
        raise ImageError(
            f"{header} cannot be read: check that its .img lies beside it, and unpack both again."
        ) from cause
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3:
        raise ImageError(f"{header} is not one 3D image: unpack it again.")
    plain = sitk.GetImageFromArray(sitk.GetArrayFromImage(image))
    plain.SetSpacing([abs(s) for s in image.GetSpacing()])
    plain.SetDirection(axes.ravel().astype(float).tolist())
    middle = plain.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in plain.GetSize()])
    plain.SetOrigin([-m for m in middle])
    return plain


def _facts(folder: Path) -> dict[str, str]:
    """Age, sex and CDR of `OAS1_0001_MR1.txt`, whose lines read `CDR: 0`.

    Raises:
        DatasetError: it is missing.
    """
    path = folder / f"{folder.name}.txt"
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist, which says whether the person is healthy: unpack the disc "
            "again, with all its files."
        )
    said = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        key, _, value = line.partition(":")
        said[key.strip().lower()] = value.strip()
    return {"age": said.get("age", ""), "sex": said.get("m/f", "")[:1], "cdr": said.get("cdr", "")}


def _healthy(facts: dict[str, str]) -> bool:
    return re.fullmatch(r"|n/?a|0(\.0+)?", facts["cdr"].lower()) is not None


def _find(request: Request) -> Found:
    kind = request.options["image"]
    folders = walk_folders(request.source, _SESSION)
    if not folders:
        raise nothing_found(request.source, "folder disc1/OAS1_0001_MR1 or the like (OASIS-1)")
    subjects, impaired = [], 0
    for folder in folders:
        facts = _facts(folder)
        if not _healthy(facts):
            impaired += 1
            continue
        headers = sorted(folder.glob(_IMAGES[kind]))
        if not headers:
            raise nothing_found(folder, f"file {_IMAGES[kind]} (chosen with --image {kind})")
        files = (headers[0], headers[0].with_suffix(".img"))
        axes = _AXIAL if kind.startswith("atlas") else _SAGITTAL
        scan = Made(files, partial(read_analyze, headers[0], axes))
        subjects.append(Subject(folder.name, {"T1": scan}, facts=facts))
    _log.info("%s: %d of %d people have dementia and are left out.",
              request.source, impaired, len(folders))  # fmt: skip
    if not subjects:
        raise DatasetError(f"{request.source} holds nobody with CDR 0: give all discs with -i.")
    return Found(subjects)


CONVERTER = Converter(
    name="oasis1",
    title="18 to 96 years, without dementia, T1",
    dataset="OASIS1",
    number=11,
    split="Tr",
    licence="OASIS data use agreement",
    source="OASIS-1 (Marcus et al., 2007), without dementia",
    site="sites.wustl.edu/oasisbrains",
    expects=(
        "disc1/OAS1_0001_MR1/PROCESSED/MPRAGE/SUBJ_111/OAS1_0001_MR1_mpr_n4_anon_sbj_111.hdr and "
        ".img, and disc1/OAS1_0001_MR1/OAS1_0001_MR1.txt",
    ),
    channels=("T1",),
    find=_find,
    options=(
        Option(
            "image",
            "which image of each person: the average of the runs (default), the atlas' space with "
            "or without skull, or the first run",
            "average",
            {"choices": tuple(_IMAGES)},
        ),
    ),
)
