"""Contrasts from physics: what a tissue looks like under a drawn MR sequence.

Equations as in Bernstein, King and Zhou, *Handbook of MRI Pulse Sequences* (2004): spin echo
(14.3), inversion recovery (14.2) and spoiled gradient echo (14.1), each for the magnitude image.
All times are in milliseconds, flip angles in degrees, signals relative to fully relaxed water.
"""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Literal

import numpy as np

from disanat.tissues import TissueClass

__all__ = ["PulseSequence", "TissueProperties", "draw_sequence", "draw_tissues", "signal", "wetter"]

Weighting = Literal["t1", "t2", "flair", "pd", "t1_spoiled", "t1_prepared"]
WEIGHTINGS: tuple[Weighting, ...] = ("t1", "t2", "flair", "pd", "t1_spoiled", "t1_prepared")
_WATER_T1, _WATER_T2 = 4200.0, 1800.0


@dataclass(frozen=True)
class PulseSequence:
    """Timing of one acquisition; `ti_ms` is 0 without inversion."""

    weighting: Weighting
    tr_ms: float
    te_ms: float
    ti_ms: float = 0.0
    flip_deg: float = 90.0


@dataclass(frozen=True)
class TissueProperties:
    """Relaxation times (ms) and relative proton density; arrays of one common shape."""

    t1_ms: np.ndarray
    t2_ms: np.ndarray
    pd: np.ndarray

    def __getitem__(self, index: int | slice | np.ndarray) -> TissueProperties:
        return TissueProperties(self.t1_ms[index], self.t2_ms[index], self.pd[index])


def draw_tissues(
    rng: np.random.Generator, scheme: SequenceOf[TissueClass], spread: float = 0.08
) -> TissueProperties:
    """Properties of every class of a scheme, varied log-normally around their medians.

    A common factor on T1 stands for the field strength; `spread` is the standard deviation of the
    logarithm of each class's own variation. Shape of each array: (classes,).
    """
    count = len(scheme)
    field = rng.uniform(0.8, 1.2)
    water = np.array([c.kind == "csf" for c in scheme])
    t1 = np.array([c.t1_ms for c in scheme]) * np.exp(rng.normal(0, spread, count))
    t2 = np.array([c.t2_ms for c in scheme]) * np.exp(rng.normal(0, spread, count))
    pd = np.array([c.pd for c in scheme]) * np.exp(rng.normal(0, spread / 3, count))
    return TissueProperties(np.where(water, t1, t1 * field), t2, np.minimum(pd, 1.05))


def draw_sequence(rng: np.random.Generator, weighting: Weighting | None = None) -> PulseSequence:
    """A plausible clinical or research sequence; of one weighting, or of any."""
    kind = weighting or WEIGHTINGS[rng.choice(6, p=(0.12, 0.26, 0.26, 0.1, 0.1, 0.16))]
    u = rng.uniform
    if kind == "t1":
        return PulseSequence(kind, u(400, 750), u(8, 20))
    if kind == "t2":
        return PulseSequence(kind, u(2500, 6500), u(70, 130))
    if kind == "pd":
        return PulseSequence(kind, u(2200, 5000), u(10, 35))
    if kind == "t1_spoiled":
        return PulseSequence(kind, u(8, 40), u(2, 8), flip_deg=u(15, 40))
    if kind == "t1_prepared":
        return PulseSequence(kind, u(1800, 2500), u(2, 5), ti_ms=u(700, 1050))
    tr = u(6500, 11000)
    null_of_water = _WATER_T1 * (np.log(2.0) - np.log1p(np.exp(-tr / _WATER_T1)))
    return PulseSequence(kind, tr, u(85, 145), ti_ms=float(null_of_water * u(0.93, 1.07)))


def signal(sequence: PulseSequence, tissue: TissueProperties) -> np.ndarray:
    """Magnitude of the signal of each tissue, same shape as its properties."""
    tr, te, ti = sequence.tr_ms, sequence.te_ms, sequence.ti_ms
    decay = tissue.pd * np.exp(-te / tissue.t2_ms)
    recovery = np.exp(-tr / tissue.t1_ms)
    if ti > 0:
        return np.abs(1 - 2 * np.exp(-ti / tissue.t1_ms) + recovery) * decay
    if sequence.weighting == "t1_spoiled":
        flip = np.deg2rad(sequence.flip_deg)
        return np.sin(flip) * (1 - recovery) / (1 - np.cos(flip) * recovery) * decay
    return (1 - recovery) * decay


def wetter(tissue: TissueProperties, water: float | np.ndarray) -> TissueProperties:
    """The tissue with a fraction of free water in it: relaxation *rates* mix linearly.

    `water` from 0 (unchanged) to 1 (pure water). Oedema, gliosis and demyelination all lengthen
    T1 and T2 this way (fast exchange: Fullerton et al., Magn Reson Imaging 1, 1982).
    """
    t1 = 1 / ((1 - water) / tissue.t1_ms + water / _WATER_T1)
    t2 = 1 / ((1 - water) / tissue.t2_ms + water / _WATER_T2)
    return TissueProperties(t1, t2, (1 - water) * tissue.pd + water)
