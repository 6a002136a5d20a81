"""Groups against each other: known p-values, and no more false alarms than promised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kruskal

from disanat.evaluation.permutation import GroupTest, holm, permutation_test


def test_the_p_of_two_small_groups_is_the_exact_one() -> None:
    """Of the 20 ways to deal six patients to two groups of three, two are so far apart."""
    found = permutation_test({"a": [0.1, 0.2, 0.3], "b": [0.7, 0.8, 0.9]})
    assert found is not None
    assert found.p == pytest.approx(0.1, abs=0.01)
    assert found.smallest_p == pytest.approx(0.1)
    assert (found.groups, found.patients, found.verdict) == (2, 6, "too few")


def test_it_agrees_with_kruskal_and_wallis_in_large_groups() -> None:
    rng = np.random.default_rng(0)
    groups = {name: list(rng.normal(shift, 1, 60)) for name, shift in zip("abc", (0, 0.2, 0.4))}
    found = permutation_test(groups)
    assert found is not None
    assert found.p == pytest.approx(float(kruskal(*groups.values()).pvalue), abs=0.02)
    assert found == permutation_test(groups), "the same values give the same p"


def test_groups_of_one_are_left_out_and_ties_are_no_difference() -> None:
    assert permutation_test({"a": [0.1, 0.2], "b": [0.9]}) is None
    assert permutation_test({"a": [0.1, 0.2]}) is None
    found = permutation_test({"a": [0.5] * 9, "b": [0.5] * 9, "c": [0.9]})
    assert found is not None and (found.p, found.groups, found.patients) == (1.0, 2, 18)


def test_holm_s_method_on_numbers_worked_out_by_hand() -> None:
    tests = {name: GroupTest(p, p, 0.001, 2, 20) for name, p in
             zip("abcd", (0.01, 0.04, 0.03, 0.005))}  # fmt: skip
    found = holm(tests)
    # Sorted .005 .01 .03 .04: times 4, 3, 2, 1, and never below the one before.
    assert [found[name].corrected_p for name in "abcd"] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [found[name].verdict == "differs" for name in "abcd"] == [True, False, False, True]
    assert found["a"].smallest_p == pytest.approx(0.004) and list(found) == list("abcd")
    assert holm({}) == {}


def test_without_any_effect_one_search_in_twenty_at_most_finds_something() -> None:
    """Type I error: of three columns together after the correction, of one column before it."""
    rng = np.random.default_rng(1)
    single, together, rounds = 0, 0, 400
    for seed in range(rounds):
        values = rng.gamma(1.0, size=30)  # as skewed as volumes of false positives
        tests = {}
        for column, kinds in {"sex": 2, "scanner": 3, "age": 3}.items():
            member = rng.integers(kinds, size=30)
            groups = {str(k): list(values[member == k]) for k in range(kinds)}
            test = permutation_test(groups, permutations=199, seed=seed)
            assert test is not None
            tests[column] = test
        single += tests["sex"].p < 0.05
        together += any(test.corrected_p < 0.05 for test in holm(tests).values())
    error = 3 * np.sqrt(0.05 * 0.95 / rounds)
    assert 0.05 - error < single / rounds < 0.05 + error
    assert 0.005 < together / rounds < 0.05 + error
