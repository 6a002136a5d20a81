"""In what ways, and how strongly, `disanat_stress` degrades a scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from disanat.errors import DatasetError
from disanat.synthesis.acquisition import (
    field_map,
    gamma,
    inverted,
    low_field,
    motion_ghosts,
    off_resonance,
)
from disanat.synthesis.kspace import (
    cartesian_mask,
    radial_mask,
    smooth_phase,
    to_kspace,
    zero_filled,
)
from disanat.synthesis.total_variation import total_variation

__all__ = ["DEGRADATIONS", "RESTORED", "SLICES", "Degradation", "Place", "chosen"]

Triple = tuple[float, float, float]

SLICES, RESTORED = "slices", "slices_restored"
_READOUT_MS = 10.0
_LOW_FIELD_MM = {3.0: 1.5, 6.0: 2.0, 10.0: 2.5, 15.0: 3.0, 20.0: 4.0}
"""Voxel size in mm that goes with a noise in percent."""


@dataclass(frozen=True)
class Place:
    """What is known of a scan: brain and head (bool, S, P, L), voxel size in mm, and chance."""

    brain: np.ndarray
    head: np.ndarray
    spacing: Triple
    rng: np.random.Generator


Change = Callable[[np.ndarray, float, Place], np.ndarray]
"""Magnitude image (S, P, L; air near 0), strength, what else is known -> the degraded magnitude."""


@dataclass(frozen=True)
class Degradation:
    """One way to degrade a scan, from the weakest strength to the strongest.

    `panel` and `line` say where its figures are drawn: those that differ in the reconstruction
    alone share a panel. `draws` names its chance: those that share it see the same masks.
    """

    name: str
    panel: str
    line: str
    unit: str
    strengths: tuple[float, ...]
    change: Change | None
    """None: thick slices, which lie on another grid."""
    draws: str = ""

    @property
    def title(self) -> str:
        return f"{self.panel}, {self.line}" if self.line else self.panel

    def text(self, strength: float) -> str:
        """A strength with its unit."""
        return f"{strength:g}{self.unit}"


def _undersampled(radial: bool, variation: bool) -> Change:
    def change(image: np.ndarray, strength: float, place: Place) -> np.ndarray:
        plane = (image.shape[1], image.shape[2])
        phase = smooth_phase(image.shape, place.rng)
        drawn = cartesian_mask(plane, strength, place.rng)
        mask = radial_mask(plane, strength) if radial else drawn
        kspace = to_kspace(image * np.exp(1j * phase))
        return total_variation(kspace, mask) if variation else zero_filled(kspace, mask)

    return change


def _off_resonance(image: np.ndarray, strength: float, place: Place) -> np.ndarray:
    hertz = strength * field_map(place.brain, place.spacing, place.rng)
    return off_resonance(image, hertz, _READOUT_MS)


def _ghosts(image: np.ndarray, strength: float, place: Place) -> np.ndarray:
    return motion_ghosts(image, place.spacing, strength, place.rng)


def _low_field(image: np.ndarray, strength: float, place: Place) -> np.ndarray:
    noise = strength / 100 * float(image[place.brain].mean())
    return low_field(image, place.spacing, _LOW_FIELD_MM[strength], noise, place.rng)


def _gamma(image: np.ndarray, strength: float, place: Place) -> np.ndarray:
    return gamma(image, strength, place.brain)


def _inverted(image: np.ndarray, strength: float, place: Place) -> np.ndarray:
    return inverted(image, place.head, place.brain)


def _scaled(image: np.ndarray, strength: float, place: Place) -> np.ndarray:
    return image * np.float32(strength)


_FASTER = (2.0, 4.0, 6.0, 8.0, 10.0)
_THICK = (2.0, 3.0, 4.0, 6.0, 8.0)
_ZERO, _TV = "zero-filled", "total variation"
_CARTESIAN, _RADIAL, _SLICES = "Cartesian undersampling", "radial undersampling", "thick slices"

DEGRADATIONS: tuple[Degradation, ...] = (
    Degradation("cartesian", _CARTESIAN, _ZERO, "x", _FASTER, _undersampled(False, False)),
    Degradation(
        "cartesian_tv", _CARTESIAN, _TV, "x", _FASTER, _undersampled(False, True), "cartesian"
    ),
    Degradation("radial", _RADIAL, _ZERO, "x", _FASTER, _undersampled(True, False)),
    Degradation("radial_tv", _RADIAL, _TV, "x", _FASTER, _undersampled(True, True), "radial"),
    Degradation(
        "off_resonance", "off-resonance", "", " Hz", (25.0, 50.0, 100.0, 150.0, 200.0),
        _off_resonance,
    ),
    Degradation("ghosts", "motion ghosts", "", " mm", (0.5, 1.0, 2.0, 3.0, 4.0), _ghosts),
    Degradation("low_field", "low field", "", "%", tuple(_LOW_FIELD_MM), _low_field),
    Degradation(SLICES, _SLICES, "as they are", " mm", _THICK, None),
    Degradation(RESTORED, _SLICES, "restored", " mm", _THICK, None),
    Degradation("gamma_dark", "gamma, darker", "", "", (1.25, 1.5, 2.0, 2.5, 3.0), _gamma),
    Degradation("gamma_bright", "gamma, brighter", "", "", (0.8, 0.67, 0.5, 0.4, 0.33), _gamma),
    Degradation("scale", "other units", "", "x", (0.001, 0.1, 10.0, 100.0, 1000.0), _scaled),
    Degradation("inverted", "inverted", "", "", (1.0,), _inverted),
)  # fmt: skip
"""In the order of the report."""


def chosen(names: Sequence[str] | None, restore: bool) -> tuple[Degradation, ...]:
    """The degradations of these names, all by default; the restored slices with `restore` alone.

    Raises:
        DatasetError: there is none of a name, or restoring was asked for without thick slices.
    """
    there = {one.name: one for one in DEGRADATIONS if one.name != RESTORED}
    wanted = list(there) if names is None else list(names)
    strange = [name for name in wanted if name not in there]
    if strange:
        raise DatasetError(
            f"There is no degradation '{strange[0]}': give --only some of {', '.join(there)}."
        )
    if restore and SLICES not in wanted:
        raise DatasetError(
            f"--restore restores thick slices, which --only leaves out: add {SLICES} to --only, or "
            "leave out --restore."
        )
    kept = {*wanted, RESTORED} if restore else set(wanted)
    return tuple(one for one in DEGRADATIONS if one.name in kept)
