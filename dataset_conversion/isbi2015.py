"""ISBI 2015: longitudinal multiple sclerosis, masks of two raters.

Rater 1 is the label; rater 2 goes to `labelsTs_rater2`. Layouts:
- as the challenge gives it: `training01/preprocessed/training01_01_flair_pp.nii`, `_mprage_pp`,
  `_t2_pp`, `_pd_pp`, and `training01/masks/training01_01_mask1.nii`, all on one grid of 1 mm
  (Carass et al., NeuroImage 148:77-102, 2017);
- of the ms.lesion package: `training01/training01_01_flair.nii.gz`, raw, with thick slices, and
  `training01_01_mask1.nii.gz` on another grid. Such masks are resampled to the scan's grid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from dataset_conversion.common import (
    channel_files,
    find_file,
    find_files,
    nothing_found,
    walk_folders,
)
from dataset_conversion.converter import Converter, Found, Request, Subject
from disanat.errors import DatasetError
from disanat.io.images import Geometry, canonical_frame, read_labels

__all__ = ["CONVERTER", "resample_mask"]

_SUBSAMPLES_MM = 0.5
_RATERS = ((1, "labelsTs"), (2, "labelsTs_rater2"))
_PREPROCESSED = {"FLAIR": "flair", "T1": "mprage", "T2": "t2", "PD": "pd"}


def resample_mask(mask: Path, grid: Geometry) -> np.ndarray:
    """A mask on a scan's grid, by the two files' affines; boolean, axes S, P, L.

    A voxel is lesion where at least half of it is: the mask is interpolated linearly on a grid as
    fine as 0.5 mm within each voxel and averaged, so that thick slices do not just see the lesion
    at their centre.

    Raises:
        DatasetError: mask and scan do not overlap.
        ImageError: the mask cannot be read.
    """
    marked = (read_labels(mask).array > 0).any()
    moving = sitk.DICOMOrient(sitk.ReadImage(str(mask), sitk.sitkFloat32), "LPS")
    frame = canonical_frame(grid)
    factors = [max(1, int(np.ceil(s / _SUBSAMPLES_MM))) for s in frame.GetSpacing()]
    # Only the slice direction is much coarser than the mask, so that alone needs sub-sampling.
    factors = [f if s > 1.5 else 1 for f, s in zip(factors, frame.GetSpacing(), strict=True)]
    fine = sitk.Resample(moving, _refined(frame, factors), sitk.Transform(), sitk.sitkLinear, 0.0)
    x, y, z = frame.GetSize()
    fx, fy, fz = factors
    blocks = sitk.GetArrayFromImage(fine).reshape(z, fz, y, fy, x, fx)
    lesion = np.asarray(blocks.mean(axis=(1, 3, 5)) >= 0.5)
    if not lesion.any() and marked:
        raise DatasetError(
            f"{mask} has no lesion on the grid of its scan: check that the two belong together."
        )
    return lesion


def _refined(frame: sitk.Image, factors: list[int]) -> sitk.Image:
    """An empty image over the same box, each axis divided by its factor."""
    size = [n * f for n, f in zip(frame.GetSize(), factors, strict=True)]
    fine = sitk.Image(size, sitk.sitkUInt8)
    fine.SetSpacing([s / f for s, f in zip(frame.GetSpacing(), factors, strict=True)])
    fine.SetDirection(frame.GetDirection())
    first = [(1 / f - 1) / 2 for f in factors]
    fine.SetOrigin(frame.TransformContinuousIndexToPhysicalPoint(first))
    return fine


def _masks(folder: Path, case: str) -> dict[str, Path]:
    return {
        name: find_file(folder, f"{case}_mask{rater}.nii*", f"rater {rater} of {case}")
        for rater, name in _RATERS
    }


def _challenge(folder: Path, request: Request) -> list[Subject]:
    """The visits of one patient; of test patients, whose masks are kept back, without labels."""
    scans = folder / "preprocessed"
    subjects = []
    for scan in find_files(scans, "*_flair_pp.nii*", f"FLAIR of {folder.name}"):
        case = scan.name.split("_flair_pp.")[0]
        patterns = {name: f"{case}_{word}_pp.nii*" for name, word in _PREPROCESSED.items()}
        channels = channel_files(scans, patterns, request.channels, case)
        labels = _masks(folder / "masks", case) if (folder / "masks").is_dir() else {}
        subjects.append(Subject(case, channels, labels))
    return subjects


def _package(folder: Path) -> list[Subject]:
    subjects = []
    for scan in find_files(folder, "*_flair.nii*", f"FLAIR of {folder.name}"):
        case = scan.name.split("_flair.")[0]
        subjects.append(
            Subject(case, {"FLAIR": scan}, _masks(folder, case), read_mask=resample_mask)
        )
    return subjects


def _find(request: Request) -> Found:
    folders = walk_folders(request.source, r"(training|test)\d+")
    if not folders:
        raise nothing_found(
            request.source, "folder training01, training02 ... (ISBI 2015 patients)"
        )
    preprocessed = (folders[0] / "preprocessed").is_dir()
    subjects = [
        subject
        for folder in folders
        for subject in (_challenge(folder, request) if preprocessed else _package(folder))
    ]
    origin = "preprocessed scans" if preprocessed else "from the ms.lesion package"
    labelled = any(subject.labels for subject in subjects)
    return Found(
        subjects,
        source=f"ISBI 2015 longitudinal MS lesion challenge, {origin}",
        extra={"second_rater": "labelsTs_rater2"} if labelled else {},
    )


CONVERTER = Converter(
    name="isbi2015",
    title="multiple sclerosis, two raters",
    dataset="ISBI2015",
    number=105,
    split="Ts",
    licence="challenge terms",
    source="ISBI 2015 longitudinal MS lesion challenge",
    site="smart-stats-tools.org/lesion-challenge",
    expects=(
        "training01/preprocessed/training01_01_flair_pp.nii, ..._mprage_pp, ..._t2_pp, ..._pd_pp, "
        "and training01/masks/training01_01_mask1.nii, ..._mask2",
        "training01/training01_01_flair.nii.gz, ..._mask1, ..._mask2 (ms.lesion package)",
    ),
    channels=("FLAIR", "T1", "T2", "PD"),
    find=_find,
)
