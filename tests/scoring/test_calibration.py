"""From scores to their rarity in healthy brains, and the threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from disanat.errors import ModelError
from disanat.plans import from_dict, to_dict
from disanat.scoring.calibration import (
    Calibration,
    fit_table,
    fpr_thresholds,
    in_own_units,
    tail_quantiles,
    with_fpr_thresholds,
    with_mask_rules,
)
from disanat.scoring.mask import ChosenRules, MaskRule


def calibration(scores: np.ndarray) -> Calibration:
    return Calibration({"t1": fit_table([tail_quantiles(scores)])}, 2.0, 0.0, 0.0)


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
        calibration(in_own_units(rng.normal(size=100_000))),
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
    some = replace(
        calibration(np.arange(1000.0)), fpr_thresholds={"1%": 2.1, "5%": 1.2}, peak=5.0
    )
    chosen = [some.mask_rule(c) for c in ("1%", "5%", "3.25", 4.5)]
    assert chosen == [MaskRule(threshold) for threshold in (2.1, 1.2, 3.25, 4.5)]
    assert some.mask_rule() == some.mask_rule("best") == MaskRule(2.0, 5.0)
    for wrong in ("10%", "high", "nan", "-1", "0"):
        with pytest.raises(ModelError, match=r"is no threshold: give --threshold best, 1%, 5%"):
            some.mask_rule(wrong)


def test_a_model_of_an_earlier_version_has_one_threshold_alone() -> None:
    old = Calibration({"t1": [0.0, 1.0]}, 2.0, 0.0, 0.0)  # type: ignore[dict-item]
    assert old.mask_rule("best") == MaskRule(2.0) and old.mask_rule("1.5") == MaskRule(1.5)
    with pytest.raises(ModelError, match="no threshold for 5% false positives: train it again"):
        old.mask_rule("5%")


def test_a_kind_of_contrast_may_have_shares_of_its_own() -> None:
    some = replace(
        calibration(np.arange(1000.0)),
        shares={"comparator": 0.5, "residual": 0.0},
        own_shares={"t1": {"comparator": 1.0}},
    )
    assert some.shares_for("t1") == {"comparator": 1.0, "residual": 0.0}
    assert some.shares_for("flair") == some.shares
    assert some.told_shares() == "comparator 0.5, residual 0, comparator 1 in t1-like scans"
    assert calibration(np.arange(1000.0)).told_shares() == "none"


def test_a_kind_of_contrast_may_have_a_rule_of_its_own() -> None:
    some = replace(
        calibration(np.arange(1000.0)),
        peak=5.0,
        fpr_thresholds={"1%": 2.1},
        own_rules={"t1": MaskRule(1.5, 4.0), "t1 flair": MaskRule(1.75, 3.0)},
    )
    common = MaskRule(2.0, 5.0)
    assert some.mask_rule("best", ["t1"]) == MaskRule(1.5, 4.0)
    assert some.mask_rule("best", ["t1", "flair"]) == MaskRule(1.75, 3.0)
    assert some.mask_rule("best", ["flair"]) == some.mask_rule("best", ["t1", "t1"]) == common
    assert some.mask_rule("1%", ["t1"]) == MaskRule(2.1), "what a user asks for holds everywhere"
    assert some.mask_rule(2.5, ["t1"]) == MaskRule(2.5)
    assert some.told_rules() == (
        "2.00, peak 5.00; in t1-like scans 1.50, peak 4.00; in t1 flair-like scans 1.75, peak 3.00"
    )
    assert some.told_rules(kinds=["flair"]) == "2.00, peak 5.00"
    assert from_dict(to_dict(some), Calibration) == some


def test_shares_of_healthy_voxels_hold_in_each_kind_of_contrast() -> None:
    rng = np.random.default_rng(12)
    some = calibration(rng.normal(size=100_000))
    kinds = ["t1"] * 4 + ["flair"] * 5 + ["t2"] * 2
    spread = {"t1": 1.0, "flair": 1.6, "t2": 1.0}
    healthy = [some(spread[kind] * rng.normal(size=20_000), "t1") for kind in kinds]
    new = with_fpr_thresholds(some, healthy, kinds)
    assert set(new.own_fpr_thresholds) == {"t1", "flair"}, "two scans are too few"
    for kind in ("t1", "flair"):
        fresh = some(spread[kind] * rng.normal(size=50_000), "t1")
        for name, share in (("1%", 0.01), ("5%", 0.05)):
            own = new.mask_rule(name, [kind]).threshold
            assert np.mean(fresh >= own) == pytest.approx(share, rel=0.2)
    assert new.mask_rule("1%", ["t2"]) == new.mask_rule("1%") == MaskRule(new.fpr_thresholds["1%"])
    assert new.mask_rule("1%", ["t1", "flair"]) == new.mask_rule("1%")
    assert set(new.own_mask_rules("1%")) >= {"t1"} and not new.own_mask_rules("best")
    assert new.told_rules("1%", ["t2"]) == str(new.mask_rule("1%"))
    assert from_dict(to_dict(new), Calibration) == new


def test_new_rules_leave_those_of_other_kinds() -> None:
    rules = {"t1": MaskRule(1.5), "t2": MaskRule(4)}
    old = replace(calibration(np.arange(1000.0)), own_rules=rules)
    chosen = ChosenRules(MaskRule(3.0, 6.0), {"t1": MaskRule(2.0, 5.0)}, 0.9, 0.4)
    new = with_mask_rules(old, chosen)
    assert new.own_rules == {"t1": MaskRule(2.0, 5.0), "t2": MaskRule(4)}
    assert (new.threshold, new.peak, new.false_positives_ml, new.dice) == (3.0, 6.0, 0.9, 0.4)
    assert new.tables == old.tables


def test_a_scan_in_which_a_method_fails_does_not_make_the_tail() -> None:
    rng = np.random.default_rng(10)
    scans = [tail_quantiles(rng.normal(size=50_000)) for _ in range(4)]
    failed = rng.normal(size=10_000)
    failed[:2000] += 30
    table = fit_table([*scans, tail_quantiles(failed)])
    assert len(table) == len(tail_quantiles(failed)), "as long as the shortest"
    single = np.array([scan[: len(table)] for scan in scans])
    assert (table >= single.min(0)).all() and (table <= single.max(0)).all()
    assert tail_quantiles(failed)[10] > 25
