"""The residual of scan and pseudo-healthy image."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.scoring.residual import residual_score


def test_a_difference_counts_less_where_the_picture_is_steep() -> None:
    phi = np.zeros((12, 12, 24), np.float32)
    phi[..., 12:] = 3
    brain = np.ones(phi.shape, bool)
    brain[:, :, 0] = False
    image = phi + np.float32(0.5)
    score = residual_score(image, phi, brain)
    assert score.dtype == np.float32 and (score[~brain] == 0).all()
    assert score[6, 6, 20] == pytest.approx(0.5 / 0.6, rel=0.01)
    assert score[6, 6, 12] < 0.5 * score[6, 6, 20]


def test_both_directions_count_alike_and_an_empty_brain_scores_nothing() -> None:
    phi = np.zeros((6, 6, 6), np.float32)
    brain = np.ones(phi.shape, bool)
    np.testing.assert_allclose(
        residual_score(phi + 1, phi, brain), residual_score(phi - 1, phi, brain)
    )
    assert (residual_score(phi + 1, phi, ~brain) == 0).all()
