"""MSLUB (open_ms_data): multiple sclerosis (`patient19/FLAIR_*.nii.gz`, `GOLD_STANDARD_*`)."""

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

DATASET_ID = 103
_CHANNELS = ("FLAIR", "T1", "T2")
_DESCRIPTION = Description(
    name="MSLUB",
    channel_names=_CHANNELS,
    licence="CC BY",
    source="open_ms_data (Lesjak et al., Neuroinformatics 2018), in MNI space",
)


def convert(source: Path, home: Home, dataset_id: int = DATASET_ID, link: bool = False) -> Path:
    """Write the test dataset `MSLUB`; returns its folder.

    Raises:
        DatasetError: no patient, a missing file, or a mask on another grid than its scan.
    """
    subjects = []
    for folder in find_folders(source, "patient*", "MSLUB patients"):
        channels = {
            i: find_file(folder, f"{name}_*.nii*", f"{name} of {folder.name}")
            for i, name in enumerate(_CHANNELS)
        }
        mask = find_file(folder, "GOLD_STANDARD_*.nii*", f"consensus mask of {folder.name}")
        subjects.append(Subject(folder.name, channels, {"labelsTs": mask}))
    return write_dataset(home, dataset_id, _DESCRIPTION, subjects, "Ts", link)
