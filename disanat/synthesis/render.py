"""One brain, many looks: contrasts from signal equations, free contrasts, remapped real scans.

Every look is standardised as a whole volume would be: the mean and deviation come from the class
volumes of the whole case, not of the block at hand, so that a block of the vertex and one of the
skull base get the intensities they will have at prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from disanat.plans import Augmentation
from disanat.synthesis.fields import blur, smooth_field
from disanat.synthesis.lesions import Lesion
from disanat.synthesis.recolour import recoloured
from disanat.synthesis.signal import draw_sequence
from disanat.synthesis.tables import EXTRACEREBRAL, Looks, free_table, physics_table
from disanat.synthesis.vessels import draw_level
from disanat.tissues import TissueClass, class_kinds

__all__ = ["EXTRACEREBRAL", "CaseSample", "Contrast", "Look", "render"]

_REAL_SHARE = 0.4
_RECOLOURED_SHARE = 0.4
"""Of the contrasts by signal equations: how many are shown on the case's own scan."""
_FREE_SHARE = 0.22
_MASK_MM = (-4.0, -2.0, 0.0, 0.0, 0.0, 2.0, 4.0, 8.0)
"""By about how much the mask is too large or too small."""
_THICK_SHARE, _THICK_MM = 0.25, (3.0, 8.0)
_UNEVEN_SHARE, _UNEVEN = 0.2, (0.02, 0.08)
"""How often slices differ in brightness, and the deviation of its logarithm."""

Contrast = Literal[
    "any", "real", "free", "t1", "t2", "flair", "pd", "t1_spoiled", "t1_prepared"
]


@dataclass(frozen=True)
class CaseSample:
    """Voxels drawn from a whole training case: standardised intensities and their labels.

    Of a label map without a scan `scanned` is False: it is only ever rendered.
    """

    values: np.ndarray
    labels: np.ndarray
    scanned: bool = True


@dataclass(frozen=True)
class Look:
    """One rendered block, in standard deviations of the brain.

    `image` is what the network sees, `healthy` the same without lesion, bias and noise, both of
    shape (S, P, L); `theta` the median intensity of each tissue class, shape (classes,).
    """

    image: np.ndarray
    healthy: np.ndarray
    theta: np.ndarray


class _Curve:
    """A smooth random change of all intensities of a real scan."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.knots = np.linspace(-4, 6, 9)
        steps = rng.gamma(1.2, 1.0, 9) + 0.15
        rising = np.cumsum(steps) / steps.sum() * 6
        kind = rng.random()
        if kind < 0.35:
            self.values = rising
        elif kind < 0.75:
            self.values = rising[::-1].copy()
        else:
            wave = np.interp(np.arange(9), np.linspace(0, 8, 4), rng.uniform(0, 6, 4))
            self.values = wave + 0.2 * rising

    def __call__(self, array: np.ndarray) -> np.ndarray:
        return np.interp(array, self.knots, self.values).astype(np.float32)


def _unchanged(array: np.ndarray) -> np.ndarray:
    return array + 4.0


def render(
    rng: np.random.Generator,
    labels: np.ndarray,
    real: np.ndarray,
    sample: CaseSample,
    lesion: Lesion | None,
    scheme: Sequence[TissueClass],
    spacing: Sequence[float],
    augmentation: Augmentation,
    contrast: Contrast = "any",
    physics: bool = True,
    vessels: np.ndarray | None = None,
) -> Look:
    """Render one look of a block.

    Args:
        rng: source of randomness.
        labels: class numbers, `EXTRACEREBRAL` and above outside the brain, 0 air; (S, P, L).
        real: the case's own standardised scan on the same voxels.
        sample: voxels of the whole case.
        lesion: what to put in, if anything.
        scheme: tissue classes in the order of their numbers.
        spacing: voxel size in mm.
        augmentation: most noise, bias field and blur.
        contrast: a weighting to be rendered by its signal equation, `free` for random intensities,
            `real` for the scan as it is, or `any`: at random among rendered, free and remapped real
            contrasts.
        physics: with `any`, render by signal equations; else free contrasts take their place.
        vessels: how much of each voxel is vessel, (S, P, L), as `draw_vessels` gives it.
    """
    brain = (labels > 0) & (labels < EXTRACEREBRAL)
    real_share = _REAL_SHARE if sample.scanned else 0.0
    if contrast == "real" or (contrast == "any" and rng.random() < real_share):
        curve = _Curve(rng) if contrast == "any" and rng.random() < 0.8 else _unchanged
        clean, painted, whole = _from_real(curve, real, sample, lesion, scheme)
    else:
        free = _FREE_SHARE if physics else 1.0
        if contrast == "free" or (contrast == "any" and rng.random() < free):
            looks, base = free_table(rng, scheme), None
        else:
            weighting = None if contrast == "any" else contrast
            looks = physics_table(rng, scheme, draw_sequence(rng, weighting))
            on_scan = sample.scanned and rng.random() < _RECOLOURED_SHARE
            base = real if on_scan else None
        clean, painted, whole = _by_table(
            rng, looks, labels, base, sample, lesion, scheme, spacing
        )
    inside = (sample.labels > 0) & (sample.labels < EXTRACEREBRAL)
    mean, std = _scale(whole[inside])
    level = None if vessels is None else draw_level(rng, _is_t1_like(whole, sample, scheme))
    if vessels is not None and level is not None:
        painted = painted + vessels * (mean + level * std - painted)
    field = smooth_field(rng, labels.shape, spacing, 70.0)
    image = painted * np.exp(rng.uniform(0, augmentation.bias) * field)
    if len(image) > 1 and rng.random() < _UNEVEN_SHARE:
        image = _uneven(rng, image)
    if rng.random() < 0.3:
        least = min(0.5 * min(spacing[1:]), augmentation.blur_mm)
        image = blur(image, rng.uniform(least, augmentation.blur_mm), spacing)
    if rng.random() < _THICK_SHARE:
        image = _thick(image, rng.uniform(*_THICK_MM), spacing[0])
    # A mask that takes in a sinus at all takes in the whole.
    kept = brain if level is None or vessels is None else brain | (vessels > 0.5)
    shown = _stripped(rng, kept, spacing)
    std *= float(np.exp(rng.normal(0, 0.06)))
    mean += float(rng.normal(0, 0.06)) * std
    strength = rng.uniform(min(0.01, augmentation.noise), augmentation.noise)
    noise = rng.standard_normal(image.shape).astype(np.float32) * strength
    image = np.clip((image - mean) / std + noise, -4, 6)
    image = np.where(shown, image, np.float32(-4))
    healthy = np.where(brain, np.clip((clean - mean) / std, -4, 6), np.float32(-4))
    standard = (whole - mean) / std
    theta = np.array(
        [_median(standard[sample.labels == k]) for k in range(1, len(scheme) + 1)], np.float32
    )
    return Look(image.astype(np.float32), healthy.astype(np.float32), np.clip(theta, -4, 6))


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else 0.0


def _is_t1_like(
    whole: np.ndarray, sample: CaseSample, scheme: Sequence[TissueClass]
) -> bool:
    """Whether fluid is dark, and white brighter than grey by a third of the step from it to grey.

    As `scoring.intensity.contrast_weights` tells T1 from FLAIR.
    """
    csf, grey, white = _kinds(whole, sample.labels, scheme)
    return 0 < grey - csf < 3 * (white - grey)


def _kinds(
    values: np.ndarray, labels: np.ndarray, scheme: Sequence[TissueClass]
) -> tuple[float, float, float]:
    """Median intensity of fluid, grey and white matter."""
    csf, grey, white = (
        _median(values[np.isin(labels, class_kinds(scheme, kind))])
        for kind in ("csf", "grey", "white")
    )
    return csf, grey, white


def _scale(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, (1, 99))
    inner = values[(values >= low) & (values <= high)]
    return float(inner.mean()), max(float(inner.std()), 1e-3)


def _thick(image: np.ndarray, thickness_mm: float, spacing_mm: float) -> np.ndarray:
    """What slices of this thickness, cut across the first axis, leave of an image."""
    width = max(1, round(thickness_mm / spacing_mm))
    return np.asarray(ndimage.uniform_filter1d(image, width, axis=0, mode="nearest"))


def _uneven(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Slices across the first axis, each brighter or darker than the next, as in 2D scans."""
    gain = np.exp(rng.normal(0, rng.uniform(*_UNEVEN), len(image))).astype(np.float32)
    return np.asarray(image * gain.reshape(-1, *[1] * (image.ndim - 1)))


