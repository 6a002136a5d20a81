"""From raw scores to probabilities in healthy brains, and a threshold that needs no labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from disanat.errors import ModelError
from disanat.scoring.case_level import ANY
from disanat.scoring.ranking import average_precision, rank

log = logging.getLogger(__name__)

__all__ = [
    "ANY",
    "BEST",
    "FALSE_POSITIVES",
    "Calibration",
    "choose_shares",
    "choose_threshold",
    "dice_curve",
    "fit_table",
    "fpr_thresholds",
    "in_own_units",
]

_STEPS = np.arange(0.0, 6.01, 0.1)
_FEWEST_IN_TAIL = 10
_UPPER = 0.8
"""Quantile of a scan's scores that says how far those of healthy tissue spread upwards."""
_TRIM, _TRIM_ROUNDS = 4.0, 3
_FEWEST_OF_A_KIND = 3
"""Healthy volumes of a kind of contrast whose median is taken on its own."""
BEST = "best"
"""Name of the threshold with the best mean Dice on synthetic lesions."""
FALSE_POSITIVES = {"1%": 0.01, "5%": 0.05}
"""Names of the thresholds that leave a share of healthy voxels above them."""
_SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Calibration:
    """Tables that turn a method's raw score into -log10 of its rarity in healthy brains.

    `tables` holds, per kind of contrast, the raw scores that a fraction 10^-0, 10^-0.1, 10^-0.2 ...
    of healthy voxels exceeds. `threshold` is the stored threshold of the mask, in the same units.
    `false_positives_ml` is the median volume above it in healthy brains that nothing else was
    fitted on, `dice` the mean Dice on synthetic lesions. `shares` says how much of each of a
    method's further scores is added to its first.

    `fpr_thresholds` are those of `FALSE_POSITIVES`, `case_scores` the case scores of healthy cases
    by kind of contrast and of all as `ANY`, `bounds` the lowest and highest value of each of a
    method's figures that is not odd. Models of earlier versions have none of the three.

    `own_units` says that the tables hold scores as `in_own_units` gives them; False in models of
    earlier versions.
    """

    tables: dict[str, tuple[float, ...]]
    threshold: float
    false_positives_ml: float
    dice: float
    shares: Mapping[str, float] = field(default_factory=dict)
    fpr_thresholds: Mapping[str, float] = field(default_factory=dict)
    case_scores: Mapping[str, Sequence[float]] = field(default_factory=dict)
    bounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    own_units: bool = False

    def __call__(
        self, score: np.ndarray, contrast: str, brain: np.ndarray | None = None
    ) -> np.ndarray:
        """-log10 of the share of healthy voxels with at least this score; float32, >= 0.

        Beyond the last entry of a table the tail goes on with the slope of its last decade.

        Args:
            score: the joined score of a whole scan, any shape.
            contrast: its kind.
            brain: bool, same shape; None where every voxel is brain.
        """
        known = in_own_units(score, brain) if self.own_units else score
        return self.rarity(known, contrast)

    def rarity(self, known: np.ndarray, contrast: str) -> np.ndarray:
        """The same for scores that are in the scan's own units already, where the tables are."""
        return _rarity(known, self.table(contrast))

    def table(self, contrast: str) -> tuple[float, ...]:
        """The table of a kind of contrast; of all scans together where that one is missing."""
        if not self.tables:
            raise ModelError("The model holds no calibration: train it again to the end.")
        if contrast in self.tables:
            return self.tables[contrast]
        log.warning("No healthy reference for %s-like scans: taking that of all scans.", contrast)
        return self.tables.get(ANY) or next(iter(self.tables.values()))

    def threshold_of(self, choice: str | float) -> float:
        """The threshold that a user means by `best`, `1%`, `5%` or a number.

        Raises:
            ModelError: it is none of these, or the model was calibrated before it had them.
        """
        if choice == BEST:
            return self.threshold
        if choice in self.fpr_thresholds:
            return self.fpr_thresholds[str(choice)]
        if choice in FALSE_POSITIVES:
            raise ModelError(
                f"The model holds no threshold for {choice} false positives: train it again, or "
                f"give --threshold {BEST} or a number."
            )
        try:
            number = float(choice)
        except ValueError:
            number = float("nan")
        if not np.isfinite(number) or number <= 0:
            raise ModelError(
                f"'{choice}' is no threshold: give --threshold {BEST}, "
                f"{', '.join(FALSE_POSITIVES)}, or a number above 0 in units of the anomaly map."
            )
        return number


