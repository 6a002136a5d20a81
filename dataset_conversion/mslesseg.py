"""MSLesSeg: multiple sclerosis, visit by visit (`P14_T2_FLAIR.nii.gz`, `P14_T2_MASK.nii.gz`)."""

from __future__ import annotations

from pathlib import Path

from dataset_conversion.common import (
    Description,
    Subject,
    find_file,
    find_files,
    write_dataset,
)
from disanat.home import Home

__all__ = ["DATASET_ID", "convert"]

DATASET_ID = 104
_CHANNELS = ("FLAIR", "T1", "T2")
_DESCRIPTION = Description(
    name="MSLesSeg",
    channel_names=_CHANNELS,
    licence="none stated",
    source="MSLesSeg challenge, in MNI space",
)


def convert(source: Path, home: Home, dataset_id: int = DATASET_ID, link: bool = False) -> Path:
    """Write the test dataset `MSLesSeg`; returns its folder.

    Raises:
        DatasetError: no patient, a missing file, or a mask on another grid than its scan.
    """
    subjects = []
    for mask in find_files(source, "*_MASK.nii*", "lesion masks"):
        case = mask.name.split("_MASK.")[0]
        channels = {
            i: find_file(source, f"{case}_{name}.nii*", f"{name} of {case}")
            for i, name in enumerate(_CHANNELS)
        }
        subjects.append(Subject(case, channels, {"labelsTs": mask}))
    return write_dataset(home, dataset_id, _DESCRIPTION, subjects, "Ts", link)
