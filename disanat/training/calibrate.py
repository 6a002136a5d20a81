"""The healthy reference and the thresholds, from cases that no network was trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.methods.interface import Detector
from disanat.plans import Configuration
from disanat.scoring.calibration import (
    ANY,
    Calibration,
    fit_table,
    in_own_units,
    tail_quantiles,
    with_fpr_thresholds,
    with_mask_rules,
)
from disanat.scoring.case_level import case_score
from disanat.scoring.distribution import figure_bounds
from disanat.scoring.mask import MaskCounts, choose_mask_rules, count_voxels
from disanat.scoring.shares import choose_own_shares, choose_shares
from disanat.training.looks import LOOKS, Opinion, predictions
from disanat.training.splits import Split

__all__ = ["calibrate", "with_either_kind"]

log = logging.getLogger(__name__)

_MOST_CASES = 8
_Show = Callable[[Sequence[str], bool], Iterator[Opinion]]


def calibrate(
    method: Detector, configuration: Configuration, cases: Path, split: Split, seed: int
) -> Calibration:
    """Calibrate a trained method on cases set aside.

    Healthy scans, as they are and rendered as T2 and FLAIR, give the tables of the reference; with
    synthetic lesions they first say how much of each further score helps. Others, with and without
    synthetic lesions, give the thresholds, and those without the scores of healthy cases. All
    healthy scans give the bounds of the method's figures. No label of a real lesion has a part in
    it.

    Args:
        method: with its networks trained.
        configuration: of the training.
        cases: preprocessed cases.
        split: its `reference` and `threshold` groups are used, up to eight cases of each, in
            each contrast twice: contrasts are drawn at random, and single ones may be odd.
        seed: of the renderings.
    """
    reference = with_either_kind(split.reference[:_MOST_CASES])
    testing = with_either_kind(split.threshold[:_MOST_CASES])
    volumes = 2 * len(LOOKS) * (len(reference) + len(testing))
    draw = partial(predictions, np.random.default_rng(seed), method, configuration, cases)
    with tqdm(total=volumes, desc="calibrating", disable=None) as bar:

        def show(names: Sequence[str], with_lesion: bool) -> Iterator[Opinion]:
            for opinion in draw(names, with_lesion):
                yield opinion
                bar.update()

        weighed = _weighed(show, reference, method.learned_scores)
        tables, figures = _tables(show, reference, weighed)
        draft = replace(weighed, tables=tables)
        finished = _thresholds(show, testing, draft, figures, configuration.spacing)
    log.info(
        "Shares of further scores: %s. Threshold %s: Dice %.2f on synthetic lesions, "
        "%.2f mL of false positives in a healthy brain (median).",
        finished.told_shares(),
        finished.told_rules(),
        finished.dice,
        finished.false_positives_ml,
    )
    return finished


def with_either_kind(names: Sequence[str]) -> tuple[str, ...]:
    """Each case twice, once at an even and once at an odd place.

    `predictions` takes the kinds of lesions in turn, so that each look gets either kind once:
    the more volumes, the less chance has a say in the shares.
    """
    first = 1 - len(names) % 2
    return (*names, *names[first:], *names[:first])


def _weighed(show: _Show, names: Sequence[str], learned: Sequence[str]) -> Calibration:
    """A first draft: how much of each further score helps, on synthetic lesions."""
    seen, known, kinds = [], [], []
    for opinion in show(names, True):
        brain, result = opinion.brain, opinion.result
        further = {name: one[brain] for name, one in result.further.items()}
        seen.append((result.score[brain], further, opinion.truth[brain]))
        known.append(not opinion.probed)
        kinds.append(result.contrast)
    shares = choose_shares(seen, known, learned)
    own = choose_own_shares(seen, known, learned, kinds, shares)
    return Calibration({}, 0.0, 0.0, 0.0, shares=shares, own_shares=own, own_units=True)


def _tables(
    show: _Show, names: Sequence[str], draft: Calibration
) -> tuple[dict[str, tuple[float, ...]], list[Mapping[str, float]]]:
    """The healthy reference of each kind of contrast and of all, and the scans' figures."""
    known: dict[str, list[np.ndarray]] = {}
    figures = []
    for opinion in show(names, False):
        joined = opinion.result.joined(draft.shares_for(opinion.result.contrast))
        quantiles = tail_quantiles(in_own_units(joined[opinion.brain]))
        known.setdefault(opinion.result.contrast, []).append(quantiles)
        figures.append(opinion.result.figures)
    tables = {name: fit_table(scans) for name, scans in known.items()}
    tables[ANY] = fit_table([scan for scans in known.values() for scan in scans])
    return tables, figures


def _thresholds(
    show: _Show,
    testing: Sequence[str],
    draft: Calibration,
    figures: Sequence[Mapping[str, float]],
    spacing: Sequence[float],
) -> Calibration:
    """The draft with what healthy cases, and others with synthetic lesions, add to it."""
    voxel_ml = float(np.prod(spacing)) / 1000
    healthy: list[np.ndarray] = []
    counts: list[MaskCounts] = []
    kinds: list[str] = []
    case_scores: dict[str, list[float]] = {ANY: []}
    all_figures = list(figures)
    first_time = len(LOOKS) * len(set(testing))
    for number, opinion in enumerate(show(testing, False)):
        rarity = _rarity(draft, opinion)
        healthy.append(rarity[opinion.brain])
        counts.append(count_voxels(rarity))
        kinds.append(opinion.result.contrast)
        all_figures.append(opinion.result.figures)
        if number < first_time:  # a brain that is counted twice is no second healthy brain
            for name in {opinion.result.contrast, ANY}:
                case_scores.setdefault(name, []).append(case_score(healthy[-1], voxel_ml))
    lesions, lesion_kinds = [], []
    for opinion in show(testing, True):
        lesions.append(count_voxels(_rarity(draft, opinion), opinion.truth))
        lesion_kinds.append(opinion.result.contrast)
    chosen = choose_mask_rules(counts, lesions, voxel_ml, kinds, lesion_kinds)
    return replace(
        with_fpr_thresholds(with_mask_rules(draft, chosen), healthy, kinds),
        case_scores=case_scores,
        bounds=figure_bounds(all_figures),
    )


def _rarity(draft: Calibration, opinion: Opinion) -> np.ndarray:
    """The calibrated map, 0 outside the brain."""
    joined = opinion.result.joined(draft.shares_for(opinion.result.contrast))
    rarity = draft(joined, opinion.result.contrast, opinion.brain)
    return np.where(opinion.brain, rarity, np.float32(0))
