"""Names of results in the Brain Imaging Data Structure (bids-specification.readthedocs.io).

A case with a BIDS name keeps its entities. What such a name may not say in a derivative, and the
suffix, become a mark in `desc`, so that two scans of a subject have results of their own. Of any
other name the letters and digits are the label of the subject.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from disanat.errors import DatasetError

__all__ = [
    "NO_SUFFIX",
    "SHARED_KINDS",
    "BidsName",
    "bids_name",
    "check_bids_names",
    "image_endings",
]

_NAME = re.compile(
    r"sub-(?P<sub>[A-Za-z0-9+]+)(?P<more>(_[a-z]+-[A-Za-z0-9+]+)*)(_(?P<suffix>[A-Za-z0-9]+))?"
)
_KEPT = ("sub", "ses", "task", "acq", "ce", "rec", "run", "echo", "part", "space", "chunk", "res")
"""Entities that masks, segmentations and images may all have, in the order of the specification."""
_NUMBERED = ("run", "echo", "chunk")
_PARTS = ("mag", "phase", "real", "imag")
_IMAGES = ("T1w", "T2w", "PDw", "T2starw", "FLAIR", "inplaneT1", "inplaneT2", "PDT2", "angio",
           "FLASH")  # fmt: skip
_MEANINGS = {
    "t1": "T1w", "t1w": "T1w", "t2": "T2w", "t2w": "T2w", "flair": "FLAIR", "fl": "FLAIR",
    "pd": "PDw", "pdw": "PDw", "t2s": "T2starw", "t2star": "T2starw", "t2starw": "T2starw",
}  # fmt: skip
_ENHANCED = ("t1c", "t1ce", "t1gd", "t1post", "t1wce")
NO_SUFFIX = "MRI"
"""Of an image of which nothing says what it shows; BIDS has no suffix for that."""
_IMAGE_WORDS = {"phi": "pseudohealthy", "filled": "filled"}


@dataclass(frozen=True)
class BidsName:
    """A case's name: pairs of entity and label in order, and what else tells it from others."""

    entities: tuple[tuple[str, str], ...]
    further: str = ""
    """From entities that results may not have."""
    suffix: str = ""

    @property
    def prefix(self) -> str:
        return "_".join(f"{key}-{label}" for key, label in self.entities)

    @property
    def folders(self) -> tuple[str, ...]:
        """`sub-01` and, where there are sessions, `ses-2`."""
        return tuple(f"{k}-{label}" for k, label in self.entities if k in ("sub", "ses"))

    @property
    def mark(self) -> str:
        return _joined(self.further, self.suffix)

    def shared_ending(self, kind: str) -> str:
        """What follows the prefix in the name of a file that all channels share; no extension."""
        return _ENDINGS[kind](self.mark)


def _desc(label: str) -> str:
    return f"_desc-{label}" if label else ""


def _joined(*words: str) -> str:
    """Words as one label: `brain` and `preproc` are `brainPreproc`."""
    first, *more = [word for word in words if word] or [""]
    return first + "".join(word[:1].upper() + word[1:] for word in more)


_ENDINGS: dict[str, Callable[[str], str]] = {
    "mask": lambda mark: f"label-lesion{_desc(mark)}_mask",
    "anomaly": lambda mark: f"desc-{_joined('anomaly', mark)}_statmap",
    "brainmask": lambda mark: f"desc-{_joined('brain', mark)}_mask",
    "anatomy": lambda mark: f"seg-tissues{_desc(mark)}_dseg",
    "edges": lambda mark: f"seg-tissues_desc-{_joined('edges', mark)}_dseg",
    "dicom_seg": lambda mark: f"label-lesion{_desc(mark)}_seg",
}
SHARED_KINDS = tuple(_ENDINGS)


def bids_name(case: str) -> BidsName:
    """The entities of a case by its name alone, so that other cases change nothing."""
    match = _NAME.fullmatch(case)
    pairs = [("sub", match["sub"])] if match else []
    if match:
        for part in match["more"].split("_")[1:]:
            key, _, label = part.partition("-")
            pairs.append((key, label))
    if not match or len({key for key, _ in pairs}) < len(pairs):
        return BidsName((("sub", _label(case)),))
    kept = {key: label for key, label in pairs if _may_have(key, label)}
    others = [v if k == "desc" else k + v for k, v in pairs if k not in kept]
    further = _joined(*(other.replace("+", "") for other in others))
    entities = tuple((key, kept[key]) for key in _KEPT if key in kept)
    return BidsName(entities, further, match["suffix"] or "")


def _may_have(key: str, label: str) -> bool:
    if key in _NUMBERED:
        return label.isdigit()
    return label in _PARTS if key == "part" else key in _KEPT


def _label(case: str) -> str:
    plain = unicodedata.normalize("NFKD", case)
    label = re.sub(r"[^A-Za-z0-9]", "", plain)
    return label or hashlib.sha256(case.encode()).hexdigest()[:8]


def image_endings(
    name: BidsName, kind: str, channels: Sequence[tuple[int, str, str]]
) -> dict[int, str]:
    """What follows the prefix in the names of the images of each channel; no extension.

    Args:
        name: of the case.
        kind: `phi` or `filled`.
        channels: number, name that the user gives (or empty), and contrast as it was found.
    """
    found = {number: _image(name, called, seen) for number, called, seen in channels}
    times = Counter(found.values())
    return {
        number: f"desc-{_joined(_IMAGE_WORDS[kind], mark)}"
        f"{number if times[mark, suffix] > 1 else ''}_{suffix}"
        for number, (mark, suffix) in found.items()
    }


def _image(name: BidsName, called: str, seen: str) -> tuple[str, str]:
    """Mark and suffix of a channel: by its name, else by the case's, else by its looks."""
    own, suffix = "", _MEANINGS.get(called.lower(), "")
    if not suffix:
        own = re.sub(r"[^A-Za-z0-9]", "", called)
        stated = name.suffix if name.suffix in _IMAGES else ""
        if called.lower() in _ENHANCED:
            stated = "T1w"
        suffix = stated or _MEANINGS.get(name.suffix.lower(), "") or _MEANINGS.get(seen, NO_SUFFIX)
    mark = name.further if suffix == name.suffix else name.mark
    return _joined(mark, own), suffix


def check_bids_names(cases: Iterable[str]) -> None:
    """Results of no case may have the names of another's.

    Raises:
        DatasetError: two cases would have the same.
    """
    taken: dict[str, str] = {}
    unmarked: dict[str, str] = {}
    named = [(case, bids_name(case)) for case in cases]
    for case, name in named:
        for kind in SHARED_KINDS:
            key = f"{name.prefix}_{name.shared_ending(kind)}".casefold()
            if taken.setdefault(key, case) != case:
                raise _alike(taken[key], case)
        if not name.mark:
            unmarked[name.prefix.casefold()] = case
    for case, name in named:
        # Images of one without a suffix may get that of the other.
        other = unmarked.get(name.prefix.casefold(), case)
        if other != case:
            raise _alike(other, case)


def _alike(one: str, other: str) -> DatasetError:
    return DatasetError(
        f"The cases {one} and {other} would have the same names in BIDS: rename one of them, or "
        "predict without --bids."
    )
