"""K-space: what is sampled, what is not, and what a phase does."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.synthesis.kspace import (
    cartesian_mask,
    move_lines,
    radial_mask,
    smooth_phase,
    to_image,
    to_kspace,
    zero_filled,
)


@pytest.fixture
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    shown = np.zeros((3, 32, 40), np.float32)
    shown[:, 10:22, 14:26] = rng.uniform(1, 2, (3, 12, 12))
    return shown


def test_a_fully_sampled_mask_changes_nothing(image: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    kspace = to_kspace(image * np.exp(1j * smooth_phase(image.shape, rng)))
    for mask in (np.ones(image.shape[1:], bool), cartesian_mask((32, 40), 1.0, rng)):
        assert np.abs(zero_filled(kspace, mask) - image).max() < 1e-5
    assert np.abs(to_image(to_kspace(image)) - image).max() < 1e-5


def test_every_second_line_folds_the_image_at_half_the_field_of_view(image: np.ndarray) -> None:
    every_second = np.zeros((32, 40), bool)
    every_second[:, ::2] = True
    folded = zero_filled(to_kspace(image), every_second)
    expected = (image + np.roll(image, 20, axis=2)) / 2
    assert np.abs(folded - expected).max() < 1e-5
    assert np.abs(folded - image).max() > 0.4, "the fold can be seen"


def test_a_linear_phase_moves_the_image_by_so_many_voxels(image: np.ndarray) -> None:
    shifts = np.tile([3.0, -5.0], (40, 1))
    moved = np.abs(to_image(move_lines(to_kspace(image), shifts)))
    assert np.abs(moved - np.roll(image, (3, -5), axis=(1, 2))).max() < 1e-5
    still = np.abs(to_image(move_lines(to_kspace(image), np.zeros((40, 2)))))
    assert np.abs(still - image).max() < 1e-5


def test_lines_that_moved_half_the_time_make_a_ghost_at_half_the_field_of_view() -> None:
    """Every second line with the opposite sign: the well-known N/2 ghost of echo-planar images."""
    point = np.zeros((1, 16, 16), np.float32)
    point[0, 4, 4] = 1
    kspace = to_kspace(point)
    kspace[:, :, 1::2] *= np.exp(0.5j * np.pi)
    ghost = np.abs(to_image(kspace))[0]
    assert ghost[4, 4] == pytest.approx(np.sqrt(0.5), abs=1e-5)
    assert ghost[4, 12] == pytest.approx(np.sqrt(0.5), abs=1e-5)


@pytest.mark.parametrize("acceleration", [2.0, 4.0, 10.0])
def test_a_cartesian_mask_has_whole_lines_as_many_as_asked_for_and_the_centre(
    acceleration: float,
) -> None:
    mask = cartesian_mask((30, 200), acceleration, np.random.default_rng(0))
    assert (mask == mask[:1]).all() and mask[0].sum() == round(200 / acceleration)
    assert mask[0, 0] and mask[0, 1] and mask[0, -1]
    other = cartesian_mask((30, 200), acceleration, np.random.default_rng(1))
    assert (other != mask).any()
    near, far = mask[0, [*range(50), *range(150, 200)]].sum(), mask[0, 50:150].sum()
    assert near > far


def test_a_radial_mask_has_the_centre_and_fewer_points_the_faster_it_is() -> None:
    shares = [radial_mask((64, 48), acceleration).mean() for acceleration in (0.5, 2, 4, 8)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.7 and 0.05 < shares[-1] < 0.15
    mask = radial_mask((64, 48), 8.0)
    assert mask[0, 0] and not mask[32, 24], "the corners are not measured"
    assert (mask == np.roll(mask[::-1, ::-1], (1, 1), (0, 1))).mean() > 0.98, "spokes pass through"


def test_the_phase_is_smooth_and_not_constant() -> None:
    phase = smooth_phase((8, 64, 64), np.random.default_rng(0))
    assert phase.dtype == np.float32 and phase.std() > 0.1
    assert max(np.abs(np.diff(phase, axis=a)).max() for a in (1, 2)) < 0.3
