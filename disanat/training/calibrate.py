"""The healthy reference and the threshold, from cases that no network was trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.errors import DatasetError
from disanat.io.store import open_case
from disanat.methods.interface import ChannelResult, Detector, PreparedChannel
from disanat.plans import Configuration
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.calibration import (
    ANY,
    Calibration,
    choose_shares,
    choose_threshold,
    fit_table,
    fpr_thresholds,
)
from disanat.scoring.case_level import case_score
from disanat.scoring.distribution import figure_bounds
from disanat.synthesis.lesions import Lesion, draw_lesion
from disanat.synthesis.probes import Probe, draw_probe
from disanat.synthesis.render import EXTRACEREBRAL, CaseSample, Contrast, render
from disanat.tissues import class_kinds
from disanat.training.splits import Split

__all__ = ["calibrate"]

log = logging.getLogger(__name__)

_LOOKS: tuple[Contrast, ...] = ("real", "t2", "flair")
_MOST_CASES = 4
_MOST_HEALTHY = 8
_SAMPLE = 20000
_TRIES = 50
_LEAST_ML = 0.5
"""Smaller lesions than this say chance, not which of two scores is better."""


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
        split: its `reference` and `threshold` groups are used, up to four cases of each; of the
            threshold group up to eight without lesions.
        seed: of the renderings.
    """
    rng = np.random.default_rng(seed)
    reference, testing = split.reference[:_MOST_CASES], split.threshold[:_MOST_CASES]
    clean = split.threshold[:_MOST_HEALTHY]
    volumes = len(_LOOKS) * (2 * len(reference) + len(testing) + len(clean))
    bar = tqdm(total=volumes, desc="calibrating", disable=None)
    voxel_ml = float(np.prod(configuration.spacing)) / 1000
    figures: list[Mapping[str, float]] = []
    with bar:
        opinions = []
        for result, brain, truth in _predictions(
            rng, method, configuration, cases, reference, True
        ):
            further = {name: one[brain] for name, one in result.further.items()}
            opinions.append((result.score[brain], further, truth[brain]))
            bar.update()
        shares = choose_shares(opinions)
        scores: dict[str, list[np.ndarray]] = {}
        for result, brain, _ in _predictions(rng, method, configuration, cases, reference, False):
            scores.setdefault(result.contrast, []).append(result.joined(shares)[brain])
            figures.append(result.figures)
            bar.update()
        tables = {name: fit_table(np.concatenate(parts)) for name, parts in scores.items()}
        tables[ANY] = fit_table(np.concatenate([p for parts in scores.values() for p in parts]))
        draft = Calibration(tables, 0.0, 0.0, 0.0)
        healthy = []
        case_scores: dict[str, list[float]] = {ANY: []}
        for result, brain, _ in _predictions(rng, method, configuration, cases, clean, False):
            healthy.append(draft(result.joined(shares), result.contrast)[brain])
            for name in {result.contrast, ANY}:
                case_scores.setdefault(name, []).append(case_score(healthy[-1], voxel_ml))
            figures.append(result.figures)
            bar.update()
        lesions = []
        for result, brain, truth in _predictions(rng, method, configuration, cases, testing, True):
            lesions.append((draft(result.joined(shares), result.contrast)[brain], truth[brain]))
            bar.update()
    threshold, reached = choose_threshold(healthy, lesions, voxel_ml)
    log.info(
        "Shares of further scores: %s. Threshold %.2f: Dice %.2f on synthetic lesions, %.2f mL "
        "of false positives in a healthy brain (median).",
        ", ".join(f"{name} {share:g}" for name, share in shares.items()) or "none",
        threshold,
        reached["dice"],
        reached["false_positives_ml"],
    )
    return Calibration(
        tables,
        threshold,
        **reached,
        shares=shares,
        fpr_thresholds=fpr_thresholds(healthy),
        case_scores=case_scores,
        bounds=figure_bounds(figures),
    )


def _predictions(
    rng: np.random.Generator,
    method: Detector,
    configuration: Configuration,
    cases: Path,
    names: Sequence[str],
    with_lesion: bool,
) -> Iterator[tuple[ChannelResult, np.ndarray, np.ndarray]]:
    """Result, brain mask and lesion of every look of every case.

    Every other lesion is a probe, which no network was trained on; the rest are of the kind that
    training knows, as only these follow the physics of the contrast.
    """
    fluid = class_kinds(method.scheme, "csf")
    for number, name in enumerate(names):
        stored = open_case(cases, name)
        image, labels = stored.image[0], stored.labels[:]
        tissue = np.where(labels < EXTRACEREBRAL, labels, 0)
        inside = np.flatnonzero(tissue)
        chosen = rng.choice(inside, _SAMPLE)
        sample = CaseSample(image.ravel()[chosen], labels.ravel()[chosen])
        for turn, contrast in enumerate(_LOOKS, start=number):
            probed = with_lesion and turn % 2 == 1
            lesion = None
            if with_lesion and not probed:
                lesion = _some_lesion(rng, method, tissue, configuration)
            look = render(
                rng,
                labels,
                image,
                sample,
                lesion,
                method.scheme,
                configuration.spacing,
                configuration.augmentation,
                contrast,
            )
            brain = (tissue > 0) & (look.image > OUTSIDE)
            shown = np.where(brain, look.image, np.float32(OUTSIDE))
            spacing = configuration.spacing
            truth = np.zeros(brain.shape, bool) if lesion is None else lesion.mask
            if probed:
                probe = _some_probe(rng, shown, np.where(brain, tissue, 0), fluid, spacing)
                shown, truth = probe.image, probe.mask
            channel = PreparedChannel(shown, brain, spacing, shown, brain, spacing)
            yield method.predict([channel])[0], brain, truth


def _some_lesion(
    rng: np.random.Generator, method: Detector, tissue: np.ndarray, configuration: Configuration
) -> Lesion:
    preferred = np.isin(tissue, class_kinds(method.scheme, "white"))
    found: Lesion | None = None
    for _ in range(_TRIES):
        drawn = draw_lesion(rng, tissue, preferred, configuration.spacing)
        found = drawn or found
        if drawn is not None and _large_enough(drawn.mask, configuration.spacing):
            break
    if found is None:
        raise DatasetError("The brains are too small to put a synthetic lesion in: check spacing.")
    return found


def _some_probe(
    rng: np.random.Generator,
    image: np.ndarray,
    tissue: np.ndarray,
    fluid: Sequence[int],
    spacing: Sequence[float],
) -> Probe:
    probe = draw_probe(rng, image, tissue, fluid, spacing)
    for _ in range(_TRIES):
        if _large_enough(probe.mask, spacing):
            break
        probe = draw_probe(rng, image, tissue, fluid, spacing)
    return probe


def _large_enough(mask: np.ndarray, spacing: Sequence[float]) -> bool:
    return float(mask.sum()) * float(np.prod(spacing)) / 1000 >= _LEAST_ML
