"""Paired differences, ranks and standings against numbers worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disanat.evaluation.bootstrap import estimate_mean
from disanat.evaluation.paired import best_of, paired_difference, ranks, standings

SCORES = st.dictionaries(
    st.sampled_from("abcdef"), st.integers(0, 4).map(lambda n: n / 4), min_size=1
)


def test_a_difference_is_taken_case_by_case_over_the_common_ones() -> None:
    mine = {"p1": 0.5, "p2": 0.7, "p3": None, "p4": 0.9}
    best = {"p4": 0.8, "p1": 0.6, "p3": 0.1, "p5": 1.0}
    found = paired_difference(mine, best)
    assert found.cases == 2 and found.mean == pytest.approx((-0.1 + 0.1) / 2)
    assert found.low is None and found.high is None, "two cases are too few for an interval"


def test_a_constant_lead_has_no_width_however_much_patients_differ() -> None:
    best = {f"p{n}": n / 10 for n in range(8)}
    mine = {case: value - 0.05 for case, value in best.items()}
    found = paired_difference(mine, best)
    assert (found.low, found.high) == pytest.approx((-0.05, -0.05))
    alone = estimate_mean(list(mine.values()))
    assert alone.low is not None and alone.high is not None and alone.high - alone.low > 0.2


def test_without_common_cases_there_is_nothing_to_say() -> None:
    assert paired_difference({"p1": 0.5}, {"p2": 0.5}).text() == "n/a"


def test_the_best_is_the_first_of_those_with_the_highest_score() -> None:
    assert best_of({"a": 0.2, "b": 0.4, "c": 0.4, "d": None}) == "b"
    assert best_of({"a": None}) is None


def test_ties_share_the_mean_of_their_ranks() -> None:
    assert ranks({"a": 0.3, "b": 0.9, "c": 0.3, "d": 0.1}) == {"a": 2.5, "b": 1, "c": 2.5, "d": 4}
    assert ranks({}) == {}


def test_standings_by_hand() -> None:
    found = standings(
        [
            {"a": 0.9, "b": 0.5, "c": 0.1},
            {"a": 0.2, "b": 0.4, "c": 0.2},
            {"a": 0.9, "b": None, "c": 0.1},  # b failed here: the set does not count
        ]
    )
    assert found["a"].mean_rank == 1.75 and found["b"].mean_rank == 1.5
    assert found["c"].mean_rank == 2.75
    assert [found[m].sets for m in "abc"] == [2, 2, 2]
    assert [(found[m].wins, found[m].losses) for m in "abc"] == [(2, 1), (3, 1), (0, 3)]


def test_a_method_that_failed_everywhere_spoils_no_set() -> None:
    found = standings([{"a": 0.9, "b": 0.5, "c": None}])
    assert set(found) == {"a", "b"} and found["a"].mean_rank == 1
    assert standings([{"a": None}]) == standings([]) == {}


@given(SCORES)
def test_ranks_add_up_and_follow_the_scores(scores: dict[str, float]) -> None:
    placed = ranks(scores)
    n = len(scores)
    assert sum(placed.values()) == pytest.approx(n * (n + 1) / 2)
    for a in scores:
        for b in scores:
            assert (scores[a] > scores[b]) == (placed[a] < placed[b])


@given(st.lists(SCORES, max_size=4))
def test_every_win_is_another_methods_loss(sets: list[dict[str, float]]) -> None:
    found = standings(sets)
    assert sum(s.wins for s in found.values()) == sum(s.losses for s in found.values())
