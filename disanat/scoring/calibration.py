"""From raw scores to probabilities in healthy brains, and a threshold that needs no labels."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from disanat.errors import ModelError
from disanat.scoring.case_level import ANY
from disanat.scoring.mask import ChosenRules, MaskRule, kinds_with_enough, told_rules

log = logging.getLogger(__name__)

__all__ = [
    "ANY",
    "BEST",
    "FALSE_POSITIVES",
    "Calibration",
    "fit_table",
    "fpr_thresholds",
    "in_own_units",
    "tail_quantiles",
    "with_fpr_thresholds",
    "with_mask_rules",
]

_STEPS = np.arange(0.0, 6.01, 0.1)
_FEWEST_IN_TAIL = 10
_UPPER = 0.8
"""Quantile of a scan's scores that says how far those of healthy tissue spread upwards."""
_TRIM, _TRIM_ROUNDS = 4.0, 3
BEST = "best"
"""Name of the mask rule with the best mean Dice on synthetic lesions."""
FALSE_POSITIVES = {"1%": 0.01, "5%": 0.05}
"""Names of the thresholds that leave a share of the median healthy brain above them."""


@dataclass(frozen=True)
class Calibration:
    """Tables that turn a method's raw score into -log10 of its rarity in healthy brains.

    `tables` holds, per kind of contrast, the raw scores that a fraction 10^-0, 10^-0.1, 10^-0.2 ...
    of the voxels of the median healthy brain exceeds. `threshold` and `peak` are those of the
    stored `MaskRule`, in the same units. `false_positives_ml` is the median volume of its mask in
    healthy brains that nothing else was fitted on, `dice` the mean Dice on synthetic lesions.
    `own_rules` holds those of single kinds of contrast where they differ (of several channels,
    their kinds in order, with blanks between).
    `shares` says how much of each of a method's further scores is added to its first, `own_shares`
    by kind of contrast where one has another share.

    `fpr_thresholds` are those of `FALSE_POSITIVES`, `own_fpr_thresholds` the same by kind of
    contrast, `case_scores` the case scores of healthy cases
    by kind of contrast and of all as `ANY`, `bounds` the lowest and highest value of each of a
    method's figures that is not odd. Models of earlier versions have none of the three.

    `own_units` says that the tables hold scores as `in_own_units` gives them; False in models of
    earlier versions, which have neither `peak` nor anything of one kind's own.
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
    peak: float | None = None
    own_shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    own_rules: Mapping[str, MaskRule] = field(default_factory=dict)
    own_fpr_thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def shares_for(self, contrast: str) -> Mapping[str, float]:
        """How much of each further score is added in scans of a kind of contrast."""
        return {**self.shares, **self.own_shares.get(contrast, {})}

    def told_shares(self) -> str:
        """All shares in words, such as `comparator 0.5, comparator 1 in t1-like scans`."""
        common = [f"{name} {share:g}" for name, share in self.shares.items()]
        own = [
            f"{name} {share:g} in {kind}-like scans"
            for kind, shares in self.own_shares.items()
            for name, share in shares.items()
        ]
        return ", ".join([*common, *own]) or "none"

    def own_mask_rules(self, choice: str | float = BEST) -> dict[str, MaskRule]:
        """The rules of the kinds of contrast that `choice` does not mean the common one in."""
        kinds = dict.fromkeys([*self.own_rules, *self.own_fpr_thresholds])
        rules = {kind: self.mask_rule(choice, kind.split()) for kind in kinds}
        return {kind: rule for kind, rule in rules.items() if rule != self.mask_rule(choice)}

    def told_rules(
        self, choice: str | float = BEST, kinds: Collection[str] | None = None
    ) -> str:
        """The rules in words, such as `3.00, peak 5.00; in t1-like scans 2.50, peak 5.00`.

        Args:
            choice: as of `mask_rule`.
            kinds: which ones to name beside the common one; all by default.
        """
        own = self.own_mask_rules(choice).items()
        return told_rules(
            self.mask_rule(choice), {k: rule for k, rule in own if kinds is None or k in kinds}
        )

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

    def mask_rule(self, choice: str | float = BEST, contrasts: Sequence[str] = ()) -> MaskRule:
        """The rule that a user means by `best`, `1%`, `5%` or a number; only `best` has a peak.

        Args:
            choice: one of these.
            contrasts: kind of each channel of a case; by default the common rule is given.

        Raises:
            ModelError: it is none of these, or the model was calibrated before it had them.
        """
        kind = " ".join(contrasts)
        if choice == BEST:
            return self.own_rules.get(kind, MaskRule(self.threshold, self.peak))
        stored = {**self.fpr_thresholds, **self.own_fpr_thresholds.get(kind, {})}
        if choice in stored:
            return MaskRule(stored[str(choice)])
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
        return MaskRule(number)


def with_mask_rules(calibration: Calibration, chosen: ChosenRules) -> Calibration:
    """The calibration with other rules for the mask; those of further kinds of contrast stay."""
    return replace(
        calibration,
        threshold=chosen.common.threshold,
        peak=chosen.common.peak,
        own_rules={**calibration.own_rules, **chosen.own},
        false_positives_ml=chosen.false_positives_ml,
        dice=chosen.dice,
    )


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


def tail_quantiles(scores: np.ndarray) -> np.ndarray:
    """Scores that a fraction 10^-0, 10^-0.1 ... of a scan's voxels exceeds, down to ten voxels."""
    last = np.log10(max(scores.size, 2) / _FEWEST_IN_TAIL)
    shares = 10.0 ** -_STEPS[max(last, 1.0) >= _STEPS]
    return np.asarray(np.quantile(scores, 1 - shares))


def fit_table(scans: Sequence[np.ndarray]) -> tuple[float, ...]:
    """A calibration table: the median over healthy scans of each of their quantiles.

    The median, as a few scans in which a method fails would make up the whole tail if the voxels of
    all were taken together.

    Args:
        scans: the `tail_quantiles` of each; the table is as long as the shortest.
    """
    length = min(len(quantiles) for quantiles in scans)
    middle = np.median([quantiles[:length] for quantiles in scans], axis=0)
    return tuple(float(q) for q in middle)


def with_fpr_thresholds(
    calibration: Calibration, healthy: Sequence[np.ndarray], kinds: Sequence[str]
) -> Calibration:
    """The calibration with other thresholds of `FALSE_POSITIVES`, of all and by kind of contrast.

    Those of further kinds stay.

    Args:
        calibration: what else is decided.
        healthy: calibrated scores of the brain voxels of each healthy volume.
        kinds: of each volume its kind of contrast; those with three or more have their own.
    """
    own = {
        kind: fpr_thresholds([scores for scores, own in zip(healthy, group) if own])
        for kind, group in kinds_with_enough(kinds)
    }
    return replace(
        calibration,
        fpr_thresholds=fpr_thresholds(healthy),
        own_fpr_thresholds={**calibration.own_fpr_thresholds, **own},
    )


def fpr_thresholds(healthy: Sequence[np.ndarray]) -> dict[str, float]:
    """For each of `FALSE_POSITIVES` the score that such a share of a healthy brain reaches.

    The median over the volumes, as a few in which a method fails would decide it otherwise.

    Args:
        healthy: calibrated scores of the brain voxels of each healthy volume.
    """
    return {
        name: float(np.median([np.quantile(scores, 1 - share) for scores in healthy]))
        for name, share in FALSE_POSITIVES.items()
    }
