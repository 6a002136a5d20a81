"""Whole heads in any contrast, with the mask of the brain: what a brain extractor learns from.

Training on images rendered from label maps with random contrasts, so that a network needs no
particular contrast later, is the idea of SynthStrip (Hoopes et al., NeuroImage 260:119474, 2022).
How the heads are bent, painted and spoiled here is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from disanat.synthesis.fields import blur, smooth_field
from disanat.synthesis.signal import draw_sequence, draw_tissues, signal
from disanat.tissues import EIGHT_CLASSES

__all__ = ["BONE", "OUTER", "VESSEL", "HeadMap", "HeadSample", "draw_head"]

VESSEL = len(EIGHT_CLASSES) + 1
"""Code of what lies in the brain and is none of the eight tissues."""
BONE = VESSEL + 1
"""Code of the skull."""
OUTER = BONE + 1
"""Codes from here on are any other tissue outside the brain."""
_CODES = 32
_FINER = 2
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class HeadMap:
    """One whole head.

    `codes` is uint8, (S, P, L): 0 air, 1 to 8 the classes of `EIGHT_CLASSES`, then `VESSEL`,
    `BONE`, and `OUTER` and above. `brain` is the mask to be learned, bool, on the same grid;
    `spacing` in mm.
    """

    codes: np.ndarray
    brain: np.ndarray
    spacing: Triple

    @property
    def centre_mm(self) -> np.ndarray:
        """Centre of the brain from the centre of the first voxel."""
        middle = [
            np.average(np.arange(n), weights=self.brain.sum(axis=others))
            for n, others in zip(self.brain.shape, ((1, 2), (0, 2), (0, 1)))
        ]
        return np.array(middle) * self.spacing


@dataclass(frozen=True)
class HeadSample:
    """One rendered head on the working grid, (S, P, L).

    `image` has the scale of no scanner; `target` is the share of each voxel that is brain;
    `seen` is False beyond the field of view; `fine_target` is the brain on a grid twice as fine.
    """

    image: np.ndarray
    target: np.ndarray
    seen: np.ndarray
    fine_target: np.ndarray


def draw_head(
    rng: np.random.Generator, head: HeadMap, shape: Sequence[int], spacing: float
) -> HeadSample:
    """Bend a head at random, paint it in a random contrast, and spoil it as scanners do.

    Args:
        rng: source of randomness.
        head: the label map to render.
        shape: voxels of the working grid.
        spacing: its isotropic voxel size in mm.
    """
    grid = [n * _FINER for n in shape]
    codes, brain = _bent(rng, head, grid, spacing / _FINER)
    target = _pooled(brain.astype(np.float32))
    image = _pooled(_painted(rng, codes, spacing / _FINER))
    shown = _shown(rng, target, spacing)
    mm = (spacing,) * 3
    if rng.random() < 0.6:
        image = _with_lesions(rng, image, target, mm)
    image = image * np.exp(
        rng.uniform(0, 0.35) * smooth_field(rng, shape, mm, rng.uniform(60, 120))
    )
    if rng.random() < 0.4:
        image = blur(image, rng.uniform(0.2, 0.7) * spacing, mm)
    if rng.random() < 0.5:
        image = _thick_slices(image, int(rng.integers(3)), rng.uniform(1.2, 2.4))
    image = _noisy(rng, image)
    image = np.where(shown, image, np.float32(0))
    if rng.random() < 0.15:
        image = float(image.max()) - image
    return HeadSample(image.astype(np.float32), target, _field_of_view(rng, target), brain)


def _bent(
    rng: np.random.Generator, head: HeadMap, shape: Sequence[int], spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and brain on another grid, after a random affine and a smooth deformation."""
    turn = np.deg2rad(rng.normal(0, 9, 3).clip(-25, 25))
    matrix = _rotation(turn) @ np.diag(np.exp(rng.uniform(-0.2, 0.2) + rng.normal(0, 0.05, 3)))
    matrix = matrix @ (np.eye(3) + np.triu(rng.normal(0, 0.04, (3, 3)), 1))
    if rng.random() < 0.5:
        matrix[:, 2] *= -1
    # A scan mostly shows more below the brain than above it.
    shift = rng.uniform((-15, -20, -15), (45, 20, 15))
    axes = [
        ((np.arange(n) - (n - 1) / 2) * spacing - s).astype(np.float32)
        for n, s in zip(shape, shift)
    ]
    depth, scale = rng.uniform(0, 5), rng.uniform(30, 90)
    flat = np.zeros(tuple(shape), np.int64)
    outside = np.zeros(tuple(shape), bool)
    for axis, count in enumerate(head.codes.shape):
        row = matrix[axis].astype(np.float32)
        place = row[0] * axes[0][:, None, None] + row[1] * axes[1][:, None]
        place = place + row[2] * axes[2] + head.centre_mm[axis].astype(np.float32)
        place += np.float32(depth) * smooth_field(rng, shape, (spacing,) * 3, scale)
        index = np.rint(place / head.spacing[axis]).astype(np.int32)
        outside |= (index < 0) | (index >= count)
        flat = flat * count + np.clip(index, 0, count - 1)
    codes, brain = head.codes.ravel()[flat], head.brain.ravel()[flat]
    codes[outside], brain[outside] = 0, False
    return codes, brain


