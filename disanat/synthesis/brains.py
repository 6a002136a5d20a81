"""Simulated brains: the atlas' tissues, bent at random, rendered by signal equations.

For the demonstration and for tests only: it needs no data. The training generator of disanat is a
different one and shares nothing with `simulate_lesions` here, so that a test on simulated lesions
does not ask for what was taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import ndimage

from disanat.anatomy.template import load_atlas
from disanat.synthesis.signal import (
    PulseSequence,
    TissueProperties,
    Weighting,
    draw_sequence,
    draw_tissues,
    signal,
    wetter,
)
from disanat.tissues import THREE_CLASSES

__all__ = ["Lesion", "SimulatedBrain", "render_scan", "simulate_brain", "simulate_lesions"]

_MARGIN_MM = 8.0
_ROTATION_DEG, _SCALE, _BEND_MM, _BEND_SIGMA_MM = 10.0, 0.08, 5.0, 12.0
_DRAWS = 200
_MEAN_SCALE = 0.93  # The MNI152 brain is a fifth larger than people's.
_VENTRICLE_REACH_MM = 16.0
_BIAS_SIGMA_MM, _BIAS = 40.0, 0.2
LesionKind = Literal["small", "medium", "large"]


@dataclass(frozen=True)
class SimulatedBrain:
    """One healthy brain.

    `maps` holds the soft shares of csf, grey and white matter (THREE_CLASSES), shape (3, S, P, L),
    float32, summing to 1 in `mask` and 0 outside; `spacing` in mm.
    """

    maps: np.ndarray
    spacing: tuple[float, float, float]
    mask: np.ndarray


@dataclass(frozen=True)
class Lesion:
    """Share of each voxel that is lesion (0..1) and its fraction of free water (0..1)."""

    share: np.ndarray
    water: np.ndarray


@dataclass(frozen=True)
class _Blob:
    """How many lesions of which volume, and which tissue may hold their centre."""

    count: tuple[int, int]
    volume_ml: tuple[float, float]
    water: tuple[float, float]
    core: float
    periventricular: bool


_KINDS: dict[LesionKind, _Blob] = {
    "small": _Blob((6, 12), (0.05, 1.0), (0.25, 0.45), 0.0, True),
    "medium": _Blob((2, 4), (2.0, 8.0), (0.25, 0.45), 0.0, False),
    "large": _Blob((1, 1), (20.0, 50.0), (0.25, 0.4), 0.2, False),
}


def simulate_brain(rng: np.random.Generator, spacing_mm: float) -> SimulatedBrain:
    """Another healthy brain: the atlas turned, scaled, bent, its ventricles made wider or narrower.

    Rotations up to 10 degrees about each axis, scales within 8% along each, smooth displacements
    of up to 5 mm (Gaussian of 12 mm).
    """
    atlas = load_atlas()
    spacing = (spacing_mm,) * 3
    extent = (np.array(atlas.brain.shape) * atlas.spacing + 2 * _MARGIN_MM) * (1 + _SCALE / 2)
    shape = tuple(int(n) for n in np.ceil(extent / spacing_mm))
    points = _grid_mm(shape, spacing_mm)
    points = _affine(rng, points)
    points += _bend(rng, shape, spacing_mm)
    points += _ventricle_push(rng, points)
    index = points / np.array(atlas.spacing).reshape(3, 1, 1, 1)
    index += (np.array(atlas.brain.shape).reshape(3, 1, 1, 1) - 1) / 2
    blur = 0.4 * spacing_mm / atlas.spacing[0]
    maps = np.stack([_sample(m, index, blur) for m in (atlas.csf, atlas.grey, atlas.white)])
    mask = ndimage.binary_opening(_sample(atlas.brain, index, blur) >= 0.5)
    total = maps.sum(axis=0)
    mask &= total > 0.2
    maps = np.where(mask, maps / np.maximum(total, 1e-6), 0).astype(np.float32)
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = tuple(slice(max(0, s.start - 2), s.stop + 2) for s in found)
    return SimulatedBrain(maps[(slice(None), *box)], spacing, mask[box])


def _grid_mm(shape: tuple[int, ...], spacing_mm: float) -> np.ndarray:
    """Coordinates in mm from the centre, shape (3, *shape)."""
    axes = [(np.arange(n) - (n - 1) / 2) * spacing_mm for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _affine(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    matrix = np.diag(1 / (_MEAN_SCALE * (1 + rng.uniform(-_SCALE, _SCALE, 3))))
    for axis, angle in enumerate(np.deg2rad(rng.uniform(-_ROTATION_DEG, _ROTATION_DEG, 3))):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return np.einsum("ij,j...->i...", matrix, points)


def _smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], spacing_mm: float, sigma_mm: float
) -> np.ndarray:
    """Gaussian noise smoothed by `sigma_mm`, its largest magnitude scaled to 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma_mm / spacing_mm)
    return np.asarray(noise / np.abs(noise).max())


