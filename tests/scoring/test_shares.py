"""How much of each further score is added, in all scans and in those of one kind of contrast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disanat.scoring.shares import choose_own_shares, choose_shares


def test_further_scores_are_added_only_where_they_help() -> None:
    rng = np.random.default_rng(5)
    truth = np.arange(4000) < 200
    first, noise = truth + rng.normal(size=4000), rng.normal(size=4000)
    helpful = truth + rng.normal(size=4000)
    more = {"noise": 3 * noise, "helpful": helpful, "faint": helpful / 8}
    assert choose_shares([(first, {"noise": more["noise"]}, truth)]) == {"noise": 0.0}
    assert choose_shares([(first, {"helpful": helpful}, truth)]) == {"helpful": 1.0}
    assert choose_shares([(first, {"faint": more["faint"]}, truth)]) == {"faint": 8.0}
    both = choose_shares([(first, {k: more[k] for k in ("noise", "helpful")}, truth)])
    assert both == {"noise": 0.0, "helpful": 1.0}
    assert choose_shares([(first, {}, truth)]) == choose_shares([]) == {}


def test_a_gain_within_its_error_is_no_reason_to_add_more() -> None:
    rng = np.random.default_rng(8)
    cases = []
    for number in range(6):
        truth = rng.random(4000) < 0.05
        first = rng.normal(size=truth.size) + 2 * truth
        # Of use in one volume of six, harmful in none: its mean gain is its standard error.
        more = 3.0 * truth * (number == 0) + 0.01 * rng.normal(size=truth.size)
        cases.append((first, {"lucky": more}, truth))
    assert choose_shares(cases) == {"lucky": 0.0}
    everywhere = [(first, {"useful": 3.0 * truth}, truth) for first, _, truth in cases]
    assert choose_shares(everywhere)["useful"] >= 1.0


def test_what_was_learned_is_judged_by_lesions_of_the_other_kind() -> None:
    rng = np.random.default_rng(9)
    cases, known = [], []
    for number in range(6):
        truth = rng.random(4000) < 0.05
        first = rng.normal(size=truth.size) + truth
        # Finds the lesions that training knows, and is misled by the others.
        sign = 1 if number % 2 else -1
        cases.append((first, {"biased": sign * 3.0 * truth + rng.normal(size=truth.size)}, truth))
        known.append(number % 2 == 1)
    assert choose_shares(cases, known, ["biased"]) == {"biased": 0.0}
    assert choose_shares(cases, known)["biased"] >= 0.5
    assert choose_shares(cases, [True] * 6, ["biased"]) == choose_shares(cases)


def looks(kind_helps: Sequence[bool]) -> list[tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]]:
    """Volumes whose further score says as much as the first, or something else."""
    cases = []
    for number, helps in enumerate(kind_helps):
        rng = np.random.default_rng(number)
        truth = rng.random(4000) < 0.05
        first, noise = truth + rng.normal(size=truth.size), rng.normal(size=truth.size)
        cases.append((first, {"further": truth * helps + noise}, truth))
    return cases


def test_a_kind_of_contrast_may_take_a_share_of_its_own() -> None:
    kinds = ["t1", "t2"] * 6
    cases = looks([kind == "t1" for kind in kinds])
    known, none = [False] * 12, {"further": 0.0}
    own = choose_own_shares(cases, known, ["further"], kinds, none)
    assert list(own) == ["t1"] and 0.5 <= own["t1"]["further"] <= 1
    most = choose_own_shares(cases, known, ["further"], kinds, {"further": 8.0})
    assert 1 <= most["t1"]["further"] <= 2, "the nearest to the common one that is good enough"
    assert most["t2"]["further"] <= 0.25


def test_a_kind_keeps_the_common_share_without_a_reason() -> None:
    kinds = ["t1", "t2"] * 6
    cases = looks([True] * 12)
    common = choose_shares(cases)
    assert choose_own_shares(cases, [False] * 12, ["further"], kinds, common) == {}
    few = ["t1"] * 3 + ["t2"] * 9
    assert "t1" not in choose_own_shares(cases, [False] * 12, ["further"], few, {"further": 0.0})
    assert choose_own_shares(cases, [False] * 12, [], kinds, {"further": 0.0}) == {}
    other = choose_own_shares(cases, [False] * 12, ["absent"], kinds, {"further": 0.0})
    assert other == {}, "an ablated method has no comparator"


def test_a_kind_is_judged_by_the_lesions_that_may_judge() -> None:
    """Volumes in which it helps hold lesions that training knows; it was learned from these."""
    cases = looks([True, False] * 6)
    known, kinds = [True, False] * 6, ["t1"] * 12
    assert choose_own_shares(cases, known, ["further"], kinds, {"further": 0.0}) == {}
    other = [not one for one in known]
    own = choose_own_shares(cases, other, ["further"], kinds, {"further": 0.0})
    assert own["t1"]["further"] >= 0.5
