"""IXI: healthy T1 with DLMUSE label maps (`t1/IXI013_T1.nii.gz`, `dlmuse/IXI013_DLMUSE.nii.gz`)."""

from __future__ import annotations

from pathlib import Path

from dataset_conversion.common import Description, Subject, find_file, find_files, write_dataset
from disanat.home import Home

__all__ = ["DATASET_ID", "convert"]

DATASET_ID = 5
_DESCRIPTION = Description(
    name="IXI",
    channel_names=("T1",),
    licence="CC BY-SA 3.0 (IXI)",
    source="IXI (brain-development.org), with DLMUSE maps, from CBICA NiChart_Project",
    extra={"prior": {"numbering": "dlmuse"}},
)


def convert(source: Path, home: Home, dataset_id: int = DATASET_ID, link: bool = False) -> Path:
    """Write the training dataset `IXI`; returns its folder.

    Raises:
        DatasetError: a scan without its label map, or on another grid.
    """
    subjects = []
    for scan in find_files(source / "t1", "*_T1.nii*", "T1 scans"):
        name = scan.name.split("_T1.")[0]
        prior = find_file(source / "dlmuse", f"{name}_DLMUSE.nii*", f"DLMUSE map of {name}")
        subjects.append(Subject(name, {0: scan}, prior=prior))
    return write_dataset(home, dataset_id, _DESCRIPTION, subjects, "Tr", link)
