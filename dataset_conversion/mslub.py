"""MSLUB, also known as open_ms_data: multiple sclerosis, consensus of three raters.

Layouts, as the set's README (github.com/muschellij2/open_ms_data, cross_sectional) describes them:
- from the Laboratory of Imaging Technologies: `patient01/patient01_FLAIR.nii.gz`, `_T1W`, `_T1WKS`
  (with contrast agent), `_T2W`, `_consensus_gt`;
- from GitHub: `cross_sectional/coregistered_resampled/patient01/FLAIR.nii.gz` and so on;
- its version in MNI space: `MNI/patient19/FLAIR_*.nii.gz`, mask `GOLD_STANDARD_*`.
"""

from __future__ import annotations

from pathlib import Path

from dataset_conversion.common import channel_files, find_file, nothing_found, walk_folders
from dataset_conversion.converter import Converter, Found, Request, Subject

__all__ = ["CONVERTER"]

_PATIENT = r"patient\d+"
_VERSIONS = ("cross_sectional/coregistered_resampled", "coregistered_resampled")
_ORIGINAL = {"FLAIR": "FLAIR", "T1": "T1W", "T2": "T2W", "T1c": "T1WKS"}
_MNI = {"FLAIR": "FLAIR_*", "T1": "T1_*", "T2": "T2_*", "T1c": "T1POST_*"}


def _subject(folder: Path, request: Request) -> Subject:
    name = folder.name
    if any(folder.glob("GOLD_STANDARD_*.nii*")):
        patterns = {channel: f"{start}.nii*" for channel, start in _MNI.items()}
        mask = find_file(folder, "GOLD_STANDARD_*.nii*", f"consensus mask of {name}")
    else:
        start = f"{name}_" if any(folder.glob(f"{name}_consensus_gt.nii*")) else ""
        patterns = {channel: f"{start}{word}.nii*" for channel, word in _ORIGINAL.items()}
        mask = find_file(folder, f"{start}consensus_gt.nii*", f"consensus mask of {name}")
    channels = channel_files(folder, patterns, request.channels, name)
    return Subject(name, channels, {"labelsTs": mask})


def _find(request: Request) -> Found:
    source = request.source
    inner = next((source / v for v in _VERSIONS if (source / v).is_dir()), source)
    folders = walk_folders(inner, _PATIENT)
    if not folders:
        raise nothing_found(source, "folder patient01, patient02 ... (MSLUB patients)")
    mni = any(folders[0].glob("GOLD_STANDARD_*.nii*"))
    return Found(
        [_subject(folder, request) for folder in folders],
        source="open_ms_data (Lesjak et al., Neuroinformatics 2018)" + ", in MNI space" * mni,
    )


CONVERTER = Converter(
    name="mslub",
    title="multiple sclerosis, three contrasts",
    dataset="MSLUB",
    number=103,
    split="Ts",
    licence="CC BY",
    source="open_ms_data (Lesjak et al., Neuroinformatics 2018)",
    site="lit.fe.uni-lj.si, or github.com/muschellij2/open_ms_data",
    expects=(
        "patient01/patient01_FLAIR.nii.gz, ..._T1W, ..._T1WKS, ..._T2W, ..._consensus_gt",
        "cross_sectional/coregistered_resampled/patient01/FLAIR.nii.gz, ... (GitHub)",
        "MNI/patient19/FLAIR_*.nii.gz, T1_*, T2_*, T1POST_*, GOLD_STANDARD_*",
    ),
    channels=("FLAIR", "T1", "T2", "T1c"),
    usual=("FLAIR", "T1", "T2"),
    find=_find,
)
