"""From scores to their rarity in healthy brains, and the threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from disanat.errors import ModelError
from disanat.scoring.calibration import (
    Calibration,
    choose_shares,
    choose_threshold,
    dice_curve,
    fit_table,
    fpr_thresholds,
    in_own_units,
)


def calibration(scores: np.ndarray) -> Calibration:
    return Calibration({"t1": fit_table(scores)}, 2.0, 0.0, 0.0)


@pytest.mark.parametrize("spread", ["normal", "exponential", "ties"])
def test_healthy_scores_are_as_rare_as_they_are_said_to_be(spread: str) -> None:
    rng = np.random.default_rng(0)
    draw = {
        "normal": lambda: rng.normal(3, 2, 200_000),
        "exponential": lambda: rng.exponential(5, 200_000),
        "ties": lambda: np.maximum(rng.normal(0, 1, 200_000), 0),
    }[spread]
    rarity = calibration(draw())(draw(), "t1")
    assert rarity.dtype == np.float32 and rarity.min() >= 0
    for level in (0.5, 1.0, 2.0, 3.0):
        assert np.log10((rarity >= level).mean()) == pytest.approx(-level, abs=0.12)


def test_p_values_are_uniform() -> None:
    rng = np.random.default_rng(1)
    p = 10.0 ** -calibration(rng.normal(size=100_000))(rng.normal(size=100_000), "t1")
    # The first step of the table, p from 0.8 to 1, is one straight line.
    counts, _ = np.histogram(p, 8, (0, 0.8))
    np.testing.assert_allclose(counts / p.size, 0.1, atol=0.012)


def test_it_is_monotone_and_goes_on_beyond_the_tail() -> None:
    scores = np.random.default_rng(2).normal(size=50_000)
    rarity = calibration(scores)
    steps = rarity(np.linspace(-6, 40, 2000), "t1")
    assert (np.diff(steps) >= 0).all()
    beyond = rarity(np.linspace(scores.max() + 0.1, 40, 50), "t1")
    assert (np.diff(beyond) > 0).all() and np.isfinite(beyond).all()
    np.testing.assert_allclose(np.diff(beyond), np.diff(beyond)[0], rtol=1e-2)
    assert len(rarity.tables["t1"]) == 1 + int(10 * np.log10(50_000 / 10))


def test_scans_that_spread_scores_otherwise_are_as_rare() -> None:
    rng = np.random.default_rng(4)
    own = replace(
        Calibration({"t1": fit_table(in_own_units(rng.normal(size=100_000)))}, 2.0, 0.0, 0.0),
        own_units=True,
    )
    brain = np.ones(100_000, bool)
    brain[::10] = False
    for offset, spread in ((0, 1), (3, 4), (-20, 0.2)):
        score = offset + spread * rng.normal(size=100_000)
        score[~brain] = 1e3  # what is outside has no say
        rarity = own(score, "t1", brain)[brain]
        for level in (0.5, 1.0, 2.0):
            assert np.log10((rarity >= level).mean()) == pytest.approx(-level, abs=0.1)


def test_a_lesion_hardly_shifts_the_units_of_its_scan() -> None:
    healthy = np.random.default_rng(5).normal(size=100_000)
    for share in (0.03, 0.1):
        ill = healthy.copy()
        ill[: int(share * ill.size)] += 8
        rest = slice(int(share * ill.size), None)
        change = np.abs(in_own_units(ill) - in_own_units(healthy))[rest]
        assert change.max() < 0.02 * np.abs(in_own_units(healthy)).max()
        assert in_own_units(ill)[:100].mean() > 7
    assert in_own_units(np.ones(5)).tolist() == [0] * 5
    assert in_own_units(np.ones(3), np.zeros(3, bool)).tolist() == [1] * 3


def test_another_contrast_takes_the_table_there_is_and_none_is_an_error() -> None:
    some = calibration(np.arange(1000.0))
    assert some.table("flair") == some.table("t1")
    with pytest.raises(ModelError, match="holds no calibration"):
        Calibration({}, 2.0, 0.0, 0.0)(np.zeros(3), "t1")


def test_dice_curve_against_its_definition() -> None:
    rng = np.random.default_rng(3)
    score, truth = rng.normal(size=500), rng.random(500) < 0.2
    score[truth] += 1
    thresholds = np.array([-9.0, 0.0, 0.7, 9.0])
    expected = [
        2 * ((score >= t) & truth).sum() / ((score >= t).sum() + truth.sum()) for t in thresholds
    ]
    np.testing.assert_allclose(dice_curve(score, truth, thresholds), expected)


@pytest.mark.parametrize("most_ml", [1.0, 0.1])
def test_the_threshold_keeps_healthy_brains_clean(most_ml: float) -> None:
    """Voxels of 0.01 mL; lesions overlap with a tail of healthy scores."""
    rng = np.random.default_rng(4)
    healthy = [rng.exponential(1.0, 20_000) for _ in range(5)]
    lesions = []
    for _ in range(5):
        score, truth = rng.exponential(1.0, 20_000), np.zeros(20_000, bool)
        score[:4000], truth[:4000] = rng.normal(3, 1, 4000), True
        lesions.append((score, truth))
    threshold, figures = choose_threshold(healthy, lesions, 0.01, most_ml)
    volumes = [(h >= threshold).sum() * 0.01 for h in healthy]
    assert figures["false_positives_ml"] <= most_ml
    assert figures["false_positives_ml"] == pytest.approx(np.median(volumes))
    dice = [dice_curve(s, t, np.array([threshold]))[0] for s, t in lesions]
    assert figures["dice"] == pytest.approx(np.mean(dice))
    # The rule binds here: a little lower, and too much would be found in healthy brains.
    assert np.median([(h >= threshold - 0.06).sum() * 0.01 for h in healthy]) > most_ml


def test_clean_brains_in_one_contrast_do_not_make_up_for_others() -> None:
    rng = np.random.default_rng(4)
    healthy = [rng.exponential(scale, 20_000) for scale in [0.5] * 4 + [1.0] * 3 + [3.0] * 2]
    kinds = ["flair"] * 4 + ["t1"] * 3 + ["t2"] * 2
    score, truth = rng.exponential(1.0, 20_000), np.zeros(20_000, bool)
    score[:4000], truth[:4000] = rng.normal(3, 1, 4000), True
    together, _ = choose_threshold(healthy, [(score, truth)], 0.01)
    apart, figures = choose_threshold(healthy, [(score, truth)], 0.01, kinds=kinds)

    def median(kind: str, threshold: float) -> float:
        own = [h for h, k in zip(healthy, kinds, strict=True) if k == kind]
        return float(np.median([(h >= threshold).sum() * 0.01 for h in own]))

    assert median("t1", together) > 1 >= median("t1", apart)
    # Two volumes of a kind are too few to speak for it.
    assert figures["false_positives_ml"] == pytest.approx(median("t1", apart))
    assert median("t2", apart) > 1


def test_the_best_dice_wins_where_healthy_brains_are_clean_anyway() -> None:
    rng = np.random.default_rng(5)
    healthy = [rng.uniform(0, 1, 1000)]
    score = np.r_[rng.uniform(0, 1, 900), rng.uniform(3, 4, 100)]
    truth = np.r_[np.zeros(900, bool), np.ones(100, bool)]
    threshold, figures = choose_threshold(healthy, [(score, truth)], 0.001)
    assert 1 <= threshold <= 3.01 and figures == {"false_positives_ml": 0.0, "dice": 1.0}


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


def test_thresholds_leave_their_share_of_healthy_voxels() -> None:
    rng = np.random.default_rng(6)
    rarity = calibration(rng.normal(size=100_000))
    healthy = [rarity(rng.normal(size=n), "t1") for n in (20_000, 60_000)]
    thresholds = fpr_thresholds(healthy)
    assert list(thresholds) == ["1%", "5%"] and thresholds["5%"] < thresholds["1%"]
    fresh = rarity(rng.normal(size=100_000), "t1")
    for share, name in ((0.01, "1%"), (0.05, "5%")):
        assert np.mean(fresh >= thresholds[name]) == pytest.approx(share, rel=0.1)


def test_a_threshold_is_chosen_by_name_or_number() -> None:
    some = replace(calibration(np.arange(1000.0)), fpr_thresholds={"1%": 2.1, "5%": 1.2})
    chosen = [some.threshold_of(c) for c in ("best", "1%", "5%", "3.25", 4.5)]
    assert chosen == [2.0, 2.1, 1.2, 3.25, 4.5]
    for wrong in ("10%", "high", "nan", "-1", "0"):
        with pytest.raises(ModelError, match=r"is no threshold: give --threshold best, 1%, 5%"):
            some.threshold_of(wrong)


def test_a_model_of_an_earlier_version_has_one_threshold_alone() -> None:
    old = Calibration({"t1": [0.0, 1.0]}, 2.0, 0.0, 0.0)  # type: ignore[dict-item]
    assert old.threshold_of("best") == 2.0 and old.threshold_of("1.5") == 1.5
    with pytest.raises(ModelError, match="no threshold for 5% false positives: train it again"):
        old.threshold_of("5%")
