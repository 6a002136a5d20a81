"""The two errors of a pseudo-healthy image: over all, and in the middle band."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from disanat.experiments.rebuilding import (
    HIGHEST,
    LOWEST,
    band_error,
    band_limits,
    plain_error,
    rebuilding,
)
from disanat.methods.interface import ChannelResult, PreparedChannel
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale

MM = (4.0, 4.0, 4.0)
NYQUIST = 0.125
MIDDLE = (LOWEST + HIGHEST) / 2 * NYQUIST


@pytest.fixture
def scan(miniature: Any) -> tuple[np.ndarray, np.ndarray]:
    """A standardised scan and its brain."""
    made = miniature.brain(1)
    brain = made.labels > 0
    return intensity_scale(made.image[brain]).standardise(made.image, brain), brain


def wave(shape: tuple[int, ...], cycles_per_mm: float, axis: int = 1) -> np.ndarray:
    """Of height 0.5."""
    at = np.arange(shape[axis]) * MM[axis]
    line = 0.5 * np.sin(2 * np.pi * cycles_per_mm * at)
    return np.broadcast_to(line.reshape([-1 if i == axis else 1 for i in range(3)]), shape)


def test_the_limits_are_shares_of_the_nyquist_frequency_of_each_axis() -> None:
    lowest, highest = band_limits((5.0, 1.0, 2.0))
    assert lowest == pytest.approx((LOWEST / 10, LOWEST / 2, LOWEST / 4))
    assert highest == pytest.approx((HIGHEST / 10, HIGHEST / 2, HIGHEST / 4))


def test_a_perfect_rebuilding_has_no_error_and_a_flat_one_lacks_the_whole_band(
    scan: tuple[np.ndarray, np.ndarray],
) -> None:
    image, brain = scan
    assert plain_error(image, image, brain) == band_error(image, image, brain, MM, MM) == 0
    flat = np.full_like(image, 0.3)
    assert band_error(image, flat, brain, MM, MM) == pytest.approx(1, abs=1e-6)
    assert plain_error(image, flat, brain) == pytest.approx(np.abs(image[brain] - 0.3).mean())


def test_a_constant_offset_changes_the_plain_error_alone(
    scan: tuple[np.ndarray, np.ndarray],
) -> None:
    image, brain = scan
    assert plain_error(image, image + 0.5, brain) == pytest.approx(0.5, abs=1e-5)
    assert band_error(image, image + 0.5, brain, MM, MM) < 1e-9


def test_the_band_lets_the_middle_through_and_little_below_or_above(
    scan: tuple[np.ndarray, np.ndarray],
) -> None:
    """A bias field of 160 mm and the finest wave, as strong as one in the middle of the band."""
    image, brain = scan
    found = {
        f: band_error(image, image + wave(image.shape, f), brain, MM, MM)
        for f in (1 / 160, MIDDLE, 0.98 * NYQUIST)
    }
    low, middle, high = found.values()
    assert middle > 0.05
    assert low < 0.05 * middle
    assert high < 0.1 * middle
    plain = [plain_error(image, image + wave(image.shape, f), brain) for f in found]
    assert min(plain) > 0.7 * max(plain)


def test_what_is_outside_the_brain_does_not_matter(scan: tuple[np.ndarray, np.ndarray]) -> None:
    image, brain = scan
    phi = image + wave(image.shape, MIDDLE)
    other = np.where(brain, phi, 100.0)
    assert band_error(image, other, brain, MM, MM) == band_error(image, phi, brain, MM, MM)


def test_hard_scans_are_not_punished(scan: tuple[np.ndarray, np.ndarray]) -> None:
    """Twice the contrast, rebuilt as well: the plain error doubles, the band error stays."""
    image, brain = scan
    phi = image + wave(image.shape, MIDDLE)
    twice, rebuilt = 2 * image, 2 * phi
    assert plain_error(twice, rebuilt, brain) == pytest.approx(2 * plain_error(image, phi, brain))
    assert band_error(twice, rebuilt, brain, MM, MM) == pytest.approx(
        band_error(image, phi, brain, MM, MM), rel=1e-5
    )


def test_a_scan_coarser_than_the_plan_sets_the_band(scan: tuple[np.ndarray, np.ndarray]) -> None:
    image, brain = scan
    phi = image + wave(image.shape, MIDDLE)
    assert band_error(image, phi, brain, MM, (1.0, 1.0, 1.0)) == band_error(
        image, phi, brain, MM, MM
    )
    assert band_error(image, phi, brain, MM, (8.0, 8.0, 8.0)) < 0.5 * band_error(
        image, phi, brain, MM, MM
    )


def test_channels_are_averaged(scan: tuple[np.ndarray, np.ndarray]) -> None:
    image, brain = scan
    channel = PreparedChannel(image, brain, MM, image, brain, MM)
    outside = np.float32(OUTSIDE)
    phis = [np.where(brain, image + by * wave(image.shape, MIDDLE), outside) for by in (0, 1)]
    results = [ChannelResult(image, phi.astype(np.float32), "any") for phi in phis]
    both = rebuilding([channel] * 2, results, MM)
    alone = rebuilding([channel], results[1:], MM)
    assert both.plain == pytest.approx(alone.plain / 2)
    assert both.band == pytest.approx(alone.band / 2)
