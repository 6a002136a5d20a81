"""ISLES 2022: acute and subacute stroke, diffusion (DWI) and its apparent coefficient (ADC).

Layout (zenodo.org/records/7153326): `ISLES-2022/sub-strokecase0001/ses-0001/dwi/
sub-strokecase0001_ses-0001_dwi.nii.gz`, `..._adc.nii.gz`, and
`derivatives/sub-strokecase0001/ses-0001/sub-strokecase0001_ses-0001_msk.nii.gz`. Older copies have
`rawdata/` above. The masks lie on the grid of DWI and ADC. FLAIR lies on another grid, to which no
mask belongs: it is not taken, for it would have to be registered first.
"""

from __future__ import annotations

from pathlib import Path

from dataset_conversion.bids_names import bids_files
from dataset_conversion.common import nothing_found
from dataset_conversion.converter import Converter, Found, Request, Subject

__all__ = ["CONVERTER"]


def _find(request: Request) -> Found:
    scans: dict[str, dict[str, list[Path]]] = {}
    for file in bids_files(request.source, raw=False):
        kind = file.suffix.upper()
        if file.subject.startswith("strokecase") and kind in (*request.channels, "MSK"):
            scans.setdefault(file.case, {}).setdefault(kind, []).append(file.path)
    subjects = []
    for case, found in sorted(scans.items()):
        channels = {name: found[name][0] for name in request.channels if name in found}
        if channels:
            labels = {"labelsTs": found["MSK"][0]} if "MSK" in found else {}
            subjects.append(Subject(case, channels, labels))
    if not subjects:
        raise nothing_found(
            request.source, "file sub-strokecase0001_ses-0001_dwi.nii.gz or the like (ISLES 2022)"
        )
    return Found(subjects)


CONVERTER = Converter(
    name="isles2022",
    title="stroke, diffusion",
    dataset="ISLES2022",
    number=119,
    split="Ts",
    licence="CC BY 4.0",
    source="ISLES 2022 (Hernandez Petzsche et al., Scientific Data 2022)",
    site="zenodo.org/records/7153326",
    expects=(
        "ISLES-2022/sub-strokecase0001/ses-0001/dwi/sub-strokecase0001_ses-0001_dwi.nii.gz, "
        "..._adc, and derivatives/sub-strokecase0001/ses-0001/..._msk.nii.gz",
    ),
    channels=("DWI", "ADC"),
    find=_find,
)
