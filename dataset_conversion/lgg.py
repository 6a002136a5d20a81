"""TCGA-LGG: lower-grade glioma, skull in (`CASE/CASE_flair.nii.gz`, `_pre`, `_post`, `_mask`).

A case may lack a contrast; one that is absent or constant is left out, with a line in the log.
"""

from __future__ import annotations

import logging
from pathlib import Path

from dataset_conversion.common import (
    Description,
    Subject,
    find_file,
    find_folders,
    find_optional,
    write_dataset,
)
from disanat.home import Home
from disanat.io.images import is_constant

__all__ = ["DATASET_ID", "convert"]

DATASET_ID = 106
_log = logging.getLogger(__name__)
_CHANNELS = ("flair", "pre", "post")
_DESCRIPTION = Description(
    name="LGG",
    channel_names=("FLAIR", "T1", "T1c"),
    licence="none stated",
    source="TCGA-LGG slices (Buda et al., 2019), stacked; the spacing is approximate",
)


def _usable_channels(folder: Path) -> dict[int, Path]:
    channels: dict[int, Path] = {}
    for index, name in enumerate(_CHANNELS):
        path = find_optional(folder, f"{folder.name}_{name}.nii*")
        if path is None:
            _log.warning("%s has no %s scan: the channel is left out", folder, name)
        elif is_constant(path):
            _log.warning("%s is constant: the channel is left out", path)
        else:
            channels[index] = path
    return channels


def convert(source: Path, home: Home, dataset_id: int = DATASET_ID, link: bool = False) -> Path:
    """Write the test dataset `LGG`; returns its folder.

    Raises:
        DatasetError: no patient, no mask, a patient without any scan, or a mask on another grid.
    """
    subjects = []
    for folder in find_folders(source, "TCGA_*", "TCGA-LGG patients"):
        mask = find_file(folder, f"{folder.name}_mask.nii*", f"tumour mask of {folder.name}")
        subjects.append(Subject(folder.name, _usable_channels(folder), {"labelsTs": mask}))
    return write_dataset(home, dataset_id, _DESCRIPTION, subjects, "Ts", link)