def in_own_units(score: np.ndarray, brain: np.ndarray | None = None) -> np.ndarray:
    """A scan's scores in units of what is usual in that very scan.

    The median becomes 0 and the 80th percentile 1. A sharper, noisier or otherwise different scan
    spreads the scores of healthy tissue as well; most of a brain is healthy, so these two say by
    how much. Scores above 4 are left out and both are taken again, three times, so that a lesion
    hardly shifts them.

    Args:
        score: any shape.
        brain: bool, same shape: which voxels count; None for all.
    """
    inside = score if brain is None else score[brain]
    if inside.size == 0:
        return score
    middle, upper = (float(q) for q in np.quantile(inside, (0.5, _UPPER)))
    for _ in range(_TRIM_ROUNDS):
        usual = inside[inside <= middle + _TRIM * (upper - middle)]
        middle, upper = (float(q) for q in np.quantile(usual, (0.5, _UPPER)))
    return np.asarray((score - middle) / max(upper - middle, 1e-6), np.float32)


def _rarity(score: np.ndarray, table: Sequence[float]) -> np.ndarray:
    knots = np.maximum.accumulate(np.asarray(table, float) + np.arange(len(table)) * 1e-9)
    rarity = np.interp(score, knots, _STEPS[: len(knots)])
    before = max(0, len(knots) - 11)
    slope = (len(knots) - 1 - before) * 0.1 / max(knots[-1] - knots[before], 1e-3)
    beyond = np.maximum(np.asarray(score, float) - knots[-1], 0) * slope
    return np.asarray(rarity + beyond, np.float32)


def fit_table(scores: np.ndarray) -> tuple[float, ...]:
    """Quantiles of healthy scores as a calibration table, as far as ten voxels remain beyond."""
    last = np.log10(max(scores.size, 2) / _FEWEST_IN_TAIL)
    steps = _STEPS[max(last, 1.0) >= _STEPS]
    return tuple(float(q) for q in np.quantile(scores, 1 - 10.0**-steps))


def choose_shares(
    cases: Sequence[tuple[np.ndarray, Mapping[str, np.ndarray], np.ndarray]],
    known: Sequence[bool] = (),
    learned: Sequence[str] = (),
) -> dict[str, float]:
    """How much of each further score to add for a good mean average precision.

    One score after the other takes one of a few shares while the others keep theirs, twice: the
    smallest that is no worse than the best by more than one standard error of their difference,
    volume by volume (the one-standard-error rule: Breiman et al., Classification and Regression
    Trees, 1984). Few volumes cannot say more.

    A score that was learned from synthetic lesions is judged by those of the other kind, any other
    score by the kind that training knows, which alone follows the physics of the contrast.

    Args:
        cases: of each volume with synthetic lesions the score, the further scores by name, and
            the truth, flat.
        known: of each volume whether its lesions are of the kind that training knows; where none
            is of the kind that should judge a score, all volumes do.
        learned: the further scores that were learned from synthetic lesions.

    Returns:
        For each name one of 0, 0.25, 0.5, 1, 2, 4, 8 and 16.
    """
    shares = {name: 0.0 for name in cases[0][1]} if cases else {}
    for name in [*shares, *shares]:
        wanted = name not in learned
        judges = [case for case, kind in zip(cases, known) if kind == wanted] or cases
        reached = [_precisions(judges, shares | {name: share}) for share in _SHARES]
        best = max(reached, key=lambda values: float(values.mean()))
        good = [_no_worse(values, best) for values in reached]
        shares[name] = _SHARES[good.index(True)]
    return shares


