"""The case score and its p-value among healthy cases."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.scoring.case_level import ANY, CaseP, case_p_value, case_score


def test_case_score_is_the_level_of_the_worst_millilitre() -> None:
    anomaly = np.arange(1000.0)
    assert case_score(anomaly, 0.1) == 990
    assert case_score(anomaly, 5.0) == 999
    assert case_score(anomaly[:3], 0.01) == 0
    assert case_score(np.array([]), 0.1) == 0


HEALTHY = {
    "t1": [1.0, 2.0, 2.0, 3.0, 4.0],
    "t2": [9.0],
    ANY: [1.0, 2.0, 2.0, 3.0, 4.0, 9.0, 0.5, 0.6, 0.7],
}


@pytest.mark.parametrize(
    ("score", "above"), [(0.0, 5), (2.0, 4), (2.5, 2), (4.0, 1), (4.1, 0), (99.0, 0)]
)
def test_healthy_cases_that_score_as_high_are_counted(score: float, above: int) -> None:
    p = case_p_value(score, HEALTHY, ("t1", "t1"))
    assert p is not None
    assert p.value == pytest.approx((1 + above) / 6) and p.resolution == pytest.approx(1 / 6)


@pytest.mark.parametrize("contrasts", [("t2",), ("flair",), ("t1", "t2")])
def test_all_kinds_stand_in_where_their_own_are_few_or_mixed(contrasts: tuple[str, ...]) -> None:
    assert case_p_value(4.0, HEALTHY, contrasts) == CaseP(pytest.approx(0.3), pytest.approx(0.1))


def test_without_healthy_scores_there_is_no_p_value() -> None:
    assert case_p_value(4.0, {}, ("t1",)) is None


def test_p_values_of_healthy_cases_are_uniform() -> None:
    """At most a share of alpha of healthy cases gets a p-value of alpha or less."""
    rng = np.random.default_rng(0)
    found = [
        case_p_value(rng.normal(), {"t1": rng.normal(size=19)}, ("t1",)) for _ in range(2000)
    ]
    values = np.array([p.value for p in found if p])
    assert len(values) == 2000 and values.min() == pytest.approx(0.05)
    for alpha in (0.05, 0.25, 0.5):
        assert np.mean(values <= alpha + 1e-9) == pytest.approx(alpha, abs=0.03)
