"""Voxels by their scores."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from disanat.evaluation.metrics import dice
from disanat.scoring.ranking import average_precision, best_dice, pool, precision_at, rank

ALL = np.ones(6, bool)
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], np.float32)
LESION = np.array([1, 0, 1, 0, 0, 0], bool)


def test_average_precision_by_hand() -> None:
    # Recall grows at ranks 1 (precision 1) and 3 (precision 2/3).
    assert average_precision(rank(SCORE, LESION, ALL)) == pytest.approx((1 + 2 / 3) / 2)


def test_a_perfect_and_an_inverted_score() -> None:
    assert average_precision(rank(LESION.astype(float), LESION, ALL)) == 1.0
    worst = average_precision(rank(-LESION.astype(float), LESION, ALL))
    assert worst == pytest.approx(2 / 6)


def test_lesion_outside_the_brain_is_missed_at_every_threshold() -> None:
    brain = np.array([1, 1, 0, 1, 1, 1], bool)
    ranking = rank(SCORE, LESION, brain)
    assert (ranking.lost, ranking.positives) == (1, 2)
    # One of two lesion voxels is left, found first: recall 1/2 at precision 1.
    assert average_precision(ranking) == pytest.approx(0.5)
    # Dice at threshold 0.9: 2 * 1 / (1 + 2).
    assert best_dice(ranking) == pytest.approx((2 / 3, 0.9))


def test_best_dice_by_hand() -> None:
    # Thresholds 0.9: 2/3, 0.7: 4/5.
    value, threshold = best_dice(rank(SCORE, LESION, ALL)) or (0.0, None)
    assert value == pytest.approx(0.8)
    assert threshold == pytest.approx(0.7)


def test_nothing_to_measure_without_lesions() -> None:
    ranking = rank(SCORE, ~ALL, ALL)
    assert average_precision(ranking) is None
    assert best_dice(ranking) is None


def test_lesion_wholly_outside_the_brain_scores_nothing() -> None:
    ranking = rank(SCORE, LESION, ~LESION)
    assert average_precision(ranking) == 0.0
    assert best_dice(ranking) == (0.0, None)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        rank(SCORE, LESION[:-1], ALL)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60))
def test_average_precision_equals_scikit_learn_with_ties(voxels: list[tuple[int, bool]]) -> None:
    score = np.array([v for v, _ in voxels], np.float32)
    lesion = np.array([t for _, t in voxels])
    ours = average_precision(rank(score, lesion, np.ones_like(lesion)))
    if lesion.any():
        assert ours == pytest.approx(average_precision_score(lesion, score))
    else:
        assert ours is None


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_best_dice_equals_trying_every_threshold(voxels: list[tuple[int, bool]]) -> None:
    score = np.array([v for v, _ in voxels], np.float32)
    lesion = np.array([t for _, t in voxels])
    brain = np.ones_like(lesion)
    found = best_dice(rank(score, lesion, brain))
    if not lesion.any():
        assert found is None
        return
    tried = max(dice(score >= t, lesion, brain) or 0.0 for t in range(6))
    assert found is not None
    assert found[0] == pytest.approx(tried)
    assert dice(score >= found[1], lesion, brain) == pytest.approx(found[0])


def test_pooling_is_one_long_scan() -> None:
    rng = np.random.default_rng(0)
    score = rng.normal(size=400).astype(np.float32)
    lesion = rng.random(400) < 0.1
    brain = rng.random(400) < 0.9
    halves = [rank(score[s], lesion[s], brain[s]) for s in (slice(0, 200), slice(200, 400))]
    whole = average_precision(rank(score, lesion, brain))
    assert average_precision(pool(halves)) == pytest.approx(whole)


def test_ten_million_voxels_take_seconds() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(10_000_000, dtype=np.float32)
    lesion = score + rng.random(score.size, dtype=np.float32) > 1.9
    start = time.process_time()
    ranking = rank(score, lesion, np.ones_like(lesion))
    assert average_precision(ranking) is not None
    assert best_dice(ranking) is not None
    assert time.process_time() - start < 10


def test_precision_at_a_recall_is_that_of_the_highest_threshold_that_reaches_it() -> None:
    wanted = np.array([0.3, 0.5, 0.6, 1.0])
    assert precision_at(rank(SCORE, LESION, ALL), wanted) == pytest.approx([1, 1, 2 / 3, 2 / 3])
    lost = precision_at(rank(SCORE, LESION, SCORE > 0.75), wanted)  # a lesion voxel is no brain
    assert lost == pytest.approx([1, 1, 0, 0])