def _rotation(angles: np.ndarray) -> np.ndarray:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (k for k in range(3) if k != axis)
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _pooled(fine: np.ndarray) -> np.ndarray:
    s, p, l = (n // _FINER for n in fine.shape)
    return np.asarray(fine.reshape(s, _FINER, p, _FINER, l, _FINER).mean((1, 3, 5), np.float32))


def _painted(rng: np.random.Generator, codes: np.ndarray, spacing: float) -> np.ndarray:
    """Intensities: every tissue its own, those outside the brain in patches of two kinds."""
    inside = _inside_levels(rng)
    tables = [_levels(rng, inside) for _ in range(2)]
    for table in tables:
        table[:BONE] = tables[0][:BONE]
    mm = (spacing,) * 3
    patches = smooth_field(rng, codes.shape, mm, rng.uniform(8, 40)) > rng.normal(0.3, 0.5)
    image = np.where(patches, tables[1][codes], tables[0][codes])
    texture = smooth_field(rng, codes.shape, mm, rng.uniform(3, 15))
    return np.asarray(image * (1 + np.float32(rng.uniform(0, 0.12)) * texture))


def _inside_levels(rng: np.random.Generator) -> np.ndarray:
    """Intensity of the eight tissues: by a signal equation, by three kinds, or quite free."""
    way = rng.random()
    if way < 0.6:
        levels = signal(draw_sequence(rng), draw_tissues(rng, EIGHT_CLASSES))
    elif way < 0.85:
        kinds = dict(zip(("csf", "grey", "white"), rng.uniform(0.05, 1, 3)))
        levels = np.array([kinds[c.kind] for c in EIGHT_CLASSES])
        levels = levels * np.exp(rng.normal(0, 0.1, len(levels)))
    else:
        levels = rng.uniform(0.05, 1, len(EIGHT_CLASSES))
    return np.asarray(levels / levels.max(), np.float32)


def _levels(rng: np.random.Generator, inside: np.ndarray) -> np.ndarray:
    """Intensity of every code; bone and air are dark mostly, as they have little signal."""
    table = np.zeros(_CODES, np.float32)
    table[1:VESSEL] = inside
    table[VESSEL] = rng.uniform(0, 1.4)
    table[OUTER:] = rng.uniform(0, 1.0, _CODES - OUTER) ** rng.uniform(0.6, 1.6) * rng.uniform(
        0.7, 2
    )
    table[BONE] = rng.uniform(0, 0.3) if rng.random() < 0.7 else rng.uniform(0, 1.2)
    table[0] = rng.uniform(0, 0.06) if rng.random() < 0.9 else rng.uniform(0, 0.5)
    return table


def _shown(rng: np.random.Generator, target: np.ndarray, spacing: float) -> np.ndarray:
    """What is left in the picture: all, a defaced head, or (rarely) a stripped brain."""
    shown = np.ones(target.shape, bool)
    way = rng.random()
    if way < 0.07:
        reach = rng.uniform(-0.3, 4)
        return np.asarray(ndimage.distance_transform_edt(target < 0.5) * spacing <= reach)
    if way < 0.22:
        s, p, l = np.ogrid[tuple(slice(n) for n in target.shape)]
        level, front = np.nonzero(target > 0.5)[:2]
        if level.size:
            slope = rng.uniform(0.4, 1.5)
            face = (s - level.min() - rng.uniform(0, 12)) + slope * (p - front.min()) < 0
            shown = ~(face & (target == 0) & (l >= 0))
    return shown


def _with_lesions(
    rng: np.random.Generator, image: np.ndarray, target: np.ndarray, spacing: Triple
) -> np.ndarray:
    """Blobs of any intensity in the brain, from spots to tumours, and at its border."""
    places = np.argwhere(target > 0.5)
    level = float(image.max())
    for _ in range(int(rng.integers(1, 5)) if len(places) else 0):
        radius = float(np.exp(rng.uniform(np.log(4), np.log(32))))
        centre = places[rng.integers(len(places))]
        axes = np.ogrid[tuple(slice(n) for n in image.shape)]
        stretch = np.exp(rng.normal(0, 0.25, 3)) * radius
        reach = sum(((a - c) * m / r) ** 2 for a, c, m, r in zip(axes, centre, spacing, stretch))
        rough = 0.3 * smooth_field(rng, image.shape, spacing, max(8.0, radius / 2))
        weight = np.clip(0.5 + (1 - np.sqrt(reach) + rough) * radius / 5, 0, 1) * target
        image = image + weight * (np.float32(rng.uniform(0, level)) - image)
    return image


def _thick_slices(image: np.ndarray, axis: int, factor: float) -> np.ndarray:
    """Lose resolution along one axis, as slices `factor` voxels thick would."""
    wide = ndimage.uniform_filter1d(image, max(2, round(factor)), axis)
    count = max(4, round(image.shape[axis] / factor))
    at = np.linspace(0, image.shape[axis] - 1, count)
    thick = np.take(wide, np.rint(at).astype(int), axis)
    back = np.linspace(0, count - 1, image.shape[axis])
    low = np.minimum(back.astype(int), count - 2)
    part = (back - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    lower, upper = np.take(thick, low, axis), np.take(thick, low + 1, axis)
    return np.asarray(lower + (upper - lower) * part)


def _noisy(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Gamma, then the noise of a magnitude image (Rician)."""
    level = max(float(np.percentile(image, 99)), 1e-3)
    scaled = np.clip(image / level, 0, 3) ** np.float32(np.exp(rng.uniform(-0.7, 0.7)))
    width = np.float32(rng.uniform(0, 0.1) ** 1.5 * 3.2)
    real = scaled + width * rng.standard_normal(image.shape, np.float32)
    return np.asarray(np.hypot(real, width * rng.standard_normal(image.shape, np.float32)))


def _field_of_view(rng: np.random.Generator, target: np.ndarray) -> np.ndarray:
    """Leave out slabs at the sides of the grid, at times with a part of the brain."""
    seen = np.ones(target.shape, bool)
    for axis, count in enumerate(target.shape):
        for side in (0, 1):
            if rng.random() < 0.35:
                width = int(rng.uniform(0, 0.16) * count)
                cut = slice(0, width) if side == 0 else slice(count - width, count)
                seen[(slice(None),) * axis + (cut,)] = False
    return seen