def _precisions(
    cases: Sequence[tuple[np.ndarray, Mapping[str, np.ndarray], np.ndarray]],
    shares: Mapping[str, float],
) -> np.ndarray:
    """Average precision of the joined score of each volume."""
    joined = (
        (truth, score + sum(shares[name] * further[name] for name in shares))
        for score, further, truth in cases
    )
    rankings = (rank(score, truth, np.ones_like(truth)) for truth, score in joined)
    return np.array([average_precision(ranking) or 0.0 for ranking in rankings])


def _no_worse(values: np.ndarray, best: np.ndarray) -> bool:
    """Whether the mean lies within one standard error of the paired difference to the best's."""
    loss = best - values
    error = float(loss.std(ddof=1)) / np.sqrt(loss.size) if loss.size > 1 else 0.0
    return float(loss.mean()) <= error


def dice_curve(score: np.ndarray, truth: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Dice of `score >= t` against the truth (flat arrays of one case) for every threshold."""
    lesion = np.sort(score[truth])
    everything = np.sort(score)
    hits = lesion.size - np.searchsorted(lesion, thresholds)
    found = everything.size - np.searchsorted(everything, thresholds)
    return np.asarray(2 * hits / np.maximum(found + lesion.size, 1))


def choose_threshold(
    healthy: Sequence[np.ndarray],
    lesions: Sequence[tuple[np.ndarray, np.ndarray]],
    voxel_ml: float | Sequence[float],
    most_ml: float = 1.0,
    kinds: Sequence[str] = (),
) -> tuple[float, Mapping[str, float]]:
    """The threshold with the best mean Dice on synthetic lesions that keeps healthy brains clean.

    Args:
        healthy: calibrated scores of the brain voxels of each healthy volume.
        lesions: calibrated scores and truth of each volume with synthetic lesions.
        voxel_ml: volume of a voxel, of all healthy volumes or of each.
        most_ml: highest median volume of false positives per healthy brain.
        kinds: contrast of each healthy volume. Each kind with three or more has to keep to it, so
            that clean brains in one contrast do not make up for others; by default all together.

    Returns:
        The threshold, and the figures `false_positives_ml` (where there are kinds, of the one with
        most) and `dice` at it.
    """
    thresholds = np.arange(0.5, 12.01, 0.05)
    counts = np.array([h.size - np.searchsorted(np.sort(h), thresholds) for h in healthy])
    volumes = counts * np.broadcast_to(voxel_ml, len(healthy))[:, None]
    groups = [np.array(kinds) == kind for kind in sorted(set(kinds))]
    enough = [volumes[group] for group in groups if group.sum() >= _FEWEST_OF_A_KIND]
    median = np.max([np.median(one, axis=0) for one in enough or [volumes]], axis=0)
    dice = np.mean([dice_curve(score, truth, thresholds) for score, truth in lesions], axis=0)
    allowed = median <= most_ml
    best = int(np.argmax(np.where(allowed, dice, -1))) if allowed.any() else len(thresholds) - 1
    figures = {"false_positives_ml": float(median[best]), "dice": float(dice[best])}
    return float(thresholds[best]), figures


def fpr_thresholds(healthy: Sequence[np.ndarray]) -> dict[str, float]:
    """For each share of `FALSE_POSITIVES` the score that so many voxels of healthy brains reach.

    Args:
        healthy: calibrated scores of the brain voxels of each healthy volume; all voxels of all
            volumes count alike.
    """
    scores = np.concatenate(healthy)
    return {name: float(np.quantile(scores, 1 - share)) for name, share in FALSE_POSITIVES.items()}
