"""What calibration looks at: cases set aside, in several contrasts, with and without lesions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from disanat.errors import DatasetError
from disanat.io.store import open_case
from disanat.methods.interface import ChannelResult, Detector, PreparedChannel
from disanat.plans import Configuration
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.synthesis.lesions import Lesion, draw_lesion
from disanat.synthesis.probes import Probe, draw_probe
from disanat.synthesis.render import EXTRACEREBRAL, CaseSample, Contrast, render
from disanat.synthesis.vessels import draw_vessels
from disanat.tissues import class_kinds

__all__ = ["LOOKS", "Opinion", "predictions"]

LOOKS: tuple[Contrast, ...] = ("real", "t2", "flair")
"""The contrasts in which each case is shown; `real` is the scan as it is."""
_SAMPLE = 20000
_TRIES = 50
_LEAST_ML = 0.5
"""Smaller lesions than this say chance, not which of two scores is better."""


@dataclass(frozen=True)
class Opinion:
    """What a method says about one look, with its brain mask and its synthetic lesion.

    `brain` and `truth` are bool, on the grid of the result; `probed` says that the lesion is a
    probe.
    """

    result: ChannelResult
    brain: np.ndarray
    truth: np.ndarray
    probed: bool = False


def predictions(
    rng: np.random.Generator,
    method: Detector,
    configuration: Configuration,
    cases: Path,
    names: Sequence[str],
    with_lesion: bool,
) -> Iterator[Opinion]:
    """A method's opinion of every look of every case.

    Args:
        rng: source of randomness.
        method: with its networks trained.
        configuration: of the training.
        cases: preprocessed cases.
        names: which of them.
        with_lesion: put a synthetic lesion into each look.

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
        for turn, contrast in enumerate(LOOKS, start=number):
            probed = with_lesion and turn % 2 == 1
            lesion = None
            if with_lesion and not probed:
                lesion = _some_lesion(rng, method, tissue, configuration)
            truth = np.zeros(tissue.shape, bool) if lesion is None else lesion.mask
            spacing, vessels = configuration.spacing, None
            if with_lesion:
                vessels = draw_vessels(rng, tissue, method.scheme, spacing, truth)
            look = render(
                rng,
                labels,
                image,
                sample,
                lesion,
                method.scheme,
                spacing,
                configuration.augmentation,
                contrast,
                vessels=vessels,
            )
            kept = tissue > 0 if vessels is None else (tissue > 0) | (vessels > 0.5)
            brain = kept & (look.image > OUTSIDE)
            shown = np.where(brain, look.image, np.float32(OUTSIDE))
            if probed:
                probe = _some_probe(rng, shown, np.where(brain, tissue, 0), fluid, spacing)
                shown, truth = probe.image, probe.mask
            channel = PreparedChannel(shown, brain, spacing, shown, brain, spacing)
            yield Opinion(method.predict([channel])[0], brain, truth, probed)


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
