"""What each label looks like in one drawn contrast, healthy and with a lesion in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from disanat.synthesis.lesions import Compartment
from disanat.synthesis.signal import (
    PulseSequence,
    TissueProperties,
    draw_tissues,
    signal,
    wetter,
)
from disanat.tissues import TissueClass, class_kinds

__all__ = ["EXTRACEREBRAL", "Looks", "free_table", "physics_table"]

EXTRACEREBRAL = 101
"""Labels from here on are tissue outside the brain, numbered by intensity."""
_EXTRA = 4
_FLUID_SHARE = (0.5, 0.9)
_TISSUE_SHARE = (0.5, 0.75)
"""How much of the other tissue a partial-volume class holds; as IXI's T1 scans show it, and wider.
"""

Looks = tuple[np.ndarray, Callable[[Compartment], np.ndarray]]
"""Intensity by label, and the same for tissue with a lesion's compartment in it."""


def physics_table(
    rng: np.random.Generator, scheme: Sequence[TissueClass], sequence: PulseSequence
) -> Looks:
    """Intensities by a signal equation, tissues drawn around what is known of them."""
    tissues = draw_tissues(rng, scheme)
    mix = _mixture(rng, scheme)
    table = _full_table(rng, mix @ signal(sequence, tissues))
    # A lesion that reaches into the ventricles or sulci displaces the fluid: it is tissue there.
    whites = class_kinds(scheme, "white")
    fluid = [k - 1 for k in class_kinds(scheme, "csf")]
    solid = TissueProperties(tissues.t1_ms.copy(), tissues.t2_ms.copy(), tissues.pd.copy())
    for values in (solid.t1_ms, solid.t2_ms, solid.pd):
        values[fluid] = values[whites[0] - 1]

    def wet(part: Compartment) -> np.ndarray:
        wetted = wetter(solid, part.water)
        enhanced = TissueProperties(wetted.t1_ms * part.t1_factor, wetted.t2_ms, wetted.pd)
        changed = table.copy()
        changed[1 : len(scheme) + 1] = mix @ signal(sequence, enhanced)
        return changed

    return table, wet


def free_table(rng: np.random.Generator, scheme: Sequence[TissueClass]) -> Looks:
    """Random intensities that follow no physics."""
    by_kind = {kind: rng.uniform(0.05, 1) for kind in ("csf", "grey", "white")}
    pure = np.array([by_kind[c.kind] * np.exp(rng.normal(0, 0.12)) for c in scheme])
    inside = (_mixture(rng, scheme) @ pure).astype(np.float32)
    table = _full_table(rng, inside)

    def wet(part: Compartment) -> np.ndarray:
        fluid = by_kind["csf"]
        changed = table + min(1.0, 1.4 * part.water) * (fluid - table)
        return np.asarray(changed + (1 - part.t1_factor) * float(inside.max()))

    return table, wet


def _mixture(rng: np.random.Generator, scheme: Sequence[TissueClass]) -> np.ndarray:
    """Which share of each class's signal (column) is in each class (row); (classes, classes)."""
    number = {c.name: i for i, c in enumerate(scheme)}
    mix = np.eye(len(scheme))
    for row, tissue in enumerate(scheme):
        if tissue.part_of:
            other = number[tissue.mixed_with]
            fluid = scheme[other].kind == "csf"
            share = rng.uniform(*(_FLUID_SHARE if fluid else _TISSUE_SHARE))
            mix[row] = 0
            mix[row, number[tissue.part_of]], mix[row, other] = 1 - share, share
    return mix


def _full_table(rng: np.random.Generator, inside: np.ndarray) -> np.ndarray:
    """Intensity by label: air, the classes, and random tissue outside the brain."""
    table = np.zeros(EXTRACEREBRAL + _EXTRA, np.float32)
    table[1 : len(inside) + 1] = inside
    table[EXTRACEREBRAL:] = rng.uniform(0, 1.4, _EXTRA) * inside.max()
    table[0] = rng.uniform(0, 0.05) * inside.max()
    return table
