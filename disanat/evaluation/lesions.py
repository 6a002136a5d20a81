"""Lesion by lesion: how many were found, by size and by contrast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = [
    "CONTRAST_BINS",
    "FOUND_FRACTION",
    "SIZE_BINS",
    "JudgedLesion",
    "LesionRecall",
    "add_recalls",
    "contrast_bin",
    "judge_lesions",
    "lesion_recall",
    "number_lesions",
    "recall_by_size",
    "size_bin",
]

FOUND_FRACTION = 0.1
"""A lesion counts as found when at least this part of its voxels is in the mask."""

SIZE_BINS: tuple[tuple[str, float, float], ...] = (
    ("<0.1 mL", 0.0, 0.1),
    ("0.1-1 mL", 0.1, 1.0),
    ("1-5 mL", 1.0, 5.0),
    (">=5 mL", 5.0, float("inf")),
)
"""Name, smallest volume (inclusive) and largest (exclusive)."""

CONTRAST_BINS: tuple[tuple[str, float, float], ...] = (
    ("<1 SD", 0.0, 1.0),
    ("1-2 SD", 1.0, 2.0),
    ("2-3 SD", 2.0, 3.0),
    (">=3 SD", 3.0, float("inf")),
)
"""Name, smallest contrast whatever its sign (inclusive) and largest (exclusive)."""


@dataclass(frozen=True)
class JudgedLesion:
    """One lesion of the truth."""

    volume_ml: float
    found: bool
    contrast: float | None = None
    """In robust SDs of the brain, negative where it is darker than the brain around it; None where
    the scan was not at hand."""


@dataclass(frozen=True)
class LesionRecall:
    """How many lesions of one size there are, and how many of them were found."""

    size: str
    lesions: int
    found: int

    @property
    def recall(self) -> float | None:
        return self.found / self.lesions if self.lesions else None


def size_bin(volume_ml: float) -> str:
    """The name of the bin of `SIZE_BINS` that a volume lies in."""
    return _bin(volume_ml, SIZE_BINS)


def contrast_bin(contrast: float) -> str:
    """The name of the bin of `CONTRAST_BINS` that a contrast lies in, whatever its sign."""
    return _bin(abs(contrast), CONTRAST_BINS)


def _bin(value: float, bins: Sequence[tuple[str, float, float]]) -> str:
    return next(name for name, low, high in bins if low <= value < high)


def number_lesions(lesion: np.ndarray) -> tuple[np.ndarray, int]:
    """The lesions of a truth, its 26-connected components: 0 outside, numbers from 1 on; how many.

    Args:
        lesion: bool, three axes.
    """
    labels, count = ndimage.label(lesion, structure=np.ones((3, 3, 3), bool))
    return labels, int(count)


def judge_lesions(
    labels: np.ndarray,
    count: int,
    mask: np.ndarray,
    brain: np.ndarray,
    voxel_ml: float,
    contrasts: Sequence[float | None] = (),
) -> tuple[JudgedLesion, ...]:
    """Which lesions were found, and how large each is.

    Voxels outside the brain mask belong to a lesion and are never in the mask.

    Args:
        labels, count: from `number_lesions`.
        mask: bool, the prediction, same shape.
        brain: bool, same shape.
        voxel_ml: volume of one voxel in millilitres.
        contrasts: of each lesion; none where they are not known.
    """
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    hits = np.bincount(labels[mask & brain], minlength=count + 1)[1:]
    # Compared as whole voxels: 0.1 x 30 is not 3 in floating point.
    found = hits >= np.ceil(np.round(sizes * FOUND_FRACTION, 6))
    return tuple(
        JudgedLesion(float(size * voxel_ml), bool(hit), contrast)
        for size, hit, contrast in zip(sizes, found, contrasts or [None] * count)
    )


def recall_by_size(lesions: Iterable[JudgedLesion]) -> tuple[LesionRecall, ...]:
    """Count lesions, and those found, in each size bin."""
    there = {name: 0 for name, _, _ in SIZE_BINS}
    found = dict(there)
    for one in lesions:
        name = size_bin(one.volume_ml)
        there[name] += 1
        found[name] += one.found
    return tuple(LesionRecall(name, there[name], found[name]) for name in there)


def lesion_recall(
    mask: np.ndarray, lesion: np.ndarray, brain: np.ndarray, voxel_ml: float
) -> tuple[LesionRecall, ...]:
    """Count the lesions of a truth, and those found, in each size bin.

    Args:
        mask: bool, the prediction.
        lesion: bool, the truth, same shape.
        brain: bool, same shape.
        voxel_ml: volume of one voxel in millilitres.
    """
    return recall_by_size(judge_lesions(*number_lesions(lesion), mask, brain, voxel_ml))


def add_recalls(recalls: Iterable[tuple[LesionRecall, ...]]) -> tuple[LesionRecall, ...]:
    """The counts of several scans together, bin by bin."""
    lesions = {name: 0 for name, _, _ in SIZE_BINS}
    found = dict(lesions)
    for recall in recalls:
        for entry in recall:
            lesions[entry.size] += entry.lesions
            found[entry.size] += entry.found
    return tuple(LesionRecall(name, lesions[name], found[name]) for name in lesions)
