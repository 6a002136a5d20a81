from __future__ import annotations

import numpy as np
import pytest

from disanat.evaluation.bootstrap import estimate_mean


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
