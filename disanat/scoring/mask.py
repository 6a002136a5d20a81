"""The lesion mask: which voxels of an anomaly map belong to it, decided without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["LEVELS", "ChosenRule", "MaskCounts", "MaskRule", "choose_mask_rule", "count_voxels"]

LEVELS = np.arange(1.5, 12.01, 0.25)
"""Of the anomaly map: what thresholds are chosen from."""
_FEWEST_OF_A_KIND = 3
"""Healthy volumes of a kind of contrast whose median is taken on its own."""
_TOUCHING = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class MaskRule:
    """Which voxels of an anomaly map are in the lesion mask, in the map's units.

    The 26-connected regions of voxels that reach `threshold`, if one of their voxels reaches `peak`
    (None: `threshold` says all). So a lesion has to be rare somewhere, but is taken as far as it
    is merely unusual (hysteresis: Canny, A Computational Approach to Edge Detection, 1986).
    """

    threshold: float
    peak: float | None = None

    def __call__(self, anomaly: np.ndarray, brain: np.ndarray) -> np.ndarray:
        """The mask, bool.

        Args:
            anomaly: the map, (S, P, L).
            brain: bool, same shape; nothing outside is in the mask, or connects what is.
        """
        unusual = np.asarray((anomaly >= self.threshold) & brain)
        if self.peak is None or self.peak <= self.threshold:
            return unusual
        regions, number = ndimage.label(unusual, structure=_TOUCHING)
        rare = np.zeros(number + 1, bool)
        rare[regions[unusual & (anomaly >= self.peak)]] = True
        return np.asarray(rare[regions])


@dataclass(frozen=True)
class MaskCounts:
    """Voxels that each rule would put into the mask of one volume, and those of its lesion.

    `found` and `hits` (in the lesion) have the threshold along the first axis, the peak along the
    second, both in steps of `LEVELS`; 0 where the peak is below the threshold.
    """

    found: np.ndarray
    hits: np.ndarray
    lesion: int

    def dice(self) -> np.ndarray:
        """Dice of the masks against the lesion, of the same shape."""
        return np.asarray(2 * self.hits / np.maximum(self.found + self.lesion, 1))


@dataclass(frozen=True)
class ChosenRule:
    """A rule, the median volume of its mask in healthy brains, and its Dice on synthetic lesions.

    Where there are kinds of contrast, `false_positives_ml` is that of the kind with most.
    """

    rule: MaskRule
    false_positives_ml: float
    dice: float


def count_voxels(anomaly: np.ndarray, truth: np.ndarray | None = None) -> MaskCounts:
    """What all rules would make of a volume.

    Args:
        anomaly: the map, (S, P, L), 0 outside the brain.
        truth: bool, same shape, the lesion; None in a healthy brain.
    """
    found = np.zeros((LEVELS.size, LEVELS.size), np.int64)
    hits = np.zeros_like(found)
    for row, level in enumerate(LEVELS):
        inside = np.asarray(anomaly >= level)
        regions, number = ndimage.label(inside, structure=_TOUCHING)
        own = regions[inside]
        highest = np.zeros(number + 1)
        np.maximum.at(highest, own, anomaly[inside])
        peaks = highest[own]
        found[row, row:] = _reaching(peaks, LEVELS[row:])
        if truth is not None:
            hits[row, row:] = _reaching(peaks[truth[inside]], LEVELS[row:])
    return MaskCounts(found, hits, 0 if truth is None else int(np.count_nonzero(truth)))


def _reaching(peaks: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.asarray(peaks.size - np.searchsorted(np.sort(peaks), levels))


def choose_mask_rule(
    healthy: Sequence[MaskCounts],
    lesions: Sequence[MaskCounts],
    voxel_ml: float | Sequence[float],
    most_ml: float = 1.0,
    kinds: Sequence[str] = (),
) -> ChosenRule:
    """The rule with the best mean Dice on synthetic lesions that keeps healthy brains clean.

    Args:
        healthy: of each healthy volume.
        lesions: of each volume with synthetic lesions.
        voxel_ml: volume of a voxel, of all healthy volumes or of each.
        most_ml: highest median volume of false positives per healthy brain.
        kinds: contrast of each healthy volume. Each kind with three or more has to keep to it, so
            that clean brains in one contrast do not make up for others; by default all together.

    Returns:
        The rule, the strictest of all if none keeps healthy brains that clean, and its figures.
    """
    volumes = np.array([one.found for one in healthy], float)
    volumes *= np.broadcast_to(voxel_ml, len(healthy))[:, None, None]
    groups = [np.array(kinds) == kind for kind in sorted(set(kinds))]
    enough = [volumes[group] for group in groups if group.sum() >= _FEWEST_OF_A_KIND]
    median = np.max([np.median(one, axis=0) for one in enough or [volumes]], axis=0)
    dice = np.mean([one.dice() for one in lesions], axis=0)
    allowed = np.triu(median <= most_ml)
    best = int(np.argmax(np.where(allowed, dice, -1))) if allowed.any() else dice.size - 1
    row, column = np.unravel_index(best, dice.shape)
    rule = MaskRule(float(LEVELS[row]), float(LEVELS[column]))
    return ChosenRule(rule, float(median[row, column]), float(dice[row, column]))
