"""What is done to a scan to see whether the anatomy read from it stays the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from disanat.synthesis.fields import blur, smooth_field

__all__ = ["SHIFTS", "Spacing", "thick_slices"]

Spacing = tuple[float, float, float]
Shift = Callable[[np.random.Generator, np.ndarray, np.ndarray, Spacing], np.ndarray]
"""Randomness, image and brain (S, P, L), voxel size in mm -> the changed image."""


def _range(image: np.ndarray, brain: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(image[brain], (0.5, 99.5))
    return float(low), float(high)


def _gamma(exponent: float) -> Shift:
    def change(
        rng: np.random.Generator, image: np.ndarray, brain: np.ndarray, spacing: Spacing
    ) -> np.ndarray:
        low, high = _range(image, brain)
        return np.asarray(np.clip((image - low) / (high - low), 0, 1) ** exponent)

    return change


def _inverted(
    rng: np.random.Generator, image: np.ndarray, brain: np.ndarray, spacing: Spacing
) -> np.ndarray:
    return -image


def _bias(strength: float) -> Shift:
    def change(
        rng: np.random.Generator, image: np.ndarray, brain: np.ndarray, spacing: Spacing
    ) -> np.ndarray:
        # Fields multiply intensities that count from the darkest tissue.
        above = image - _range(image, brain)[0]
        field = smooth_field(rng, image.shape, spacing, 70.0)
        return np.asarray(above * np.exp(strength * field / field[brain].std()))

    return change


def _noise(strength: float) -> Shift:
    def change(
        rng: np.random.Generator, image: np.ndarray, brain: np.ndarray, spacing: Spacing
    ) -> np.ndarray:
        return np.asarray(image + strength * rng.standard_normal(image.shape, np.float32))

    return change


def _blurred(sigma_mm: float) -> Shift:
    def change(
        rng: np.random.Generator, image: np.ndarray, brain: np.ndarray, spacing: Spacing
    ) -> np.ndarray:
        return _inside(image, brain, lambda array: blur(array, sigma_mm, spacing))

    return change


def _inside(
    image: np.ndarray, brain: np.ndarray, smooth: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """A linear smoothing that takes nothing from outside the brain."""
    total = smooth(np.where(brain, image, 0).astype(np.float32))
    weight = smooth(brain.astype(np.float32))
    return np.asarray(np.where(brain & (weight > 0), total / np.maximum(weight, 1e-3), image))


def thick_slices(thickness_mm: float) -> Shift:
    """Slices of a given thickness along S, put back between their centres by linear interpolation.

    The slice profile is a Gaussian whose width at half height is the thickness.
    """

    def change(
        rng: np.random.Generator, image: np.ndarray, brain: np.ndarray, spacing: Spacing
    ) -> np.ndarray:
        added_mm = max(thickness_mm**2 - spacing[0] ** 2, 0) ** 0.5 / 2.355
        step = thickness_mm / spacing[0]
        centres = np.arange(rng.uniform(0, step), len(image) - 1, step)
        back = (np.arange(len(image)) - centres[0]) / step

        def acquire(array: np.ndarray) -> np.ndarray:
            smooth = blur(array, added_mm, (spacing[0], np.inf, np.inf))
            return _between(_between(smooth, centres), back)

        return _inside(image, brain, acquire)

    return change


def _between(array: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Linear interpolation along the first axis at fractional indices, constant beyond its ends."""
    inside = np.clip(at, 0, len(array) - 1)
    low = np.minimum(inside.astype(int), max(len(array) - 2, 0))
    share = (inside - low).reshape(-1, 1, 1)
    high = np.minimum(low + 1, len(array) - 1)
    return np.asarray(array[low] * (1 - share) + array[high] * share)


SHIFTS: dict[str, Shift] = {
    "gamma 0.5": _gamma(0.5),
    "gamma 0.7": _gamma(0.7),
    "gamma 1.5": _gamma(1.5),
    "gamma 2": _gamma(2.0),
    "inverted": _inverted,
    "bias field, 0.15 in log": _bias(0.15),
    "bias field, 0.3 in log": _bias(0.3),
    "noise, 0.15 SD": _noise(0.15),
    "noise, 0.3 SD": _noise(0.3),
    "blur, sigma 1 mm": _blurred(1.0),
    "blur, sigma 2 mm": _blurred(2.0),
    **{f"slices of {mm} mm": thick_slices(float(mm)) for mm in (2, 3, 4, 5)},
}
