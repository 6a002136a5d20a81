"""The healthy reference and the thresholds, from cases that no network was trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.methods.interface import Detector
from disanat.plans import Configuration
from disanat.scoring.calibration import (
    ANY,
    Calibration,
    choose_shares,
    choose_threshold,
    fit_table,
    fpr_thresholds,
    in_own_units,
)
from disanat.scoring.case_level import case_score
from disanat.scoring.distribution import figure_bounds
from disanat.training.looks import LOOKS, Opinion, predictions
from disanat.training.splits import Split

__all__ = ["calibrate", "with_either_kind"]

log = logging.getLogger(__name__)

_FEW_CASES = 4
_MANY_CASES = 8
"""Where more cases say more: for the shares of further scores, and as healthy cases."""
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
        split: its `reference` and `threshold` groups are used, up to four cases of each; up to
            eight, each twice, for the shares of further scores, and up to eight without lesions of
            the threshold group.
        seed: of the renderings.
    """
    reference, testing = split.reference[:_FEW_CASES], split.threshold[:_FEW_CASES]
    clean = split.threshold[:_MANY_CASES]
    weighing = with_either_kind(split.reference[:_MANY_CASES])
    volumes = len(LOOKS) * (len(weighing) + len(reference) + len(testing) + len(clean))
    draw = partial(predictions, np.random.default_rng(seed), method, configuration, cases)
    with tqdm(total=volumes, desc="calibrating", disable=None) as bar:

        def show(names: Sequence[str], with_lesion: bool) -> Iterator[Opinion]:
            for opinion in draw(names, with_lesion):
                yield opinion
                bar.update()

        shares = _shares(show, weighing, method.learned_scores)
        tables, figures = _tables(show, reference, shares)
        draft = Calibration(tables, 0.0, 0.0, 0.0, shares=shares, own_units=True)
        finished = _thresholds(show, clean, testing, draft, figures, configuration.spacing)
    log.info(
        "Shares of further scores: %s. Threshold %.2f: Dice %.2f on synthetic lesions, %.2f mL "
        "of false positives in a healthy brain (median).",
        ", ".join(f"{name} {share:g}" for name, share in shares.items()) or "none",
        finished.threshold,
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


def _shares(show: _Show, names: Sequence[str], learned: Sequence[str]) -> dict[str, float]:
    """How much of each further score helps, on synthetic lesions."""
    seen, known = [], []
    for opinion in show(names, True):
        brain, result = opinion.brain, opinion.result
        further = {name: one[brain] for name, one in result.further.items()}
        seen.append((result.score[brain], further, opinion.truth[brain]))
        known.append(not opinion.probed)
    return choose_shares(seen, known, learned)


def _tables(
    show: _Show, names: Sequence[str], shares: Mapping[str, float]
) -> tuple[dict[str, tuple[float, ...]], list[Mapping[str, float]]]:
    """The healthy reference of each kind of contrast and of all, and the scans' figures."""
    scores: dict[str, list[np.ndarray]] = {}
    figures = []
    for opinion in show(names, False):
        joined = in_own_units(opinion.result.joined(shares)[opinion.brain])
        scores.setdefault(opinion.result.contrast, []).append(joined)
        figures.append(opinion.result.figures)
    tables = {name: fit_table(np.concatenate(parts)) for name, parts in scores.items()}
    tables[ANY] = fit_table(np.concatenate([p for parts in scores.values() for p in parts]))
    return tables, figures


def _thresholds(
    show: _Show,
    clean: Sequence[str],
    testing: Sequence[str],
    draft: Calibration,
    figures: Sequence[Mapping[str, float]],
    spacing: Sequence[float],
) -> Calibration:
    """The draft with what healthy cases, and others with synthetic lesions, add to it."""
    voxel_ml = float(np.prod(spacing)) / 1000
    healthy: list[np.ndarray] = []
    kinds: list[str] = []
    case_scores: dict[str, list[float]] = {ANY: []}
    all_figures = list(figures)
    for opinion in show(clean, False):
        healthy.append(_rarity(draft, opinion))
        kinds.append(opinion.result.contrast)
        for name in {opinion.result.contrast, ANY}:
            case_scores.setdefault(name, []).append(case_score(healthy[-1], voxel_ml))
        all_figures.append(opinion.result.figures)
    lesions = [(_rarity(draft, one), one.truth[one.brain]) for one in show(testing, True)]
    threshold, reached = choose_threshold(healthy, lesions, voxel_ml, kinds=kinds)
    return Calibration(
        draft.tables,
        threshold,
        **reached,
        shares=draft.shares,
        fpr_thresholds=fpr_thresholds(healthy),
        case_scores=case_scores,
        bounds=figure_bounds(all_figures),
        own_units=draft.own_units,
    )


def _rarity(draft: Calibration, opinion: Opinion) -> np.ndarray:
    """Calibrated scores of the brain's voxels, flat."""
    joined = opinion.result.joined(draft.shares)
    return draft(joined, opinion.result.contrast, opinion.brain)[opinion.brain]
