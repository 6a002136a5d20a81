"""The tissue classes disanat knows, and which numbers of common label maps belong to them.

A *tissue scheme* is an ordered tuple of classes; the anatomical image of a brain has one channel
for the background and one for each class. Three schemes exist: eight classes as label maps name
them; twelve, which are the eight with partial-volume parts of three of them set apart (what is
trained on where label maps are); three where only the atlas route is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from disanat.errors import DatasetError

__all__ = [
    "EIGHT_CLASSES",
    "NUMBERINGS",
    "Kind",
    "THREE_CLASSES",
    "TWELVE_CLASSES",
    "TissueClass",
    "class_kinds",
    "joined_probabilities",
    "remap_labels",
    "scheme_by_names",
    "whole_labels",
    "whole_numbers",
    "with_partial_volume",
]

Kind = Literal["csf", "grey", "white"]


@dataclass(frozen=True)
class TissueClass:
    """One tissue: its relaxation at 1.5 to 3 T and what it resembles.

    `t1_ms`, `t2_ms` are medians in milliseconds, `pd` is the proton density relative to water.
    The values are rounded from the relaxometry literature (Bojorquez et al., MRI 2017, and the
    references therein); contrasts are drawn widely around them, so they need not be exact.
    """

    name: str
    kind: Kind
    t1_ms: float
    t2_ms: float
    pd: float
    mixed_with: str = ""
    """Of a partial-volume class: the tissue whose signal is mixed into that of `part_of`."""
    part_of: str = ""
    """Of a partial-volume class: the class of the label map that it belongs to."""


EIGHT_CLASSES = (
    TissueClass("outer_csf", "csf", 4000.0, 1500.0, 1.00),
    TissueClass("ventricles", "csf", 4200.0, 1800.0, 1.00),
    TissueClass("cortical_grey", "grey", 1350.0, 95.0, 0.82),
    TissueClass("white", "white", 800.0, 75.0, 0.70),
    TissueClass("deep_grey", "grey", 1120.0, 84.0, 0.77),
    TissueClass("cerebellar_grey", "grey", 1300.0, 95.0, 0.82),
    TissueClass("cerebellar_white", "white", 860.0, 78.0, 0.71),
    TissueClass("brainstem", "white", 920.0, 80.0, 0.73),
)


def _mixed(name: str, mixed_with: str, part_of: str) -> TissueClass:
    """A partial-volume class; relaxation is its own tissue's, as its signal is mixed anew."""
    whole = next(c for c in EIGHT_CLASSES if c.name == part_of)
    return TissueClass(
        name, whole.kind, whole.t1_ms, whole.t2_ms, whole.pd, mixed_with, part_of
    )


# Label maps draw cortex as one broad band. In scans it holds narrow sulci, and thin blades of white
# matter: nothing a flat cortex could explain.
TWELVE_CLASSES = (
    *EIGHT_CLASSES,
    _mixed("sulci", "outer_csf", "cortical_grey"),
    _mixed("cerebellar_fissures", "outer_csf", "cerebellar_grey"),
    _mixed("light_cortex", "white", "cortical_grey"),
    _mixed("dark_white", "cortical_grey", "white"),
)

THREE_CLASSES = (
    TissueClass("csf", "csf", 4100.0, 1650.0, 1.00),
    TissueClass("grey", "grey", 1300.0, 93.0, 0.81),
    TissueClass("white", "white", 820.0, 76.0, 0.70),
)

_DLMUSE: dict[str, tuple[int, ...]] = {
    "outer_csf": (1, 46),
    "ventricles": (4, 11, 49, 50, 51, 52),
    "cortical_grey": tuple(range(100, 208)),
    "white": tuple(range(81, 96)),
    "deep_grey": (23, 30, 31, 32, 36, 37, 47, 48, *range(55, 63), 75, 76),
    "cerebellar_grey": (38, 39, 71, 72, 73),
    "cerebellar_white": (40, 41),
    "brainstem": (35,),
}

# White-matter lesions (25, 57) become white matter: training sees no lesion mask of any kind.
_FREESURFER: dict[str, tuple[int, ...]] = {
    "outer_csf": (24,),
    "ventricles": (4, 5, 14, 15, 43, 44, 72),
    "cortical_grey": (3, 42),
    "white": (2, 41, 85, 25, 57),
    "deep_grey": (10, 11, 12, 13, 17, 18, 26, 28, *range(49, 55), 58, 60, 136, 137, 163, 164),
    "cerebellar_grey": (8, 47),
    "cerebellar_white": (7, 46),
    "brainstem": (16,),
}