def _stripped(
    rng: np.random.Generator, brain: np.ndarray, spacing: Sequence[float]
) -> np.ndarray:
    """The brain with a mask that is at times generous or mean in plane, as real masks are."""
    width = float(rng.choice(_MASK_MM))
    if width == 0:
        return brain
    grown = blur(brain.astype(np.float32), abs(width), (1e3, *spacing[1:]))
    return np.asarray(grown > (0.15 if width > 0 else 0.85))


def _from_real(
    curve: Callable[[np.ndarray], np.ndarray],
    real: np.ndarray,
    sample: CaseSample,
    lesion: Lesion | None,
    scheme: Sequence[TissueClass],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    painted = real
    if lesion is not None:
        wettest = _look_of_water(sample, scheme)
        for part in lesion.compartments:
            target = real + min(1.0, 1.4 * part.water) * (wettest - real)
            target = target + 3.0 * (1 - part.t1_factor) + part.shift
            painted = painted + part.weight * (target - painted)
    return curve(real), curve(painted), curve(sample.values)


def _look_of_water(sample: CaseSample, scheme: Sequence[TissueClass]) -> float:
    """What tissue full of water would look like in a real scan, judged by its healthy tissue.

    Towards fluid where that is the brightest (T2) or where grey is darker than white (T1); else
    (FLAIR: fluid is suppressed, wet tissue is not) as far above grey as fluid lies below it.
    """
    csf, grey, white = _kinds(sample.values, sample.labels, scheme)
    flair_like = csf < grey and grey > white
    return 2 * grey - csf if flair_like else csf


def _by_table(
    rng: np.random.Generator,
    looks: Looks,
    labels: np.ndarray,
    base: np.ndarray | None,
    sample: CaseSample,
    lesion: Lesion | None,
    scheme: Sequence[TissueClass],
    spacing: Sequence[float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A table of intensities shown on the label map, or on the case's own scan as `base`."""
    table, wet = looks
    texture = 1 + rng.uniform(0, 0.05) * smooth_field(
        rng, labels.shape, spacing, rng.uniform(3, 14)
    )
    if base is None:
        sharpness = rng.uniform(0.3, 0.6) * min(spacing[1:])
        clean = blur(table[labels] * texture, sharpness, spacing)
        scatter = rng.standard_normal(sample.labels.size) * 0.05 + 1
        whole = table[sample.labels] * scatter
    else:
        known = sample.values, sample.labels
        clean = recoloured(base, labels, *known, table, scheme) * texture
        whole = recoloured(*known, *known, table, scheme)
    painted = clean
    if lesion is not None:
        span = float(table[1 : len(scheme) + 1].std())
        for part in lesion.compartments:
            look = wet(part)[labels] * texture + part.shift * span
            painted = painted + part.weight * (np.maximum(look, 0) - painted)
    return clean, painted, whole