def _bend(rng: np.random.Generator, shape: tuple[int, ...], spacing_mm: float) -> np.ndarray:
    reach = rng.uniform(0.5, 1.0) * _BEND_MM
    fields = [_smooth_noise(rng, shape, spacing_mm, _BEND_SIGMA_MM) for _ in range(3)]
    return reach * np.stack(fields)


def _ventricle_push(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Displacements that widen or narrow what lies around the lateral ventricles."""
    centre = _ventricle_centre().reshape(3, 1, 1, 1)
    offset = points - centre
    squared = (offset**2).sum(axis=0)
    strength = rng.uniform(-0.3, 0.35)
    return -strength * offset * np.exp(-0.5 * squared / _VENTRICLE_REACH_MM**2)


@lru_cache(maxsize=1)
def _ventricle_centre() -> np.ndarray:
    """Centre of the fluid deep inside the atlas' brain, in mm from the centre of its grid."""
    atlas = load_atlas()
    depth = ndimage.distance_transform_edt(atlas.brain, atlas.spacing)
    index = np.argwhere((depth > 40) & (atlas.csf > 0.5)).mean(axis=0)
    return np.asarray((index - (np.array(atlas.brain.shape) - 1) / 2) * atlas.spacing)


def _sample(volume: np.ndarray, index: np.ndarray, blur: float) -> np.ndarray:
    soft = ndimage.gaussian_filter(volume.astype(np.float32), blur)
    return ndimage.map_coordinates(soft, index, order=1, mode="constant")


def simulate_lesions(rng: np.random.Generator, brain: SimulatedBrain, kind: LesionKind) -> Lesion:
    """Lesions for a test case: irregular blobs in grey and white matter.

    Args:
        kind: "small" (6 to 12 of 0.05 to 1 mL in the white matter, near the ventricles), "medium"
            (2 to 4 of 2 to 8 mL) or "large" (one of 20 to 50 mL with a wetter core).
    """
    blob = _KINDS[kind]
    share = np.zeros(brain.mask.shape, np.float32)
    water = np.zeros(brain.mask.shape, np.float32)
    solid = brain.maps[1] + brain.maps[2]
    for _ in range(int(rng.integers(blob.count[0], blob.count[1] + 1))):
        low, high = np.log(blob.volume_ml)
        volume = float(np.exp(rng.uniform(low, high)))
        centre = _draw_centre(rng, brain, share, blob, volume)
        part, depth = _grow(rng, brain, solid, centre, volume)
        new = part > share
        level = rng.uniform(*blob.water) + blob.core * depth
        water[new] = level[new]
        share[new] = part[new]
    return Lesion(share, np.clip(water, 0, 0.6))


def _draw_centre(
    rng: np.random.Generator, brain: SimulatedBrain, taken: np.ndarray, blob: _Blob, volume: float
) -> np.ndarray:
    """A voxel of white matter, at least two thirds of the radius deep, away from other lesions."""
    depth = ndimage.distance_transform_edt(brain.mask, brain.spacing)
    radius = (volume * 1000 * 0.75 / np.pi) ** (1 / 3)
    free = ndimage.distance_transform_edt(taken < 0.05, brain.spacing) > radius + 4
    levels = np.flatnonzero(brain.mask.any(axis=(1, 2)))
    above = np.arange(brain.mask.shape[0]) > np.quantile(levels, 0.35)
    weight = brain.maps[2] ** 2 * (depth > 0.7 * radius + 4) * above.reshape(-1, 1, 1) * free
    if blob.periventricular:
        fluid = (brain.maps[0] > 0.5) & (depth > 30)
        weight = weight * np.exp(-ndimage.distance_transform_edt(~fluid, brain.spacing) / 10.0)
    chances = weight.ravel() / weight.sum()
    return np.array(np.unravel_index(rng.choice(chances.size, p=chances), weight.shape))


def _grow(
    rng: np.random.Generator,
    brain: SimulatedBrain,
    solid: np.ndarray,
    centre: np.ndarray,
    volume_ml: float,
) -> tuple[np.ndarray, np.ndarray]:
    """A soft irregular blob of the wanted volume, and how deep in it each voxel lies (0..1)."""
    spacing = np.array(brain.spacing)
    offset = [(np.arange(n) - c) * s for n, c, s in zip(solid.shape, centre, spacing)]
    distance = np.sqrt(sum(o**2 for o in np.meshgrid(*offset, indexing="ij")))
    radius = (volume_ml * 1000 * 0.75 / np.pi) ** (1 / 3)
    rough = _smooth_noise(rng, solid.shape, float(spacing[0]), max(2.5, 0.5 * radius))
    wobble = np.clip(rough * 3, -1, 1)
    height = 1 - distance / radius * (1 + 0.3 * wobble)
    soft_width = 0.6 * float(spacing.max()) / radius
    low, high = -3.0, 1.0
    for _ in range(20):
        level = (low + high) / 2
        part = np.clip((height - level) / soft_width + 0.5, 0, 1) * solid
        too_big = part.sum() * spacing.prod() / 1000 > volume_ml
        low, high = (level, high) if too_big else (low, level)
    return part.astype(np.float32), np.clip((height - level) / max(1 - level, 0.1), 0, 1)


def render_scan(
    rng: np.random.Generator,
    brain: SimulatedBrain,
    weighting: Weighting,
    lesion: Lesion | None = None,
) -> np.ndarray:
    """One scan of a brain, float32, axes S, P, L, exactly 0 outside the brain.

    Signal equations with drawn tissues and sequence, partial volume by the soft maps, a lesion
    that is tissue with free water in it, a bias field within 20%, Rician noise (signal-to-noise
    ratio 20 to 40) and an arbitrary scanner scale.
    """
    tissues, sequence = _draw_contrast(rng, weighting)
    image = np.einsum("k...,k->...", brain.maps, signal(sequence, tissues))
    if lesion is not None:
        sick = sum(
            brain.maps[k] * signal(sequence, wetter(_one(tissues, k), lesion.water))
            for k in range(len(THREE_CLASSES))
        )
        image = (1 - lesion.share) * image + lesion.share * sick
    image = image * _bias_field(rng, brain)
    level = float(np.mean(image[brain.mask]))
    sigma = level / rng.uniform(20, 40)
    noise = rng.normal(0, sigma, (2, *image.shape))
    noisy = np.hypot(image + noise[0], noise[1])
    scale = float(np.exp(rng.uniform(np.log(100), np.log(2000)))) / level
    return np.where(brain.mask, noisy * scale, 0).astype(np.float32)


def _draw_contrast(
    rng: np.random.Generator, weighting: Weighting
) -> tuple[TissueProperties, PulseSequence]:
    """Tissues and a sequence whose contrast a radiologist would call by that name.

    The draws are wide: an inversion may null the grey matter, so that fluid outshines it on "T1".
    """
    for _ in range(_DRAWS):
        tissues = draw_tissues(rng, THREE_CLASSES)
        sequence = draw_sequence(rng, weighting)
        csf, grey, white = signal(sequence, tissues)
        sick = float(signal(sequence, wetter(_one(tissues, 2), 0.4))[0])
        if weighting == "t2":
            typical = csf > 1.3 * grey and grey > 1.08 * white
        elif weighting == "flair":
            typical = csf < 0.6 * white and grey > 1.04 * white
        elif weighting == "pd":
            typical = True
        else:
            typical = csf < 0.75 * grey and 0.5 * white < grey < 0.9 * white and sick < grey
        if typical:
            break
    return tissues, sequence


def _one(tissues: TissueProperties, index: int) -> TissueProperties:
    return tissues[slice(index, index + 1)]


def _bias_field(rng: np.random.Generator, brain: SimulatedBrain) -> np.ndarray:
    shape = brain.mask.shape
    return 1 + _BIAS * _smooth_noise(rng, shape, brain.spacing[0], _BIAS_SIGMA_MM)
