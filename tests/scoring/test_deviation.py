"""How far a scan lies outside of what its restored anatomy lets expect."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.deviation import deviation_score, expected_spread
from disanat.scoring.intensity import Imaging


def imaging(shape: tuple[int, ...]) -> Imaging:
    return Imaging(
        np.array([-1.0, 1.0], np.float32),
        np.array([0.2, 0.4], np.float32),
        np.zeros(shape, np.float32),
        (0.0, 0.0),
    )


def test_the_spread_is_that_of_the_mixture() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.5], [0.2, 0.5, 0.3]])
    anatomy = shares.T.reshape(3, 4, 1, 1).astype(np.float32)
    spread = expected_spread(anatomy, imaging((4, 1, 1)))
    assert spread.shape == (4, 1, 1) and spread.dtype == np.float32
    np.testing.assert_allclose(spread[:3, 0, 0], [0.2, 0.4, np.sqrt(0.1 + 1)], rtol=1e-5)
    for q, found in zip(shares, spread[:, 0, 0], strict=True):
        chosen = rng.choice(3, 200_000, p=q)
        drawn = rng.normal(np.array([OUTSIDE, -1, 1])[chosen], np.array([0.3, 0.2, 0.4])[chosen])
        assert found == pytest.approx(drawn.std(), rel=0.01)


def test_the_same_difference_counts_less_where_more_is_to_be_expected() -> None:
    phi = np.zeros((6, 6, 12), np.float32)
    brain = np.ones(phi.shape, bool)
    spread = np.full(phi.shape, 0.2, np.float32)
    spread[..., 6:] = 2.0
    score = deviation_score(phi + 1, phi, spread, brain, (2.0, 2.0, 2.0))
    assert score.dtype == np.float32
    assert score[3, 3, 2] == pytest.approx(1 / np.sqrt(0.05), rel=1e-5)
    assert score[3, 3, 9] == pytest.approx(1 / np.sqrt(4.01), rel=1e-5)
    down = deviation_score(phi - 1, phi, spread, brain, (2.0, 2.0, 2.0))
    np.testing.assert_allclose(score, down)


@pytest.mark.parametrize("spacing", [1.0, 2.0])
def test_a_border_up_to_two_millimetres_off_is_nothing_odd(spacing: float) -> None:
    voxels = round(2 / spacing)
    phi = np.zeros((9, 9, 24), np.float32)
    phi[..., 12:] = 3
    brain = np.ones(phi.shape, bool)
    spread = np.zeros(phi.shape, np.float32)

    def moved(by: int) -> np.ndarray:
        image = np.zeros(phi.shape, np.float32)
        image[..., 12 + by :] = 3
        return deviation_score(image, phi, spread, brain, (spacing,) * 3)

    for by in range(-voxels, voxels + 1):
        assert (moved(by) == 0).all()
    assert moved(voxels + 1).max() > 10 and moved(-voxels - 1).max() > 10


def test_thick_slices_lend_each_other_nothing() -> None:
    phi = np.zeros((5, 7, 7), np.float32)
    phi[3:] = 3
    image = phi.copy()
    image[2] = 3
    brain = np.ones(phi.shape, bool)
    thick = deviation_score(image, phi, np.zeros(phi.shape), brain, (5.0, 1.0, 1.0))
    assert (thick[2] > 10).all() and (np.delete(thick, 2, 0) == 0).all()
    thin = deviation_score(image, phi, np.zeros(phi.shape), brain, (2.0, 1.0, 1.0))
    assert (thin == 0).all()


def test_what_is_outside_the_brain_takes_no_part() -> None:
    phi = np.zeros((8, 8, 8), np.float32)
    brain = np.zeros(phi.shape, bool)
    brain[2:6, 2:6, 2:6] = True
    phi[~brain] = OUTSIDE
    image = np.where(brain, -1.0, OUTSIDE).astype(np.float32)
    score = deviation_score(image, phi, np.zeros(phi.shape), brain, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(score[brain], 10, rtol=1e-5)
    assert (score[~brain] == 0).all()
    nothing = np.zeros(phi.shape, bool)
    assert (deviation_score(image, phi, np.zeros(phi.shape), nothing, (1.0,) * 3) == 0).all()
