"""Healthy blood that stands out: veins and sinuses full of contrast agent, flow voids, plexus.

Healthy training scans are mostly T1 without contrast agent, in which vessels hardly show. In others
they are the brightest thing in a healthy head, or black: unless a network has seen that, it takes
the sagittal sinus for a lesion. Places are drawn from the anatomy, never from a lesion mask; the
look is one intensity for all vessels of a scan, drawn anew for each of its contrasts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from disanat.synthesis.fields import blur, smooth_field
from disanat.tissues import TissueClass, class_kinds

__all__ = ["draw_level", "draw_vessels"]

_SHARE = 0.6
"""Of the blocks that have vessels."""
_SHOWN = 0.6
"""Of the looks of such a block in which they stand out."""
_BRIGHT_IN_T1, _BRIGHT_ELSE = 0.85, 0.25
_REACH_MM = 6.0
"""How far outside the brain vessels are drawn."""
_MIDLINE_MM = 4.0
_SLAB_MM = 10.0
"""Height of a block that has the number of vessels drawn; a taller one has more."""


def draw_vessels(
    rng: np.random.Generator,
    labels: np.ndarray,
    scheme: Sequence[TissueClass],
    spacing: Sequence[float],
    lesion: np.ndarray,
    left_right: int = 2,
) -> np.ndarray | None:
    """How much of each voxel is vessel, or None: two blocks in five have none.

    A sinus at the brain's rim, mostly in the midline; veins and meninges as sheets, arteries as
    spots in the fluid around the brain; plexus in the ventricles. Each is there or not by itself.

    Args:
        rng: source of randomness.
        labels: class numbers, 0 outside the brain, (S, P, L) or another order.
        scheme: tissue classes in the order of their numbers.
        spacing: voxel size in mm.
        lesion: bool, where no vessel is drawn.
        left_right: number of the axis that runs from left to right.

    Returns:
        float32 array of the labels' shape, in [0, 1].
    """
    if rng.random() > _SHARE:
        return None
    brain = labels > 0
    fluid = _fluid(labels, scheme)
    outer = (_around(brain, spacing) & ~brain) | (fluid & ~_inner(labels, scheme))
    total = np.zeros(labels.shape, np.float32)
    if rng.random() < 0.75:
        total = np.maximum(total, _sinuses(rng, brain, outer, spacing, left_right))
    if rng.random() < 0.4:
        total = np.maximum(total, _sheets(rng, outer, spacing))
    if rng.random() < 0.5:
        total = np.maximum(total, _spots(rng, outer, spacing))
    if rng.random() < 0.4:
        total = np.maximum(total, _sheets(rng, _inner(labels, scheme), spacing))
    return np.where(lesion, np.float32(0), total) if total.any() else None


def draw_level(rng: np.random.Generator, t1_like: bool) -> float | None:
    """Intensity of blood in one look, in standard deviations of the brain from its mean.

    None in two looks of five, where vessels do not stand out. Contrast agent and inflow make blood
    bright in T1-like contrasts; in others it is black mostly, as it flows.
    """
    if rng.random() > _SHOWN:
        return None
    bright = rng.random() < (_BRIGHT_IN_T1 if t1_like else _BRIGHT_ELSE)
    return float(rng.uniform(1.0, 6.0) if bright else rng.uniform(-3.5, -1.0))


def _fluid(labels: np.ndarray, scheme: Sequence[TissueClass]) -> np.ndarray:
    """Fluid, and the sulci and fissures that it fills."""
    fluids = {scheme[k - 1].name for k in class_kinds(scheme, "csf")}
    chosen = [
        k for k, c in enumerate(scheme, start=1) if c.name in fluids or c.mixed_with in fluids
    ]
    return np.isin(labels, chosen)


def _inner(labels: np.ndarray, scheme: Sequence[TissueClass]) -> np.ndarray:
    """Ventricles; where a scheme has one class of fluid, nothing."""
    fluids = class_kinds(scheme, "csf")
    return np.isin(labels, fluids[1:])


def _around(brain: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    grown = blur(brain.astype(np.float32), _REACH_MM, (1e3, *spacing[1:]))
    return np.asarray(grown > 0.15)


def _slabs(block: np.ndarray, spacing: Sequence[float]) -> float:
    return max(1.0, block.shape[0] * spacing[0] / _SLAB_MM)


def _sinuses(
    rng: np.random.Generator,
    brain: np.ndarray,
    outer: np.ndarray,
    spacing: Sequence[float],
    left_right: int,
) -> np.ndarray:
    """Thick vessels where brain and surroundings meet; one to three in a slab."""
    total = np.zeros(brain.shape, np.float32)
    near = ndimage.binary_dilation(brain, np.ones((1, 3, 3))) & outer
    places = np.argwhere(near)
    if len(places) == 0:
        return total
    middle = np.argwhere(brain)[:, left_right].mean()
    aside = np.abs(places[:, left_right] - middle) * spacing[left_right]
    central = places[aside <= _MIDLINE_MM]
    for _ in range(int(rng.integers(1, 4) * max(1.0, 0.3 * _slabs(brain, spacing)))):
        chosen = central if len(central) and rng.random() < 0.75 else places
        centre = chosen[rng.integers(len(chosen))]
        radius = np.exp(rng.uniform(np.log(2.0), np.log(6.0), 3))
        radius[0] *= rng.uniform(1, 4)
        axes = np.ogrid[tuple(slice(n) for n in brain.shape)]
        reach = sum(((a - c) * s / r) ** 2 for a, c, s, r in zip(axes, centre, spacing, radius))
        ball = np.clip(1.5 - np.sqrt(reach), 0, 1).astype(np.float32)
        total = np.maximum(total, ball)
    space = blur(outer.astype(np.float32), 1.5, spacing)
    return np.asarray(total * np.clip(2.5 * space, 0, 1), np.float32)


def _sheets(
    rng: np.random.Generator, where: np.ndarray, spacing: Sequence[float]
) -> np.ndarray:
    """Parts of a space, as meninges, veins along a sulcus or plexus fill it."""
    field = smooth_field(rng, where.shape, spacing, rng.uniform(4, 14))
    filled = where & (field > rng.uniform(0.2, 1.5))
    return np.asarray(rng.uniform(0.4, 1) * filled, np.float32)


def _spots(rng: np.random.Generator, outer: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Vessels cut across, a millimetre or two in radius."""
    places = np.argwhere(outer)
    total = np.zeros(outer.shape, np.float32)
    count = min(len(places), int(rng.integers(1, 12) * _slabs(outer, spacing)))
    for s, p, l in places[rng.choice(len(places), count, replace=False)] if count else ():
        total[max(0, s - 1) : s + 2, p, l] = 1
    wide = blur(total, rng.uniform(0.8, 2.0), (1e3, *spacing[1:]))
    return np.asarray(np.clip(wide / max(float(wide.max()), 1e-6) * 1.2, 0, 1), np.float32)
