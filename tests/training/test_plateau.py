"""When a training is at its plateau."""

from __future__ import annotations

import math

import pytest

from disanat.training.plateau import FEWEST_EPOCHS, reached_plateau


def test_an_error_that_stays_is_a_plateau_from_the_tenth_epoch_on() -> None:
    assert not reached_plateau([1.0] * (FEWEST_EPOCHS - 1))
    assert reached_plateau([1.0] * FEWEST_EPOCHS)


@pytest.mark.parametrize(("gain", "stops"), [(0.004, True), (0.006, False)])
def test_half_a_percent_is_a_gain(gain: float, stops: bool) -> None:
    errors = [1.0] * 30
    errors[-3] = 1.0 - gain
    assert reached_plateau(errors) is stops


def test_a_gain_counts_within_the_last_fifth_and_no_longer() -> None:
    errors = [1.0] * 50
    errors[-10] = 0.9
    assert not reached_plateau(errors)
    assert reached_plateau([*errors, 0.9, 1.0])


def test_a_falling_error_goes_on_and_a_rising_one_stops() -> None:
    assert not reached_plateau([0.99**n for n in range(40)])
    assert reached_plateau([1.0 + n for n in range(10)])


def test_what_is_not_finite_never_stops_a_training_by_itself() -> None:
    assert not reached_plateau([math.nan] * 20)
    assert not reached_plateau([math.inf] * 15 + [1.0] * 5)
    assert reached_plateau([1.0] * 10 + [math.nan] * 5)
    assert reached_plateau([0.0] * 12), "there is nothing better than no error"
