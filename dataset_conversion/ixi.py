"""IXI: healthy people of three London hospitals, T1, T2 and proton density.

Two layouts are known:
- as brain-development.org gives it: `IXI-T1/IXI012-HH-1211-T1.nii.gz` (the archives hold the files
  without a folder, so all may lie in one), with `IXI.csv`, the demographics saved as text;
- NiChart_Project's: `t1/IXI013_T1.nii.gz` with DLMUSE maps, `dlmuse/IXI013_DLMUSE.nii.gz`.

T1 lies on another grid than T2 and PD, which share theirs: one dataset holds T1 alone, and
`--channels T2 PD` makes another one.
"""

from __future__ import annotations

import re
from pathlib import Path

from dataset_conversion.common import (
    find_file,
    find_files,
    find_optional,
    nothing_found,
    read_table,
    walk_files,
)
from dataset_conversion.converter import Converter, Found, Request, Subject
from disanat.errors import DatasetError

__all__ = ["CONVERTER"]

_NAME = re.compile(r"(IXI(\d{3})-(\w+)-\d+)-(T1|T2|PD)\.nii(\.gz)?")
_SEX = {"1": "M", "2": "F"}


def _nichart(source: Path) -> Found:
    subjects = []
    for scan in find_files(source / "t1", "*_T1.nii*", "T1 scans"):
        name = scan.name.split("_T1.")[0]
        prior = find_file(source / "dlmuse", f"{name}_DLMUSE.nii*", f"DLMUSE map of {name}")
        subjects.append(Subject(name, {"T1": scan}, prior=prior))
    return Found(
        subjects,
        source="IXI (brain-development.org), with DLMUSE maps, from CBICA NiChart_Project",
        extra={"prior": {"numbering": "dlmuse"}},
    )


def _demographics(source: Path) -> dict[str, dict[str, str]]:
    """Age and sex by the three digits of a name."""
    table = find_optional(source, "IXI.csv", "*/IXI.csv")
    if table is None:
        return {}
    facts = {}
    for row in read_table(table):
        number = row.get("ixi_id", "").partition(".")[0]
        sex = next((v for k, v in row.items() if k.startswith("sex_id")), "")
        if number.isdigit():
            sex = _SEX.get(sex.partition(".")[0], "")
            facts[f"{int(number):03d}"] = {"age": row.get("age", ""), "sex": sex}
    return facts


def _find(request: Request) -> Found:
    if (request.source / "dlmuse").is_dir():
        if request.channels != ("T1",):
            raise DatasetError(
                f"{request.source} holds NiChart_Project's IXI, which is T1 alone: leave out "
                "--channels."
            )
        return _nichart(request.source)
    scans: dict[str, dict[str, Path]] = {}
    for path in walk_files(request.source, _NAME.pattern):
        match = _NAME.fullmatch(path.name)
        if match and match[4] in request.channels:
            scans.setdefault(match[1], {})[match[4]] = path
    if not scans:
        wanted = request.channels[0]
        raise nothing_found(
            request.source,
            f"file IXI012-HH-1211-{wanted}.nii.gz or the like (IXI as downloaded)",
            "folder dlmuse (as in NiChart_Project)",
        )
    facts = _demographics(request.source)
    subjects = []
    for name, channels in sorted(scans.items()):
        site = {"site": name.split("-")[1]}
        subjects.append(Subject(name, channels, facts=site | facts.get(name[3:6], {})))
    return Found(subjects)


CONVERTER = Converter(
    name="ixi",
    title="healthy, T1 (or T2, PD)",
    dataset="IXI",
    number=5,
    split="Tr",
    licence="CC BY-SA 3.0 (IXI)",
    source="IXI (brain-development.org)",
    site="brain-development.org",
    expects=(
        "IXI-T1/IXI012-HH-1211-T1.nii.gz, IXI-T2/..., IXI-PD/..., IXI.csv if there is one",
        "t1/IXI013_T1.nii.gz and dlmuse/IXI013_DLMUSE.nii.gz (NiChart_Project)",
    ),
    channels=("T1", "T2", "PD"),
    usual=("T1",),
    find=_find,
    grids="leave_out",
)
