"""Thick slices restored with the help of a finer scan."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.synthesis.acquisition import profiles, through_slices
from disanat.synthesis.guided import between_slices, restore_slices


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Two contrasts of one thing whose shapes change along S, and a spot in the first alone."""
    s, p, l = np.meshgrid(np.arange(48), np.arange(40), np.arange(40), indexing="ij")
    radius = np.hypot(np.hypot(s - 24, p - 20), l - 20)
    tissue = np.select([radius < 8, radius < 14, radius < 19], [3, 2, 1], 0)
    first = np.array([0.0, 10, 60, 90], np.float32)[tissue]
    guide = np.array([0.0, 200, 120, 20], np.float32)[tissue]
    first[22:26, 26:29, 26:29] = 150
    return first, guide


def test_the_guide_makes_slices_sharper_than_interpolation_does(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    first, guide = pair
    weights = profiles(48, 1.0, 4.0)
    thick = through_slices(weights, first)
    plain = through_slices(between_slices(weights), thick)
    restored = restore_slices(thick, guide, weights)

    def error(found: np.ndarray) -> float:
        return float(np.sqrt(np.mean((found - first) ** 2)))

    assert error(restored) < 0.75 * error(plain)


def test_what_is_restored_agrees_with_what_was_measured(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    first, guide = pair
    weights = profiles(48, 1.0, 6.0)
    thick = through_slices(weights, first)
    again = through_slices(weights, restore_slices(thick, guide, weights))
    off = np.abs(again - thick)
    assert off.mean() < 0.02 * thick.std() and off.max() < 0.2 * thick.std()


def test_a_lesion_that_the_guide_does_not_show_is_not_lost(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    first, guide = pair
    weights = profiles(48, 1.0, 4.0)
    thick = through_slices(weights, first)
    found = restore_slices(thick, guide, weights)
    spot = (slice(22, 26), slice(26, 29), slice(26, 29))
    around = (slice(22, 26), slice(32, 35), slice(26, 29))
    assert found[spot].mean() > 60 + 0.5 * (150 - 60)
    assert found[around].mean() < 70


def test_slices_that_are_fine_already_stay_as_they_are() -> None:
    image = np.random.default_rng(0).random((6, 5, 5)).astype(np.float32)
    assert (restore_slices(image, image[::-1], profiles(6, 2.0, 2.0)) == image).all()


def test_interpolation_between_centres_keeps_straight_lines() -> None:
    weights = profiles(12, 1.0, 3.0)
    line = np.arange(12, dtype=np.float32).reshape(12, 1, 1)
    back = through_slices(between_slices(weights), through_slices(weights, line))
    assert np.allclose(back[1:11, 0, 0], np.arange(1, 11))
    assert np.allclose(between_slices(weights).sum(axis=1), 1)
