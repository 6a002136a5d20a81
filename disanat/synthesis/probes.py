"""Probes: a second kind of synthetic lesion, for calibration and for judging, never for training.

A method that is judged by the lesions it was trained on may have learnt their maker. Probes share
nothing with `lesions`: their shapes are thresholded random fields with detail on many scales, often
in several islands, instead of stretched balls; they follow no physics of water, but are put into
the intensities of a healthy scan, whatever its contrast. Training must not import this module;
import-linter sees to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import fft

__all__ = [
    "PROBE_KINDS",
    "SIZES_ML",
    "STRENGTHS",
    "Probe",
    "ProbeKind",
    "draw_probe",
    "paste_probe",
]

ProbeKind = Literal["darker", "brighter", "textured", "rim"]
PROBE_KINDS: tuple[ProbeKind, ...] = get_args(ProbeKind)
SIZES_ML = (0.05, 60.0)
"""Least and most volume of all islands together."""
STRENGTHS = (0.7, 3.0)
"""Least and most change, in standard deviations of the brain."""
_LOWEST, _HIGHEST = -4.0, 6.0
_LARGEST_SHARE = 0.3


@dataclass(frozen=True)
class Probe:
    """A healthy scan with one probe in it.

    `image` is the changed scan, float32, (S, P, L), in standard deviations of the brain; `weight`
    the share of each voxel that the probe fills, in [0, 1], and `mask` the voxels at least half
    filled; `volume_ml` the volume of `mask`; `strength` the change in standard deviations.
    """

    image: np.ndarray
    mask: np.ndarray
    weight: np.ndarray
    kind: ProbeKind
    volume_ml: float
    strength: float


@dataclass(frozen=True)
class _Shape:
    """A probe in a box of the volume.

    `level` rises inwards, is 0 on the border and has about unit slope per mm there.
    """

    box: tuple[slice, ...]
    level: np.ndarray
    allowed: np.ndarray


def draw_probe(
    rng: np.random.Generator,
    image: np.ndarray,
    tissue: np.ndarray,
    fluid: Sequence[int],
    spacing: Sequence[float],
) -> Probe:
    """Put a probe of random kind, size and strength anywhere into a brain's tissue.

    Sizes are log-uniform over `SIZES_ML`, but at most three tenths of the tissue.

    Args:
        rng: source of randomness.
        image: healthy scan of any contrast, in standard deviations of the brain, (S, P, L).
        tissue: class numbers, 0 outside the brain, same shape.
        fluid: class numbers of the ventricles and of other fluid; a probe stays out of them.
        spacing: voxel size in mm.

    Raises:
        ValueError: there is no tissue but fluid.
    """
    kind = PROBE_KINDS[rng.integers(len(PROBE_KINDS))]
    voxel_ml = float(np.prod(spacing)) / 1000
    room = _LARGEST_SHARE * np.count_nonzero(_solid(tissue, fluid)) * voxel_ml
    low, high = SIZES_ML
    volume_ml = float(np.exp(rng.uniform(np.log(low), np.log(max(low, min(high, room))))))
    return paste_probe(rng, image, tissue, fluid, spacing, kind, volume_ml)


def paste_probe(
    rng: np.random.Generator,
    image: np.ndarray,
    tissue: np.ndarray,
    fluid: Sequence[int],
    spacing: Sequence[float],
    kind: ProbeKind,
    volume_ml: float,
    strength: float | None = None,
) -> Probe:
    """Put a probe of a given kind and size into a brain's tissue.

    Args:
        rng: source of randomness.
        image: healthy scan of any contrast, in standard deviations of the brain, (S, P, L).
        tissue: class numbers, 0 outside the brain, same shape.
        fluid: class numbers of the ventricles and of other fluid; a probe stays out of them.
        spacing: voxel size in mm.
        kind: `darker`, `brighter`, `textured` (the tissue gives way to an independent texture) or
            `rim` (a dark core in a bright rim).
        volume_ml: of all islands together; rounded to voxels, one at least.
        strength: change in standard deviations of the brain; drawn from `STRENGTHS` by default.

    Raises:
        ValueError: no such kind, or less tissue than the volume asked for.
    """
    if kind not in PROBE_KINDS:
        raise ValueError(f"no kind of probe is called '{kind}': use {', '.join(PROBE_KINDS)}")
    allowed = _solid(tissue, fluid)
    voxels = max(1, round(volume_ml * 1000 / float(np.prod(spacing))))
    if np.count_nonzero(allowed) < voxels:
        raise ValueError(f"the brain has less tissue than the {volume_ml:g} mL of the probe")
    shape = _draw_shape(rng, allowed, voxels, spacing)
    edge_mm = 0.0 if rng.random() < 0.4 else float(rng.uniform(1.0, 6.0))
    drawn = float(rng.uniform(*STRENGTHS))
    amount = drawn if strength is None else float(strength)
    inside = _soft(shape.level, edge_mm) * shape.allowed
    healthy = image[shape.box].astype(np.float32)
    change = _change(rng, healthy, shape, inside, spacing, kind, amount)
    weight = np.zeros(image.shape, np.float32)
    weight[shape.box] = inside
    painted = image.astype(np.float32)
    painted[shape.box] = np.where(
        inside > 0, np.clip(healthy + inside * change, _LOWEST, _HIGHEST), healthy
    )
    mask = weight >= 0.5
    volume = float(np.count_nonzero(mask)) * float(np.prod(spacing)) / 1000
    return Probe(painted, mask, weight, kind, volume, amount)


def _solid(tissue: np.ndarray, fluid: Sequence[int]) -> np.ndarray:
    return np.asarray((tissue > 0) & ~np.isin(tissue, list(fluid)))


def _draw_shape(
    rng: np.random.Generator, allowed: np.ndarray, voxels: int, spacing: Sequence[float]
) -> _Shape:
    """The voxels where a random field, held together around a point, is highest."""
    places = np.argwhere(allowed)
    if len(places) == 0:
        raise ValueError("there is no tissue to put a probe in")
    centre = places[rng.integers(len(places))]
    radius = (voxels * float(np.prod(spacing)) * 3 / (4 * np.pi)) ** (1 / 3)
    reach = radius * float(rng.uniform(1.0, 2.2))
    box = _box_with_room(allowed, centre, reach, voxels, spacing)
    inside = allowed[box]
    finest = max(float(rng.uniform(0.12, 0.4)) * radius, 0.7 * min(spacing))
    field = _rough_field(rng, inside.shape, spacing, 3 * radius, finest)
    axes = [
        (np.arange(b.start, b.stop) - c) * s / reach for b, c, s in zip(box, centre, spacing)
    ]
    squared = sum(np.square(a) for a in np.meshgrid(*axes, indexing="ij", sparse=True))
    field = field - np.asarray(squared, np.float32)
    values = field[inside]
    border = float(np.partition(values, values.size - voxels)[values.size - voxels])
    level = field - border
    return _Shape(box, level / _slope(level, inside, spacing), inside)


def _box_with_room(
    allowed: np.ndarray, centre: np.ndarray, reach: float, voxels: int, spacing: Sequence[float]
) -> tuple[slice, ...]:
    """A box around the centre with twice the tissue that is needed, or else the whole volume."""
    half = 2.2 * reach
    while True:
        widths = [int(np.ceil(half / s)) + 2 for s in spacing]
        box = tuple(
            slice(max(0, int(c) - w), min(n, int(c) + w + 1))
            for c, w, n in zip(centre, widths, allowed.shape)
        )
        whole = all(b.stop - b.start == n for b, n in zip(box, allowed.shape))
        if whole or np.count_nonzero(allowed[box]) >= 2 * voxels:
            return box
        half *= 1.5


def _rough_field(
    rng: np.random.Generator,
    shape: Sequence[int],
    spacing: Sequence[float],
    coarsest_mm: float,
    finest_mm: float,
) -> np.ndarray:
    """A random field of zero mean and unit deviation with detail on many scales; float32.

    Its power is flat for waves longer than `coarsest_mm`, falls with the fourth power of the
    frequency below, and is cut off by a Gaussian of width `finest_mm`.
    """
    # A few voxels more on each axis: the transform is periodic, and opposite sides would match.
    size = [fft.next_fast_len(n + max(4, n // 8), real=True) for n in shape]
    waves = [fft.fftfreq(n, s) for n, s in zip(size[:-1], spacing[:-1])]
    waves.append(fft.rfftfreq(size[-1], spacing[-1]))
    grids = np.meshgrid(*waves, indexing="ij", sparse=True)
    squared = np.asarray(sum(np.square(g) for g in grids), np.float32)
    amplitude = (squared + 1 / coarsest_mm**2) ** -1
    amplitude *= np.exp(-2 * np.pi**2 * squared * finest_mm**2)
    amplitude.flat[0] = 0
    spectrum = fft.rfftn(rng.standard_normal(size, np.float32)) * amplitude
    field = fft.irfftn(spectrum, size)[tuple(slice(n) for n in shape)]
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), np.float32)


def _slope(level: np.ndarray, inside: np.ndarray, spacing: Sequence[float]) -> float:
    """Median steepness of a field per mm, over the voxels next to its zero."""
    if min(level.shape) < 2:
        return 1.0
    steep = np.sqrt(sum(np.square(g) for g in np.gradient(level, *spacing)))
    near = inside & (np.abs(level) < 0.3)
    values = steep[near] if near.any() else steep
    return max(float(np.median(values)), 1e-3)


def _soft(level: np.ndarray, edge_mm: float) -> np.ndarray:
    """1 inside, 0 outside, half on the border, over a border of the given width."""
    if edge_mm <= 0:
        return (level >= 0).astype(np.float32)
    return np.clip(0.5 + level / edge_mm, 0, 1).astype(np.float32)


def _change(
    rng: np.random.Generator,
    healthy: np.ndarray,
    shape: _Shape,
    inside: np.ndarray,
    spacing: Sequence[float],
    kind: ProbeKind,
    strength: float,
) -> np.ndarray:
    """What a completely filled voxel is changed by."""
    filled = inside >= 0.5
    # Lesions also wipe out some of the tissue's own detail.
    flatter = (float(healthy[filled].mean()) - healthy) * float(rng.uniform(0, 0.6))
    if kind == "darker":
        return np.asarray(flatter - strength)
    if kind == "brighter":
        return np.asarray(flatter + strength)
    if kind == "rim":
        middle = float(np.quantile(shape.level[filled], rng.uniform(0.4, 0.7)))
        core = _soft(shape.level - middle, max(spacing))
        return np.asarray(flatter + strength * (1 - 2 * core))
    grain = float(rng.uniform(2, 5)) * max(spacing)
    texture = _rough_field(rng, healthy.shape, spacing, grain, 0.5 * min(spacing))
    return np.asarray((float(healthy[filled].mean()) + strength * texture - healthy) * 0.85)
