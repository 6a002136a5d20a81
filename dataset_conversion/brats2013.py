"""BraTS 2013: glioma, FLAIR and T1c (`PATIENT/Flair_*.nii.gz`, mask `OTMultiClass.nii.gz`)."""

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

DATASET_ID = 101
_CHANNELS = ("Flair", "T1c")
_DESCRIPTION = Description(
    name="BraTS2013",
    channel_names=("FLAIR", "T1c"),
    licence="CC BY-NC-SA 3.0",
    source="BraTS 2013, standardised scans, from the DeepMedic examples",
)


def convert(source: Path, home: Home, dataset_id: int = DATASET_ID, link: bool = False) -> Path:
    """Write the test dataset `BraTS2013`; returns its folder.

    Raises:
        DatasetError: no patient, a missing file, or a mask on another grid than its scan.
    """
    subjects = []
    for folder in find_folders(source, "brats_2013_*", "BraTS 2013 patients"):
        channels = {
            i: find_file(folder, f"{name}_*.nii*", f"{name} of {folder.name}")
            for i, name in enumerate(_CHANNELS)
        }
        mask = find_file(folder, "OTMultiClass.nii*", f"tumour mask of {folder.name}")
        subjects.append(Subject(folder.name, channels, {"labelsTs": mask}))
    return write_dataset(home, dataset_id, _DESCRIPTION, subjects, "Ts", link)
