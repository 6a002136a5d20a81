"""A model at a new site: how far its promises are off there, and a calibration that keeps them.

Only scores are looked at anew. The networks stay as they are, and so does the share of each further
score.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError
from disanat.evaluation.bootstrap import Estimate, estimate_median
from disanat.experiments.site_scans import SiteScan, look_at
from disanat.inference.model import Model
from disanat.io.cases import find_brain_mask, find_cases
from disanat.scoring.calibration import (
    ANY,
    BEST,
    FALSE_POSITIVES,
    Calibration,
    fit_table,
    tail_quantiles,
    with_fpr_thresholds,
    with_mask_rules,
)
from disanat.scoring.case_level import case_p_value, case_score
from disanat.scoring.distribution import figure_bounds, unlike_training
from disanat.scoring.mask import choose_mask_rules, count_voxels

__all__ = ["FEWEST_SCANS", "Promise", "SiteCalibration", "calibrate_for_site", "recalibrate"]

log = logging.getLogger(__name__)

T = TypeVar("T")

FEWEST_SCANS = 5
_FEWEST_OF_KIND = 3
_WANTED_LESIONS = 12
_MOST_FOLDS = 10
_PROMISED_ML = 1.0
_RARE = 0.1


@dataclass(frozen=True)
class Promise:
    """What a threshold promises in healthy brains, and what the site's healthy scans show.

    Of `1%` and `5%` the figures are shares of voxels, of `best` mL; medians over scans. `before` is
    at the model's own threshold; `after` at the new one, each scan judged by a calibration that had
    not seen it. `old` and `new` are the thresholds (of `best` the common ones), `told_old` and
    `told_new` all that decides, in words.
    """

    threshold: str
    promised: float
    before: Estimate
    after: Estimate
    old: float
    new: float
    told_old: str
    told_new: str


@dataclass(frozen=True)
class SiteCalibration:
    """A new calibration, and how far the old one was off.

    `rare_before` counts scans whose old case p-value was 0.10 or less, `flagged_before` those that
    the old calibration calls unlike the training. `left_out` says why, by the case's name.
    """

    calibration: Calibration
    promises: tuple[Promise, ...]
    scans: int
    contrasts: tuple[str, ...]
    rare_before: int
    flagged_before: int
    left_out: Mapping[str, str]


def calibrate_for_site(
    model: Model, source: Path, brain_masks: Path | None = None, seed: int = 0
) -> SiteCalibration:
    """Calibrate a model on healthy scans of another scanner; no network is trained.

    Args:
        model: as loaded.
        source: folder of healthy scans, five at least, of people whom the model was not trained on.
        brain_masks: folder of the user's own masks; else the brain is found as at prediction.
        seed: of the synthetic lesions.

    Raises:
        DatasetError: there are too few scans that can be used, or no such folder.
    """
    if brain_masks is not None and not brain_masks.is_dir():
        raise DatasetError(
            f"{brain_masks} is not a folder: give the folder of brain masks with --brain_masks."
        )
    cases = find_cases(source)
    _check_number(len(cases), source)
    lesions = -(-_WANTED_LESIONS // len(cases))
    scans, left_out = [], {}
    for number, case in enumerate(tqdm(cases, desc="calibrating", unit="case", disable=None)):
        rng = np.random.default_rng([seed, number])
        try:
            mask = None if brain_masks is None else find_brain_mask(brain_masks, case.name)
            scans.append(look_at(case, model, lesions, rng, mask))
        except DisanatError as mistake:
            log.warning("case %s is left out: %s", case.name, mistake)
            left_out[case.name] = str(mistake)
    _check_number(len(scans), source)
    return replace(recalibrate(model.calibration, scans), left_out=left_out)


def _check_number(scans: int, source: Path) -> None:
    if scans < FEWEST_SCANS:
        raise DatasetError(
            f"{source} holds {scans} healthy scan{'s' * (scans != 1)} that can be used, but a "
            f"calibration needs {FEWEST_SCANS} at least: give more with -i."
        )


def recalibrate(old: Calibration, scans: Sequence[SiteScan]) -> SiteCalibration:
    """The calibration that a site's healthy scans give, and what they show of the old one.

    All scans give the tables. Thresholds and case scores come from calibrations of which each knows
    all scans but those it judges (cross-validation, ten folds at most), as a table that knows a
    scan would find it too usual. Rules of kinds of contrast that the site does not show stay.

    Args:
        old: the model's calibration; kinds of contrast that the site does not show keep its tables.
        scans: of the site.
    """
    quantiles = [[tail_quantiles(scores) for scores in scan.healthy.scores] for scan in scans]
    unseen = dict(_unseen(old, scans, quantiles))
    healthy = [scan.healthy.rarity(unseen[scan.case]) for scan in scans]
    ill, lesion_kinds = [], []
    for scan in scans:
        for seen, truth in scan.lesions:
            rarity = scan.volume(seen.rarity(unseen[scan.case]))
            ill.append(count_voxels(rarity, scan.volume(truth)))
            lesion_kinds.append(" ".join(seen.contrasts))
    clean = [count_voxels(scan.volume(rarity)) for scan, rarity in zip(scans, healthy)]
    volumes, kinds = zip(*((scan.voxel_ml, " ".join(scan.healthy.contrasts)) for scan in scans))
    chosen = choose_mask_rules(clean, ill, volumes, kinds, lesion_kinds)
    tables = _tables(old, scans, quantiles)
    known = replace(
        old,
        own_rules=_unchanged(old.own_rules, old.tables, tables),
        own_fpr_thresholds=_unchanged(old.own_fpr_thresholds, old.tables, tables),
    )
    figures = [figures for scan in scans for figures in scan.figures]
    new = replace(
        with_fpr_thresholds(with_mask_rules(known, chosen), healthy, kinds),
        tables=tables,
        case_scores={**old.case_scores, **_case_scores(scans, healthy)},
        bounds=_wider(old.bounds, figure_bounds(figures)),
    )
    before = [scan.healthy.rarity(old) for scan in scans]
    return SiteCalibration(
        calibration=new,
        promises=tuple(_promises(old, new, scans, before, healthy)),
        scans=len(scans),
        contrasts=tuple(sorted({c for scan in scans for c in scan.healthy.contrasts})),
        rare_before=sum(map(_is_rare, [old] * len(scans), scans, before)),
        flagged_before=sum(bool(unlike_training(scan.figures, old.bounds)) for scan in scans),
        left_out={},
    )


def _unseen(
    old: Calibration, scans: Sequence[SiteScan], quantiles: Sequence[Sequence[np.ndarray]]
) -> Iterator[tuple[str, Calibration]]:
    """For each case a draft of which it was no part."""
    folds = min(len(scans), _MOST_FOLDS)
    for fold in range(folds):
        others = [number for number in range(len(scans)) if number % folds != fold]
        tables = _tables(old, [scans[n] for n in others], [quantiles[n] for n in others])
        draft = replace(old, tables=tables)
        for scan in scans[fold::folds]:
            yield scan.case, draft


def _tables(
    old: Calibration, scans: Sequence[SiteScan], quantiles: Sequence[Sequence[np.ndarray]]
) -> dict[str, tuple[float, ...]]:
    """The old tables, with those of the kinds of contrast that the scans show in their place."""
    found: dict[str, list[np.ndarray]] = {}
    for scan, channels in zip(scans, quantiles):
        for contrast, known in zip(scan.healthy.contrasts, channels):
            found.setdefault(contrast, []).append(known)
    tables = {
        contrast: fit_table(parts)
        for contrast, parts in found.items()
        if len(parts) >= _FEWEST_OF_KIND
    }
    return {**old.tables, **tables}


def _unchanged(
    own: Mapping[str, T], old: Mapping[str, Sequence[float]], new: Mapping[str, Sequence[float]]
) -> dict[str, T]:
    """What kinds of contrast have of their own, without those with another table than before."""
    changed = {kind for kind in new if old.get(kind) != new[kind]}
    return {kind: value for kind, value in own.items() if not changed & set(kind.split())}


def _case_scores(
    scans: Sequence[SiteScan], healthy: Sequence[np.ndarray]
) -> dict[str, list[float]]:
    """Of the healthy cases, by kind of contrast and all together."""
    found: dict[str, list[float]] = {ANY: []}
    for scan, rarity in zip(scans, healthy):
        score = case_score(rarity, scan.voxel_ml)
        for name in {*scan.healthy.contrasts, ANY} if _alike(scan) else {ANY}:
            found.setdefault(name, []).append(score)
    return found


def _alike(scan: SiteScan) -> bool:
    return len(set(scan.healthy.contrasts)) == 1


def _wider(
    old: Mapping[str, Sequence[float]], new: Mapping[str, Sequence[float]]
) -> dict[str, tuple[float, float]]:
    """What is odd neither where the model was trained nor at the site."""
    return {
        name: (
            min(low, new.get(name, (low, high))[0]),
            max(high, new.get(name, (low, high))[1]),
        )
        for name, (low, high) in old.items()
    }


def _is_rare(old: Calibration, scan: SiteScan, rarity: np.ndarray) -> bool:
    score = case_score(rarity, scan.voxel_ml)
    p = case_p_value(score, old.case_scores, scan.healthy.contrasts)
    return p is not None and p.value <= _RARE


def _promises(
    old: Calibration,
    new: Calibration,
    scans: Sequence[SiteScan],
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
) -> Iterator[Promise]:
    def shares(maps: Sequence[np.ndarray], by: Calibration, name: str) -> Estimate:
        rules = [by.mask_rule(name, scan.healthy.contrasts) for scan in scans]
        return estimate_median(
            [float(np.mean(one >= rule.threshold)) for one, rule in zip(maps, rules)]
        )

    def volumes(maps: Sequence[np.ndarray], by: Calibration) -> Estimate:
        rules = [by.mask_rule(BEST, scan.healthy.contrasts) for scan in scans]
        masks = [
            rule(scan.volume(rarity), scan.inside)
            for rule, rarity, scan in zip(rules, maps, scans)
        ]
        return estimate_median(
            [np.count_nonzero(mask) * scan.voxel_ml for mask, scan in zip(masks, scans)]
        )

    def promise(name: str, promised: float, was: Estimate, now: Estimate) -> Promise:
        first, last = (one.mask_rule(name).threshold for one in (old, new))
        told = (one.told_rules(name, kinds) for one in (old, new))
        return Promise(name, promised, was, now, first, last, *told)

    kinds = {" ".join(scan.healthy.contrasts) for scan in scans}
    for name, share in FALSE_POSITIVES.items():
        if name in old.fpr_thresholds:
            yield promise(name, share, shares(before, old, name), shares(after, new, name))
    yield promise(BEST, _PROMISED_ML, volumes(before, old), volumes(after, new))
