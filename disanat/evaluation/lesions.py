"""Lesion by lesion: how many were found, by size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["FOUND_FRACTION", "SIZE_BINS", "LesionRecall", "add_recalls", "lesion_recall"]

FOUND_FRACTION = 0.1
"""A lesion counts as found when at least this part of its voxels is in the mask."""

SIZE_BINS: tuple[tuple[str, float, float], ...] = (
    ("<0.1 mL", 0.0, 0.1),
    ("0.1-1 mL", 0.1, 1.0),
    ("1-5 mL", 1.0, 5.0),
    (">=5 mL", 5.0, float("inf")),
)
"""Name, smallest volume (inclusive) and largest (exclusive)."""


@dataclass(frozen=True)
class LesionRecall:
    """How many lesions of one size there are, and how many of them were found."""

    size: str
    lesions: int
    found: int

    @property
    def recall(self) -> float | None:
        return self.found / self.lesions if self.lesions else None


def lesion_recall(
    mask: np.ndarray, lesion: np.ndarray, brain: np.ndarray, voxel_ml: float
) -> tuple[LesionRecall, ...]:
    """Count lesions, and those found, in each size bin.

    A lesion is a 26-connected component of the truth. Its voxels outside the brain mask belong to
    it and are never in the mask.

    Args:
        mask: bool, the prediction.
        lesion: bool, the truth, same shape.
        brain: bool, same shape.
        voxel_ml: volume of one voxel in millilitres.
    """
    labels, count = ndimage.label(lesion, structure=np.ones((3, 3, 3), bool))
    sizes = np.bincount(labels[lesion], minlength=count + 1)[1:]
    hits = np.bincount(labels[lesion & mask & brain], minlength=count + 1)[1:]
    # Compared as whole voxels: 0.1 x 30 is not 3 in floating point.
    found = hits >= np.ceil(np.round(sizes * FOUND_FRACTION, 6))
    volumes = sizes * voxel_ml
    result = []
    for name, low, high in SIZE_BINS:
        inside = (volumes >= low) & (volumes < high)
        result.append(LesionRecall(name, int(inside.sum()), int((inside & found).sum())))
    return tuple(result)


def add_recalls(recalls: Iterable[tuple[LesionRecall, ...]]) -> tuple[LesionRecall, ...]:
    """The counts of several scans together, bin by bin."""
    lesions = {name: 0 for name, _, _ in SIZE_BINS}
    found = dict(lesions)
    for recall in recalls:
        for entry in recall:
            lesions[entry.size] += entry.lesions
            found[entry.size] += entry.found
    return tuple(LesionRecall(name, lesions[name], found[name]) for name in lesions)
