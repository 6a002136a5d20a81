"""The cases of an input folder and their channels, and whether they suit what is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from disanat.errors import DatasetError
from disanat.io.cases import Case, find_cases
from disanat.io.dicom_seg import is_dicom_image, require_highdicom

__all__ = ["check_dicom", "input_cases", "named_channels", "select_channels"]

_RESULT = re.compile(r"(_anomaly|_brainmask|_anatomy|_edges|_\d{4}_(phi|filled))$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def select_channels(cases: list[Case], wanted: list[int] | None) -> list[Case]:
    """Keep only some channels of each case; cases that have none of them keep nothing.

    Raises:
        DatasetError: no case has any of the wanted channels.
    """
    if wanted is None:
        return cases
    kept = [Case(c.name, {k: p for k, p in c.channels.items() if k in wanted}) for c in cases]
    if not any(c.channels for c in kept):
        there = sorted({k for c in cases for k in c.channels})
        raise DatasetError(
            f"No case has a channel {', '.join(map(str, wanted))}: use_channels must name some of "
            f"{', '.join(map(str, there))}."
        )
    return kept


def input_cases(source: Path, wanted: list[int] | None = None) -> list[Case]:
    """Cases of an input folder or file, with the channels asked for.

    Raises:
        DatasetError: there is none, or results of one would have the names of another's.
    """
    cases = select_channels(find_cases(source), wanted)
    names = {case.name for case in cases}
    for name in sorted(names):
        owner = _RESULT.sub("", name)
        if owner != name and owner in names:
            raise DatasetError(
                f"{source} holds the cases {owner} and {name}, but {name} is what a result of "
                f"{owner} is called: rename it or take it out."
            )
    return cases


def named_channels(cases: Sequence[Case], names: Sequence[str]) -> dict[int, str]:
    """Channel number -> name, as the user gives them.

    Raises:
        DatasetError: there are more or fewer names than channels, or a name is no word of its own.
    """
    if not names:
        return {}
    numbers = sorted({number for case in cases for number in case.channels})
    if len(names) != len(numbers):
        raise DatasetError(
            f"--channels gives {len(names)} names, but the scans have {len(numbers)} channels "
            f"({', '.join(map(str, numbers))}): give a name for each, in this order."
        )
    if len({n.casefold() for n in names}) < len(names) or not all(map(_NAME.fullmatch, names)):
        raise DatasetError(
            f"--channels {' '.join(names)} cannot be used: give each channel a name of its own, of "
            "letters, digits, dots, dashes and underscores."
        )
    return dict(zip(numbers, names))


def check_dicom(cases: Sequence[Case], extras: Sequence[str]) -> None:
    """A DICOM segmentation refers to a DICOM image.

    Raises:
        PlanError: highdicom is not installed.
        DatasetError: a case was not read from DICOM.
    """
    if "dicom_seg" not in extras:
        return
    require_highdicom()
    for case in cases:
        first = next(iter(case.channels.values()), None)
        if first is not None and not is_dicom_image(first):
            raise DatasetError(
                f"{first} is no DICOM image, so no DICOM segmentation can refer to it: leave "
                "dicom_seg out of --save, or give the DICOM series."
            )
