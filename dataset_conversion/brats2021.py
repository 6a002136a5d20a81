"""BraTS 2021: glioma, four contrasts (`BraTS2021_00006/BraTS2021_00006_flair.nii.gz`, `_seg`)."""

from __future__ import annotations

from pathlib import Path

from dataset_conversion.common import (
    Description,
    Subject,
    find_file,
    find_folders,
    write_dataset,
)
from disanat.home import Home

__all__ = ["DATASET_ID", "convert"]

DATASET_ID = 102
_CHANNELS = ("flair", "t1", "t1ce", "t2")
_DESCRIPTION = Description(
    name="BraTS2021",
    channel_names=("FLAIR", "T1", "T1c", "T2"),
    licence="BraTS 2021 terms",
    source="RSNA-ASNR-MICCAI BraTS 2021",
)


def convert(source: Path, home: Home, dataset_id: int = DATASET_ID, link: bool = False) -> Path:
    """Write the test dataset `BraTS2021`; returns its folder.

    Raises:
        DatasetError: no patient, a missing file, or a mask on another grid than its scan.
    """
    subjects = []
    for folder in find_folders(source, "BraTS2021_*", "BraTS 2021 patients"):
        channels = {
            i: find_file(folder, f"{folder.name}_{name}.nii*", f"{name} of {folder.name}")
            for i, name in enumerate(_CHANNELS)
        }
        mask = find_file(folder, f"{folder.name}_seg.nii*", f"tumour mask of {folder.name}")
        subjects.append(Subject(folder.name, channels, {"labelsTs": mask}))
    return write_dataset(home, dataset_id, _DESCRIPTION, subjects, "Ts", link)
