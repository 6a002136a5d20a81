"""The imaging information of one scan: what each tissue looks like in it, and its bias field.

Both are estimated once per volume and robustly, from voxels where the observed and the restored
anatomy agree, so that a lesion, however large, has little say in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from disanat.separable import gaussian_smooth
from disanat.tissues import Kind, TissueClass, class_kinds

__all__ = [
    "Imaging",
    "contrast_kind",
    "contrast_weights",
    "fit_imaging",
    "main_class",
    "with_sulci",
]

_ROUNDS = 3
_BIAS_MM = 20.0
_CLIP = 2.0
_FEWEST = 30
_DIVIDE, _UNSURE = 1 / 3, 0.04
"""Where white matter is as far above grey, in steps from fluid to grey, as to be T1- rather than
FLAIR-like; and within what reach it is unsure."""
_LEAST_STEP = 0.5
"""Of that from fluid to grey: with less, as in proton density, white decides alone."""
_SMALLEST_SCALE = 0.08
_SULCI = 0.8
"""How far the median of sulci and fissures lies on the way from their grey matter to fluid: 0.80
and 0.82, the medians of 45 labelled healthy T1 scans (IXI, 2 mm)."""


@dataclass(frozen=True)
class Imaging:
    """Imaging code and bias of one channel, in standard deviations of the brain.

    `median` and `scale` (1.48 times the median absolute deviation) have one entry per tissue
    class; `bias` is added to the picture and has the shape (S, P, L).
    """

    median: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    fluid: tuple[float, float]
    """Lower and upper quartile of all voxels that were named fluid, freed from bias."""


def with_sulci(imaging: Imaging, scheme: Sequence[TissueClass]) -> Imaging:
    """The same with the median of sulci and fissures between those of the tissues mixed in them.

    They are too narrow for the encoder to be sure of, so `fit_imaging` measures the few voxels at
    the brain's surface, or takes them for grey matter.
    """
    numbers = {tissue.name: k for k, tissue in enumerate(scheme)}
    median = imaging.median.copy()
    for k, tissue in enumerate(scheme):
        if tissue.mixed_with == "outer_csf":
            grey, fluid = (median[numbers[n]] for n in (tissue.part_of, tissue.mixed_with))
            median[k] = grey + _SULCI * (fluid - grey)
    return replace(imaging, median=median)


def _robust(values: np.ndarray) -> tuple[float, float]:
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return middle, max(spread, _SMALLEST_SCALE)


def fit_imaging(
    image: np.ndarray,
    observed: np.ndarray,
    restored: np.ndarray,
    spacing: Sequence[float],
    scheme: Sequence[TissueClass],
) -> Imaging:
    """Fit medians, scales and bias in turn, three times.

    Args:
        image: standardised scan, (S, P, L).
        observed: class probabilities as observed, (classes + 1, S, P, L).
        restored: the same after restoration.
        spacing: voxel size in mm.
        scheme: the tissue classes.

    Classes too small to be measured (under 30 voxels) take the values of their kind.
    """
    named = observed.argmax(0)
    certain = (named == restored.argmax(0)) & (named > 0)
    certain &= np.take_along_axis(observed, named[None], 0)[0] > 0.6
    bias = np.zeros(image.shape, np.float32)
    median = np.zeros(len(scheme))
    scale = np.ones(len(scheme))
    for _ in range(_ROUNDS):
        flat = image - bias
        median, scale = _classes(flat, named, certain, scheme)
        painted = np.concatenate([[0.0], median])[named]
        spread = np.concatenate([[1.0], scale])[named]
        residual = np.clip(image - painted, -_CLIP * spread, _CLIP * spread)
        bias = _smooth(residual, certain, spacing)
    return Imaging(
        median.astype(np.float32),
        scale.astype(np.float32),
        bias,
        _fluid_quartiles((image - bias)[np.isin(named, class_kinds(scheme, "csf"))]),
    )


def _fluid_quartiles(values: np.ndarray) -> tuple[float, float]:
    if values.size < _FEWEST:
        return 0.0, 0.0
    low, high = np.percentile(values, (25, 75))
    return float(low), float(high)


def _classes(
    flat: np.ndarray, named: np.ndarray, certain: np.ndarray, scheme: Sequence[TissueClass]
) -> tuple[np.ndarray, np.ndarray]:
    values = {k: flat[certain & (named == k)] for k in range(1, len(scheme) + 1)}
    everything = flat[named > 0]
    fallback = _robust(everything) if everything.size else (0.0, 1.0)
    fits = []
    for k, tissue in enumerate(scheme, start=1):
        own = values[k]
        if own.size < _FEWEST:
            own = np.concatenate([values[j] for j in class_kinds(scheme, tissue.kind)])
        fits.append(_robust(own) if own.size >= _FEWEST else fallback)
    median, scale = (np.array(column) for column in zip(*fits, strict=True))
    return median, scale


def _smooth(residual: np.ndarray, where: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Gaussian mean of the residual over the voxels given, everywhere."""
    sigma = [_BIAS_MM / s for s in spacing]
    weight = gaussian_smooth(where, sigma, truncate=2.5)
    total = gaussian_smooth(np.where(where, residual, 0), sigma, truncate=2.5)
    return np.asarray(total / (weight + 0.02))


def main_class(scheme: Sequence[TissueClass], kind: Kind) -> int:
    """Index (from 0) of the class that stands for its kind.

    Cortical grey and cerebral white matter, the largest of theirs; of the fluids the ventricles,
    which have the least partial volume.
    """
    numbers = class_kinds(scheme, kind)
    return (numbers[-1] if kind == "csf" else numbers[0]) - 1


def contrast_weights(imaging: Imaging, scheme: Sequence[TissueClass]) -> dict[str, float]:
    """How much a scan resembles `t2`, `t1` and `flair`, by its tissues' intensities; sums to 1.

    T2-like, and nothing else, where fluid is brighter than grey and white, by two measures added:
    its quartiles, as half of what is named fluid may hold partial volume; and the ventricles, as
    with contrast agent there is something bright among what is named fluid.

    Else T1-like the more, the larger `(white - grey) / (grey - ventricles)` is, and FLAIR-like for
    the rest: FLAIR nulls fluid, but hardly tells white from grey; T1 sets both apart. Old age and
    contrast agent blur that, so around 1/3 both are possible.
    """
    low, high = imaging.fluid
    grey, white, ventricles = (
        float(imaging.median[main_class(scheme, kind)]) for kind in ("grey", "white", "csf")
    )
    reach = (high - max(grey, white)) - (min(grey, white) - low)
    if reach + ventricles - (grey + white) / 2 > 0:
        return {"t2": 1.0}
    apart = (white - grey) / max(grey - ventricles, _LEAST_STEP)
    t1 = 1 / (1 + np.exp(-np.clip((apart - _DIVIDE) / _UNSURE, -30, 30)))
    return {"t1": float(t1), "flair": 1 - float(t1)}


def contrast_kind(imaging: Imaging, scheme: Sequence[TissueClass]) -> str:
    """`t2`, `t1` or `flair`: which of them a scan resembles most; see `contrast_weights`."""
    weights = contrast_weights(imaging, scheme)
    return max(weights, key=lambda kind: weights[kind])
