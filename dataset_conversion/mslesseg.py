"""MSLesSeg (ICPR 2024): multiple sclerosis, visit by visit, in MNI space.

Layouts: as published, `train/P1/T1/P1_T1_FLAIR.nii.gz` (the folder T1 and the second word are the
visit, the third the contrast) and `test/P54/P54_FLAIR.nii.gz`, with `..._MASK.nii.gz`; or the files
`P14_T2_FLAIR.nii.gz` in one folder, a sample that came without a licence. Described in Scientific
Data, doi 10.1038/s41597-025-05250-y; published as doi 10.6084/m9.figshare.27919209.
"""

from __future__ import annotations

from dataset_conversion.common import channel_files, nothing_found, walk_files
from dataset_conversion.converter import Converter, Found, Request, Subject

__all__ = ["CONVERTER"]

_MASK = r"P\d+(_T\d+)?_MASK\.nii(\.gz)?"
_CHANNELS = ("FLAIR", "T1", "T2")


def _find(request: Request) -> Found:
    subjects = []
    for mask in walk_files(request.source, _MASK):
        case = mask.name.split("_MASK.")[0]
        patterns = {name: f"{case}_{name}.nii*" for name in _CHANNELS}
        channels = channel_files(mask.parent, patterns, request.channels, case)
        subjects.append(Subject(case, channels, {"labelsTs": mask}))
    if not subjects:
        raise nothing_found(request.source, "file P1_T1_MASK.nii.gz or the like (lesion masks)")
    if any(request.source.glob("*_MASK.nii*")):
        return Found(subjects, licence="none stated", source="MSLesSeg challenge, in MNI space")
    return Found(subjects)


CONVERTER = Converter(
    name="mslesseg",
    title="multiple sclerosis, three contrasts",
    dataset="MSLesSeg",
    number=104,
    split="Ts",
    licence="CC BY 4.0",
    source="MSLesSeg (doi 10.6084/m9.figshare.27919209), in MNI space",
    site="figshare.com (doi 10.6084/m9.figshare.27919209)",
    expects=(
        "train/P1/T1/P1_T1_FLAIR.nii.gz, ..._T1, ..._T2, ..._MASK; test/P54/P54_FLAIR.nii.gz, ...",
        "P14_T2_FLAIR.nii.gz, ... in one folder",
    ),
    channels=_CHANNELS,
    find=_find,
)
