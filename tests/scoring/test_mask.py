"""The lesion mask: the rule, what rules would find, and how one is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.scoring.mask import (
    LEVELS,
    ChosenRules,
    MaskCounts,
    MaskRule,
    choose_mask_rules,
    count_voxels,
    told_rules,
)

SHAPE = (20, 25, 40)


def level(value: float) -> int:
    return int(np.flatnonzero(value == LEVELS)[0])


@pytest.fixture
def spots() -> np.ndarray:
    """A faint spot, one with a peak, and one that touches the latter at a corner alone."""
    anomaly = np.zeros((8, 9, 20))
    anomaly[1:3, 1:4, 1:4] = 2.5
    anomaly[4:6, 3:6, 10:13] = 2.5
    anomaly[5, 5, 12] = 6.0
    anomaly[6, 6, 13:15] = 3.0
    return anomaly


def test_a_lesion_needs_a_peak_and_is_taken_as_far_as_it_is_unusual(spots: np.ndarray) -> None:
    brain = np.ones(spots.shape, bool)
    assert (MaskRule(2.5)(spots, brain) == (spots > 0)).all()
    found = MaskRule(2.5, 6.0)(spots, brain)
    assert found.dtype == bool and (found == (spots > 0) & (np.arange(20) >= 10)).all()
    assert MaskRule(2.75, 6.0)(spots, brain).sum() == 3, "the peak, and what touches its corner"
    assert not MaskRule(2.5, 6.25)(spots, brain).any()
    assert (MaskRule(2.5, 2.0)(spots, brain) == (spots > 0)).all(), "a peak below says nothing"


def test_what_is_outside_the_brain_neither_counts_nor_connects(spots: np.ndarray) -> None:
    brain = np.ones(spots.shape, bool)
    brain[5, 5, 12] = False
    assert not MaskRule(2.5, 6.0)(spots, brain).any()
    brain[5, 5, 12], brain[:, :, 13] = True, False
    found = MaskRule(2.5, 6.0)(spots, brain)
    assert found.sum() == 18 and not found[:, :, 13:].any()


def test_counts_are_those_of_the_rules() -> None:
    rng = np.random.default_rng(0)
    anomaly = rng.exponential(1.1, SHAPE)
    brain = rng.random(SHAPE) < 0.9
    truth = rng.random(SHAPE) < 0.2
    anomaly[~brain] = 0
    counts = count_voxels(anomaly, truth)
    assert counts.lesion == truth.sum()
    for row, column in ((0, 0), (0, 6), (0, 20), (3, 3), (3, 14), (8, 20), (20, 20)):
        mask = MaskRule(LEVELS[row], LEVELS[column])(anomaly, brain)
        assert counts.found[row, column] == mask.sum()
        assert counts.hits[row, column] == (mask & truth).sum()
        expected = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
        assert counts.dice()[row, column] == pytest.approx(expected)
    assert not np.tril(counts.found, -1).any(), "no peak below the threshold"


def test_a_volume_without_anything_unusual_has_nothing() -> None:
    counts = count_voxels(np.ones(SHAPE))
    assert counts.lesion == 0 and not counts.found.any() and not counts.dice().any()


def with_lesion(rng: np.random.Generator, mean: float = 3.0) -> MaskCounts:
    """Healthy scores everywhere, and a block of a fifth of the volume that stands out."""
    score, truth = rng.exponential(1.0, SHAPE), np.zeros(SHAPE, bool)
    truth[:4] = True
    score[truth] = rng.normal(mean, 1, int(truth.sum()))
    return count_voxels(score, truth)


@pytest.mark.parametrize("most_ml", [1.0, 0.1])
def test_the_rule_keeps_healthy_brains_clean(most_ml: float) -> None:
    """Voxels of 0.01 mL; lesions overlap with a tail of healthy scores."""
    rng = np.random.default_rng(4)
    maps = [rng.exponential(1.0, SHAPE) for _ in range(5)]
    healthy = [count_voxels(one) for one in maps]
    lesions = [with_lesion(rng) for _ in range(5)]
    chosen = choose_mask_rules(healthy, lesions, 0.01, most_ml=most_ml)
    rule = chosen.common
    assert rule.peak is not None
    volumes = [rule(one, np.ones(SHAPE, bool)).sum() * 0.01 for one in maps]
    assert chosen.false_positives_ml == pytest.approx(np.median(volumes))
    assert chosen.false_positives_ml <= most_ml
    place = level(rule.threshold), level(rule.peak)
    assert chosen.dice == pytest.approx(np.mean([one.dice()[place] for one in lesions]))
    # It binds here: the best of all rules would find too much in healthy brains.
    best = np.mean([one.dice() for one in lesions], axis=0)
    assert best.max() > chosen.dice
    wanted = np.unravel_index(best.argmax(), best.shape)
    assert np.median([one.found[wanted] * 0.01 for one in healthy]) > most_ml


def test_clean_brains_in_one_contrast_do_not_make_up_for_others() -> None:
    rng = np.random.default_rng(4)
    scales = [0.5] * 4 + [1.0] * 3 + [3.0] * 2
    healthy = [count_voxels(rng.exponential(scale, SHAPE)) for scale in scales]
    kinds = ["flair"] * 4 + ["t1"] * 3 + ["t2"] * 2
    lesions = [with_lesion(rng)]
    together = choose_mask_rules(healthy, lesions, 0.01)
    apart = choose_mask_rules(healthy, lesions, 0.01, kinds=kinds)

    def median(kind: str, chosen: ChosenRules) -> float:
        assert chosen.common.peak is not None
        place = level(chosen.common.threshold), level(chosen.common.peak)
        own = [h for h, k in zip(healthy, kinds, strict=True) if k == kind]
        return float(np.median([one.found[place] * 0.01 for one in own]))

    assert median("t1", together) > 1 >= median("t1", apart)
    # Two volumes of a kind are too few to speak for it.
    assert apart.false_positives_ml == pytest.approx(median("t1", apart))
    assert median("t2", apart) > 1


def test_the_best_dice_wins_where_healthy_brains_are_clean_anyway() -> None:
    rng = np.random.default_rng(5)
    score, truth = rng.uniform(0, 1, SHAPE), np.zeros(SHAPE, bool)
    truth[5:8, 5:9, 5:9] = True
    healthy, score[truth] = [count_voxels(score)], rng.uniform(3, 4, int(truth.sum()))
    chosen = choose_mask_rules(healthy, [count_voxels(score, truth)], 0.001)
    assert 1.5 <= chosen.common.threshold <= 3
    assert chosen.false_positives_ml == 0 and chosen.dice == 1


def test_where_no_brain_is_clean_the_strictest_rule_is_taken() -> None:
    rng = np.random.default_rng(6)
    healthy = [count_voxels(np.full(SHAPE, 20.0))]
    chosen = choose_mask_rules(healthy, [with_lesion(rng)], 0.01)
    assert chosen.common == MaskRule(12.0, 12.0) and chosen.false_positives_ml == 200.0


def test_a_kind_of_contrast_may_have_a_rule_of_its_own() -> None:
    """Healthy T2 scores spread twice as far, so that the common rule is stricter than T1 needs."""
    rng = np.random.default_rng(7)
    kinds = ["t1"] * 4 + ["t2"] * 4
    healthy = [count_voxels(rng.exponential(0.5 if k == "t1" else 1.0, SHAPE)) for k in kinds]
    ill = [with_lesion(rng) for _ in kinds]
    common = choose_mask_rules(healthy, ill, 0.01, kinds)
    assert not common.own, "nobody said which kind the lesions are in"
    chosen = choose_mask_rules(healthy, ill, 0.01, kinds, kinds)
    assert chosen.common == common.common and list(chosen.own) == ["t1"]
    own = chosen.own["t1"]
    assert own.peak is not None and chosen.common.peak is not None
    assert (own.threshold, own.peak) < (chosen.common.threshold, chosen.common.peak)
    assert chosen.dice > common.dice
    place = level(own.threshold), level(own.peak)
    assert np.median([one.found[place] * 0.01 for one in healthy[:4]]) <= 1
    dice = [one.dice()[place] for one in ill[:4]]
    place = level(chosen.common.threshold), level(chosen.common.peak)
    dice += [one.dice()[place] for one in ill[4:]]
    assert chosen.dice == pytest.approx(np.mean(dice))


def test_few_volumes_have_no_rule_of_their_own() -> None:
    rng = np.random.default_rng(8)
    kinds = ["t1"] * 4 + ["t2"] * 4
    healthy = [count_voxels(rng.exponential(0.5 if k == "t1" else 1.0, SHAPE)) for k in kinds]
    ill = [with_lesion(rng) for _ in range(6)]
    assert choose_mask_rules(healthy, ill, 0.01, kinds, ["t1"] * 3 + ["t2"] * 3).own
    assert not choose_mask_rules(healthy, ill, 0.01, kinds, ["t1"] * 2 + ["t2"] * 4).own
    assert not choose_mask_rules(healthy[2:], ill, 0.01, kinds[2:], ["t1"] * 3 + ["t2"] * 3).own


def test_rules_are_told_in_words() -> None:
    assert told_rules(MaskRule(2.5), {}) == "2.50"
    told = told_rules(MaskRule(3.0, 5.0), {"t1": MaskRule(2.25, 4.0)})
    assert told == "3.00, peak 5.00; in t1-like scans 2.25, peak 4.00"