NUMBERINGS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "dlmuse": _DLMUSE,
    "freesurfer": _FREESURFER,
}


def scheme_by_names(names: Sequence[str]) -> tuple[TissueClass, ...]:
    """The scheme whose classes carry these names, in order.

    Raises:
        DatasetError: no scheme has these classes.
    """
    schemes = (EIGHT_CLASSES, TWELVE_CLASSES, THREE_CLASSES)
    for scheme in schemes:
        if tuple(c.name for c in scheme) == tuple(names):
            return scheme
    allowed = " or ".join(", ".join(c.name for c in s) for s in schemes)
    raise DatasetError(f"Unknown tissue classes {', '.join(names)}: use {allowed}.")


def class_kinds(scheme: Sequence[TissueClass], kind: Kind) -> tuple[int, ...]:
    """Channel numbers (1-based; 0 is the background) of all classes of one kind.

    Partial-volume classes are of no pure kind and are left out.
    """
    return tuple(i for i, c in enumerate(scheme, start=1) if c.kind == kind and not c.part_of)


def with_partial_volume(scheme: Sequence[TissueClass]) -> tuple[TissueClass, ...]:
    """The twelve classes for the eight; any other scheme as it is."""
    return TWELVE_CLASSES if tuple(scheme) == EIGHT_CLASSES else tuple(scheme)


def whole_numbers(scheme: Sequence[TissueClass]) -> np.ndarray:
    """For each class number, background first, that of the class it is part of, or its own.

    uint8, shape (classes + 1,).
    """
    number = {c.name: i for i, c in enumerate(scheme, start=1)}
    own = [number[c.part_of] if c.part_of else number[c.name] for c in scheme]
    return np.array([0, *own], np.uint8)


def whole_labels(probabilities: np.ndarray, scheme: Sequence[TissueClass]) -> np.ndarray:
    """The most probable class of a label map: partial-volume classes count for what they are in.

    Args:
        probabilities: shape (classes + 1, ...).
        scheme: the classes.

    Returns:
        uint8 class numbers without partial-volume classes, shape (...).
    """
    return np.asarray(joined_probabilities(probabilities, scheme).argmax(0), np.uint8)


def joined_probabilities(probabilities: np.ndarray, scheme: Sequence[TissueClass]) -> np.ndarray:
    """Partial-volume classes added to what they are part of.

    Args:
        probabilities: shape (classes + 1, ...), background first.
        scheme: the classes.

    Returns:
        float32, background and the classes that are part of none, shape (whole classes + 1, ...).
    """
    numbers = whole_numbers(scheme)
    joined = np.zeros((int(numbers.max()) + 1, *probabilities.shape[1:]), np.float32)
    for channel, number in enumerate(numbers):
        joined[number] += probabilities[channel]
    return joined


def remap_labels(
    labels: np.ndarray, mapping: Mapping[str, Sequence[int]], scheme: Sequence[TissueClass]
) -> np.ndarray:
    """Turn a label map of any numbering into class numbers.

    Args:
        labels: integer array of any shape.
        mapping: class name -> the numbers that belong to it; other numbers become background.
        scheme: the classes, in the order of their channels.

    Returns:
        uint8 array of the same shape: 0 background, i the i-th class of `scheme` (1-based).

    Raises:
        DatasetError: `mapping` names a class that `scheme` does not have.
    """
    channel = {c.name: i for i, c in enumerate(scheme, start=1)}
    unknown = sorted(set(mapping) - set(channel))
    if unknown:
        raise DatasetError(
            f"The prior's classes {', '.join(unknown)} in dataset.json are unknown: "
            f"use {', '.join(channel)}."
        )
    named = [number for numbers in mapping.values() for number in numbers]
    below, above = min(named, default=0) - 1, max(named, default=0) + 1
    table = np.zeros(above - below + 1, np.uint8)  # its ends stand for all numbers beyond
    for name, numbers in mapping.items():
        table[np.asarray(numbers, int) - below] = channel[name]
    return np.asarray(table[np.clip(labels.astype(np.int64), below, above) - below])
