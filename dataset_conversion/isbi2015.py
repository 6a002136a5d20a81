"""ISBI 2015: multiple sclerosis, raw FLAIR with thick slices, masks of two raters on another grid.

Layout: `training01/training01_01_flair.nii.gz`, `training01_01_mask1.nii.gz`, `..._mask2.nii.gz`.
Rater 1 is the label; rater 2 goes to `labelsTs_rater2`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from dataset_conversion.common import (
    Description,
    Subject,
    find_file,
    find_files,
    find_folders,
    write_dataset,
)
from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.images import read_labels

__all__ = ["DATASET_ID", "convert", "resample_mask"]

DATASET_ID = 105
_DESCRIPTION = Description(
    name="ISBI2015",
    channel_names=("FLAIR",),
    licence="challenge terms",
    source="ISBI 2015 longitudinal MS lesion challenge, from the ms.lesion package",
    extra={"second_rater": "labelsTs_rater2"},
)
_SUBSAMPLES_MM = 0.5


def resample_mask(mask: Path, scan: Path) -> np.ndarray:
    """A mask on the scan's grid, by the two files' affines; boolean, axes S, P, L.

    A voxel is lesion where at least half of it is: the mask is interpolated linearly on a grid as
    fine as 0.5 mm within each voxel and averaged, so that thick slices do not just see the lesion
    at their centre.

    Raises:
        DatasetError: mask and scan do not overlap.
        ImageError: the mask cannot be read.
    """
    marked = (read_labels(mask).array > 0).any()
    moving = sitk.DICOMOrient(sitk.ReadImage(str(mask), sitk.sitkFloat32), "LPS")
    grid = sitk.DICOMOrient(sitk.ReadImage(str(scan), sitk.sitkFloat32), "LPS")
    factors = [max(1, int(np.ceil(s / _SUBSAMPLES_MM))) for s in grid.GetSpacing()]
    # Only the slice direction is much coarser than the mask, so that alone needs sub-sampling.
    factors = [f if s > 1.5 else 1 for f, s in zip(factors, grid.GetSpacing(), strict=True)]
    fine = sitk.Resample(moving, _refined(grid, factors), sitk.Transform(), sitk.sitkLinear, 0.0)
    x, y, z = grid.GetSize()
    fx, fy, fz = factors
    blocks = sitk.GetArrayFromImage(fine).reshape(z, fz, y, fy, x, fx)
    lesion = np.asarray(blocks.mean(axis=(1, 3, 5)) >= 0.5)
    if not lesion.any() and marked:
        raise DatasetError(
            f"{mask} has no lesion on the grid of {scan}: check that the two belong together."
        )
    return lesion


def _refined(grid: sitk.Image, factors: list[int]) -> sitk.Image:
    """An empty image over the same box, each axis divided by its factor."""
    size = [n * f for n, f in zip(grid.GetSize(), factors, strict=True)]
    fine = sitk.Image(size, sitk.sitkUInt8)
    fine.SetSpacing([s / f for s, f in zip(grid.GetSpacing(), factors, strict=True)])
    fine.SetDirection(grid.GetDirection())
    first = [(1 / f - 1) / 2 for f in factors]
    fine.SetOrigin(grid.TransformContinuousIndexToPhysicalPoint(first))
    return fine


def convert(source: Path, home: Home, dataset_id: int = DATASET_ID, link: bool = False) -> Path:
    """Write the test dataset `ISBI2015`; returns its folder.

    Raises:
        DatasetError: no patient, a missing file, or masks that lie elsewhere than the scan.
    """
    subjects = []
    for folder in find_folders(source, "training*", "ISBI 2015 patients"):
        for scan in find_files(folder, "*_flair.nii*", f"FLAIR of {folder.name}"):
            case = scan.name.split("_flair.")[0]
            labels = {
                name: find_file(folder, f"{case}_mask{rater}.nii*", f"rater {rater} of {case}")
                for rater, name in ((1, "labelsTs"), (2, "labelsTs_rater2"))
            }
            subjects.append(Subject(case, {0: scan}, labels, read_mask=resample_mask))
    return write_dataset(home, dataset_id, _DESCRIPTION, subjects, "Ts", link)
