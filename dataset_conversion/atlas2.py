"""ATLAS R2.0: T1 after stroke with traced lesions.

Layout (as github.com/openmedlab/Awesome-Medical-Dataset shows it, resources/ATLASv2.0.md):
`ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/` with
`sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz` and
`sub-r001s001_ses-1_space-MNI152NLin2009aSym_label-L_desc-T1lesion_mask.nii.gz`. The scans of
`Testing/` have no masks and are left out beside those that have.
"""

from __future__ import annotations

from dataset_conversion.bids import bids_subjects
from dataset_conversion.bids_names import bids_files, lesion_mask
from dataset_conversion.common import nothing_found
from dataset_conversion.converter import Converter, Found, Request

__all__ = ["CONVERTER"]


def _find(request: Request) -> Found:
    files = [f for f in bids_files(request.source) if f.subject.startswith("r")]
    masks = [f for f in files if lesion_mask(f)]
    subjects = bids_subjects([f for f in files if f not in masks], ("T1",), masks=masks)
    if not subjects:
        raise nothing_found(
            request.source,
            "file sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz or the like (ATLAS R2.0)",
        )
    return Found(subjects)


CONVERTER = Converter(
    name="atlas2",
    title="after stroke, T1 (ATLAS R2.0)",
    dataset="ATLAS2",
    number=117,
    split="Ts",
    licence="terms of use of INDI",
    source="ATLAS R2.0 (Liew et al., Scientific Data 2022), in MNI space",
    site="fcon_1000.projects.nitrc.org/indi/retro/atlas.html",
    expects=(
        "ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/"
        "sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz, ..._label-L_desc-T1lesion_mask",
    ),
    channels=("T1",),
    find=_find,
)
