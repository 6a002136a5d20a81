from __future__ import annotations

import numpy as np
import pytest

from disanat.evaluation.bootstrap import estimate_area, estimate_mean, estimate_share


def test_below_five_cases_there_is_a_mean_but_no_interval() -> None:
    estimate = estimate_mean([0.1, 0.2, 0.3, 0.4])
    assert estimate.mean == pytest.approx(0.25)
    assert (estimate.low, estimate.high, estimate.cases) == (None, None, 4)
    assert estimate.text() == "0.250 [n/a]"


def test_nothing_known() -> None:
    assert estimate_mean([None, None]).text() == "n/a"


def test_cases_without_the_measure_are_left_out() -> None:
    assert estimate_mean([0.5, None, 0.7]).mean == pytest.approx(0.6)
    assert estimate_mean([0.5, None, 0.7]).cases == 2


def test_interval_agrees_with_the_normal_one_on_many_cases() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, size=400)
    estimate = estimate_mean(list(values))
    error = 1.96 * values.std() / np.sqrt(values.size)
    assert estimate.low == pytest.approx(values.mean() - error, abs=0.002)
    assert estimate.high == pytest.approx(values.mean() + error, abs=0.002)


def test_the_same_values_give_the_same_interval() -> None:
    values = [0.1, 0.4, 0.2, 0.9, 0.5]
    assert estimate_mean(values) == estimate_mean(values)
    assert estimate_mean([0.3] * 5).text() == "0.300 [0.300, 0.300]"


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    assert estimate_area([3.0, 1.0], [2.0, 0.0]).mean == pytest.approx(0.75)
    assert estimate_area([1.0], [1.0]).mean == pytest.approx(0.5)
    assert estimate_area([], [1.0]).mean is None
    assert estimate_area([], []).mean is None


def test_the_area_has_no_interval_below_five_in_either_group() -> None:
    few, many = [0.1, 0.4, 0.2, 0.9], list(np.linspace(0, 1, 40))
    for pair in ((few, many), (many, few)):
        estimate = estimate_area(*pair)
        assert (estimate.low, estimate.high, estimate.cases) == (None, None, 44)


def test_the_interval_of_the_area_agrees_with_the_formula() -> None:
    """Standard error of Hanley and McNeil, Radiology 143:29, 1982, for many cases."""
    rng = np.random.default_rng(2)
    high, low = rng.normal(1, 1, 200), rng.normal(0, 1, 150)
    estimate = estimate_area(list(high), list(low))
    a = estimate.mean
    assert a is not None
    q1, q2 = a / (2 - a), 2 * a**2 / (1 + a)
    error = np.sqrt((a * (1 - a) + 199 * (q1 - a**2) + 149 * (q2 - a**2)) / (200 * 150))
    assert estimate.low == pytest.approx(a - 1.96 * error, abs=0.01)
    assert estimate.high == pytest.approx(a + 1.96 * error, abs=0.01)
    assert estimate == estimate_area(list(high), list(low))


def test_groups_apart_have_no_width() -> None:
    estimate = estimate_area([2.0] * 5, [1.0] * 5)
    assert (estimate.mean, estimate.low, estimate.high) == (1.0, 1.0, 1.0)


def test_a_share_of_things_resamples_patients() -> None:
    """Ten patients with ten alike things each are ten, not a hundred."""
    alike = estimate_share([10, 0] * 5, [10] * 10)
    mixed = estimate_share([5] * 10, [10] * 10)
    assert alike.mean == mixed.mean == 0.5
    assert alike.low is not None and alike.high is not None
    assert alike.low < 0.3 and alike.high > 0.7
    assert (mixed.low, mixed.high) == (0.5, 0.5)


def test_a_share_of_nothing_and_of_few() -> None:
    assert estimate_share([0, 0], [0, 0]).mean is None
    few = estimate_share([1, 3, 0], [2, 3, 0])
    assert (few.mean, few.low, few.cases) == (0.8, None, 2)
