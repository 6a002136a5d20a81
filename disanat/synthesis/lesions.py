"""Synthetic lesions for training: tissue that holds more water, masses, and anything odd.

No lesion mask, real or automatic, has a part in them: places are drawn from the healthy anatomy,
shapes from random fields. The look of a lesion is left to the contrast (see `render`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disanat.synthesis.fields import smooth_field

__all__ = ["Compartment", "Lesion", "draw_lesion"]


@dataclass(frozen=True)
class Compartment:
    """One part of a lesion.

    `weight` is the share of each voxel that it fills, (S, P, L) in [0, 1]; `water` the fraction of
    free water in its tissue; `t1_factor` shortens T1 (contrast agent); `shift` changes the
    intensity outright, in standard deviations of the brain, for lesions that follow no physics.
    """

    weight: np.ndarray
    water: float
    t1_factor: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True)
class Lesion:
    """All compartments of the lesions in one block, painted in order."""

    compartments: tuple[Compartment, ...]
    mask: np.ndarray
    """bool, (S, P, L): voxels at least half filled."""


def draw_lesion(
    rng: np.random.Generator,
    labels: np.ndarray,
    preferred: np.ndarray,
    spacing: Sequence[float],
) -> Lesion | None:
    """Draw lesions for one block of a healthy brain; None for every fifth block.

    Args:
        rng: source of randomness.
        labels: class numbers (0 outside), shape (S, P, L).
        preferred: bool, where small lesions like to be (white matter and its surroundings).
        spacing: voxel size in mm.
    """
    kind = rng.choice(("none", "spots", "mass", "free"), p=(0.2, 0.36, 0.28, 0.16))
    brain = labels > 0
    places = np.argwhere(preferred if kind == "spots" and preferred.any() else brain)
    if kind == "none" or len(places) < 20:
        return None
    if kind == "spots":
        parts = _spots(rng, places, labels.shape, spacing)
    elif kind == "mass":
        parts = _mass(rng, places, labels.shape, spacing)
    else:
        parts = _free(rng, places, labels.shape, spacing)
    inside = brain.astype(np.float32)
    parts = tuple(Compartment(p.weight * inside, p.water, p.t1_factor, p.shift) for p in parts)
    mask = np.max([p.weight for p in parts], axis=0) >= 0.5
    return Lesion(parts, mask) if mask.any() else None


def _distance(
    rng: np.random.Generator,
    centre: np.ndarray,
    radius_mm: float,
    shape: Sequence[int],
    spacing: Sequence[float],
) -> np.ndarray:
    """Distance from a point in units of a randomly stretched radius (1 on the surface)."""
    stretch = np.exp(rng.normal(0, 0.3, 3))
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    metric = turn @ np.diag(1 / (radius_mm * stretch)) @ turn.T
    axes = [(np.arange(n) - c) * s for n, c, s in zip(shape, centre, spacing, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).astype(np.float32)
    return np.asarray(np.linalg.norm(grid @ metric.astype(np.float32), axis=-1))


def _soft(distance: np.ndarray, radius_mm: float, edge_mm: float) -> np.ndarray:
    return np.clip(0.5 + (1 - distance) * radius_mm / edge_mm, 0, 1).astype(np.float32)


def _spots(
    rng: np.random.Generator, places: np.ndarray, shape: Sequence[int], spacing: Sequence[float]
) -> tuple[Compartment, ...]:
    total = np.zeros(shape, np.float32)
    rough = smooth_field(rng, shape, spacing, rng.uniform(4, 10))
    for _ in range(rng.integers(1, 10)):
        radius = float(np.exp(rng.uniform(np.log(1.3), np.log(7.0))))
        centre = places[rng.integers(len(places))]
        distance = _distance(rng, centre, radius, shape, spacing) + 0.25 * rough
        total = np.maximum(total, _soft(distance, radius, rng.uniform(1.0, 3.0)))
    return (Compartment(total, rng.uniform(0.15, 0.75)),)


def _mass(
    rng: np.random.Generator, places: np.ndarray, shape: Sequence[int], spacing: Sequence[float]
) -> tuple[Compartment, ...]:
    radius = float(np.exp(rng.uniform(np.log(7.0), np.log(32.0))))
    centre = places[rng.integers(len(places))]
    rough = smooth_field(rng, shape, spacing, rng.uniform(8, 20))
    distance = _distance(rng, centre, radius, shape, spacing) + rng.uniform(0.1, 0.3) * rough
    oedema = Compartment(_soft(distance, radius, rng.uniform(2, 8)), rng.uniform(0.1, 0.4))
    if rng.random() < 0.3:
        return (oedema,)
    inner = distance / rng.uniform(0.4, 0.85)
    core = Compartment(_soft(inner, radius, rng.uniform(1, 4)), rng.uniform(0.15, 0.9))
    if rng.random() < 0.5:
        return oedema, core
    rim = np.clip(1.3 - np.abs(inner - 0.9) * radius / rng.uniform(1.5, 4), 0, 1)
    enhancing = Compartment(
        rim.astype(np.float32), rng.uniform(0.05, 0.3), t1_factor=rng.uniform(0.2, 0.55)
    )
    return oedema, core, enhancing


def _free(
    rng: np.random.Generator, places: np.ndarray, shape: Sequence[int], spacing: Sequence[float]
) -> tuple[Compartment, ...]:
    radius = float(np.exp(rng.uniform(np.log(2.5), np.log(25.0))))
    centre = places[rng.integers(len(places))]
    rough = smooth_field(rng, shape, spacing, rng.uniform(5, 15))
    distance = _distance(rng, centre, radius, shape, spacing) + 0.3 * rough
    weight = _soft(distance, radius, rng.uniform(1, 5))
    shift = rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 3.0)
    return (Compartment(weight, 0.0, shift=shift),)
