"""Metrics of masks, slices and cases."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.evaluation.metrics import area_under_roc, dice, slice_scores, true_positive_rate


def test_lesion_outside_the_brain_is_missed_by_the_mask() -> None:
    lesion = np.array([1, 0, 1, 0, 0, 0], bool)
    brain = np.array([1, 1, 0, 1, 1, 1], bool)
    mask = np.array([1, 1, 1, 0, 0, 0], bool)
    assert dice(mask, lesion, brain) == pytest.approx(2 * 1 / (2 + 2))
    assert dice(mask, ~brain & brain, brain) is None


def test_slices_take_their_high_percentile_and_miss_what_is_outside() -> None:
    score = np.zeros((4, 10, 10))
    brain = np.zeros(score.shape, bool)
    brain[:2] = True
    lesion = np.zeros(score.shape, bool)
    score[0, :2], lesion[0, :2] = 5.0, True
    lesion[2, 3, 3] = True
    scores, truths = slice_scores(score, lesion, brain)
    assert scores.tolist() == [5.0, 0.0, -np.inf]
    assert truths.tolist() == [True, False, True]
    # Of two lesion slices one is above the healthy one and one below.
    assert area_under_roc(scores, truths) == pytest.approx(0.5)


def test_area_under_roc_needs_both_kinds() -> None:
    assert area_under_roc(np.array([1.0, 2.0]), np.array([True, True])) is None
    assert area_under_roc(np.array([]), np.array([], bool)) is None
    assert area_under_roc(np.array([1.0, 2.0]), np.array([False, True])) == 1.0


def test_true_positives_while_so_many_others_are_called() -> None:
    others = [float(i) for i in range(10)]  # one of ten may be called: 9; then 8 is the limit
    assert true_positive_rate([8.0, 8.5, 9.5, 1.0], others, 0.1) == pytest.approx(0.5)
    assert true_positive_rate([8.0, 8.5, 9.5, 1.0], others, 0.2) == pytest.approx(0.75)
    assert true_positive_rate([8.0], others[:9], 0.1) is None
    assert true_positive_rate([], others, 0.1) is None
