"""The lesion mask: which voxels of an anomaly map belong to it, decided without labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = [
    "LEVELS",
    "ChosenRules",
    "MaskCounts",
    "MaskRule",
    "choose_mask_rules",
    "count_voxels",
    "kinds_with_enough",
    "told_rules",
]

LEVELS = np.arange(1.5, 12.01, 0.25)
"""Of the anomaly map: what thresholds are chosen from."""
_FEWEST_OF_A_KIND = 3
"""Volumes of a kind of contrast that speak for it."""
_ALL = ""
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

    def __str__(self) -> str:
        peak = "" if self.peak is None else f", peak {self.peak:.2f}"
        return f"{self.threshold:.2f}{peak}"

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


def told_rules(common: MaskRule, own: Mapping[str, MaskRule]) -> str:
    """Rules in words, such as `3.00, peak 5.00; in t1-like scans 2.50, peak 5.00`."""
    further = [f"in {kind}-like scans {rule}" for kind, rule in own.items()]
    return "; ".join([str(common), *further])


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
class ChosenRules:
    """A common rule and one for each kind of contrast, and what masks by them are like.

    `own` holds those that differ from the common one, of kinds with three or more healthy volumes
    and three or more with lesions; all others have the common rule. `false_positives_ml` is the
    median volume in healthy brains, of the kind with most, `dice` the mean Dice on synthetic
    lesions.
    """

    common: MaskRule
    own: Mapping[str, MaskRule]
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


def choose_mask_rules(
    healthy: Sequence[MaskCounts],
    lesions: Sequence[MaskCounts],
    voxel_ml: float | Sequence[float],
    kinds: Sequence[str] = (),
    lesion_kinds: Sequence[str] = (),
    most_ml: float = 1.0,
) -> ChosenRules:
    """The rules with the best mean Dice on synthetic lesions that keep healthy brains clean.

    The common rule has to keep every kind of contrast clean, so that clean brains in one do not
    make up for others. A kind's own rule keeps that kind clean, with the best mean of Dice in that
    kind and in all: few volumes of one kind should not decide alone.

    Args:
        healthy: of each healthy volume.
        lesions: of each volume with synthetic lesions.
        voxel_ml: volume of a voxel, of all healthy volumes or of each.
        kinds: contrast of each healthy volume; by default all count as one kind.
        lesion_kinds: contrast of each volume with lesions.
        most_ml: highest median volume of false positives per healthy brain.

    Returns:
        The rules, each the strictest of all if none keeps healthy brains that clean.
    """
    volumes = np.array([one.found for one in healthy], float)
    volumes *= np.broadcast_to(voxel_ml, len(healthy))[:, None, None]
    dice = np.array([one.dice() for one in lesions])
    medians = {kind: np.median(volumes[group], axis=0) for kind, group in kinds_with_enough(kinds)}
    if not medians:
        medians = {_ALL: np.median(volumes, axis=0)}
    common = _best(np.max([*medians.values()], axis=0), dice.mean(axis=0), most_ml)
    own = {
        kind: _best(medians[kind], (dice[group].mean(axis=0) + dice.mean(axis=0)) / 2, most_ml)
        for kind, group in kinds_with_enough(lesion_kinds)
        if kind in medians
    }
    marked = [median[own.get(kind, common)] for kind, median in medians.items()]
    reached = [
        one[own.get(kind, common)]
        for one, kind in zip(dice, lesion_kinds or [_ALL] * len(dice), strict=True)
    ]
    rules = {kind: _rule(place) for kind, place in own.items() if place != common}
    return ChosenRules(_rule(common), rules, float(max(marked)), float(np.mean(reached)))


def kinds_with_enough(kinds: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Each kind of contrast with three volumes or more, and which ones they are (bool)."""
    for kind in sorted(set(kinds)):
        group = np.array(kinds) == kind
        if group.sum() >= _FEWEST_OF_A_KIND:
            yield kind, group


def _best(median_ml: np.ndarray, dice: np.ndarray, most_ml: float) -> tuple[int, int]:
    """Place of the best rule that is allowed."""
    allowed = np.triu(median_ml <= most_ml)
    best = int(np.argmax(np.where(allowed, dice, -1))) if allowed.any() else dice.size - 1
    return best // LEVELS.size, best % LEVELS.size


def _rule(place: tuple[int, int]) -> MaskRule:
    return MaskRule(float(LEVELS[place[0]]), float(LEVELS[place[1]]))
