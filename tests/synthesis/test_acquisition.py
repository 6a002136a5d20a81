"""What an acquisition does to an image, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from disanat.synthesis.acquisition import (
    field_map,
    gamma,
    inverted,
    low_field,
    motion_ghosts,
    off_resonance,
    profiles,
    through_slices,
)

ONE = (1.0, 1.0, 1.0)


@pytest.fixture
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    shown = np.zeros((12, 32, 40), np.float32)
    shown[2:10, 8:24, 10:30] = rng.uniform(1, 2, (8, 16, 20))
    return shown


def test_off_resonance_of_zero_changes_nothing(image: np.ndarray) -> None:
    same = off_resonance(image, np.zeros_like(image), 10.0)
    assert np.abs(same - image).max() < 1e-5


def test_one_frequency_everywhere_is_one_blur(image: np.ndarray) -> None:
    """The point spread function of a spiral: exp(-2 pi i f t(k)), t growing with |k|."""
    grid = np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(40), indexing="ij")
    seconds = 0.01 * np.minimum(np.hypot(*grid) / 0.5, 1)
    spread = np.exp(-2j * np.pi * 80.0 * seconds)
    expected = np.abs(fft.ifft2(fft.fft2(image) * spread))
    found = off_resonance(image, np.full(image.shape, 80.0, np.float32), 10.0)
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(found - image).max() > 0.3


def test_split_frequencies_come_near_to_the_exact_sum() -> None:
    """Each voxel has its own frequency; the sum over all of them, one by one, is exact."""
    rng = np.random.default_rng(1)
    image = np.zeros((1, 16, 16), np.float32)
    image[0, 4:12, 4:12] = rng.uniform(1, 2, (8, 8))
    hertz = np.linspace(-100, 100, 256, dtype=np.float32).reshape(1, 16, 16)
    grid = np.meshgrid(np.fft.fftfreq(16), np.fft.fftfreq(16), indexing="ij")
    seconds = 0.01 * np.minimum(np.hypot(*grid) / 0.5, 1)
    kspace = np.zeros((16, 16), complex)
    for p, l in np.argwhere(image[0] > 0):
        delta = np.zeros((16, 16))
        delta[p, l] = image[0, p, l]
        kspace += fft.fft2(delta) * np.exp(-2j * np.pi * hertz[0, p, l] * seconds)
    exact = np.abs(fft.ifft2(kspace))
    found = off_resonance(image, hertz, 10.0)[0]
    assert np.abs(found - exact).max() < 0.05 < np.abs(found - image[0]).max()


def test_a_field_map_is_off_low_in_the_front_and_calm_on_top() -> None:
    brain = np.zeros((70, 90, 70), bool)
    brain[5:65, 5:85, 5:65] = True
    found = field_map(brain, (2.0, 2.0, 2.0), np.random.default_rng(0))
    assert np.abs(found[brain]).max() == pytest.approx(1) and np.median(found[brain]) == 0
    s, p, _ = np.unravel_index(np.argmax(np.where(brain, found, -9)), brain.shape)
    assert s < 30 and p < 25
    assert np.abs(found[50:65][brain[50:65]]).max() < 0.2


def test_ghosts_of_no_motion_are_none_and_grow_with_it(image: np.ndarray) -> None:
    still = motion_ghosts(image, ONE, 0.0, np.random.default_rng(0))
    assert np.abs(still - image).max() < 1e-5
    outside = image == 0
    signal = [
        float(motion_ghosts(image, ONE, mm, np.random.default_rng(0))[outside].mean())
        for mm in (0.5, 1.0, 2.0)
    ]
    assert signal == sorted(signal) and signal[0] > 0.01
    finer = motion_ghosts(image, (1.0, 0.5, 0.5), 0.5, np.random.default_rng(0))
    again = motion_ghosts(image, ONE, 1.0, np.random.default_rng(0))
    assert np.abs(finer - again).max() < 1e-5, "an amplitude is in mm"


def test_low_field_noise_is_rician() -> None:
    air = low_field(np.zeros((24, 24, 24), np.float32), ONE, 1.0, 2.0, np.random.default_rng(0))
    assert air.mean() == pytest.approx(2 * np.sqrt(np.pi / 2), rel=0.02)
    assert air.std() == pytest.approx(2 * np.sqrt(2 - np.pi / 2), rel=0.03)
    bright = np.full((24, 24, 24), 50.0, np.float32)
    found = low_field(bright, ONE, 3.0, 2.0, np.random.default_rng(0))
    assert found.mean() == pytest.approx(50, abs=0.5)
    assert found.std() == pytest.approx(2.0, rel=0.2), "the noise of what is measured, not less"


def test_low_field_loses_what_its_voxels_cannot_show(image: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    assert np.abs(low_field(image, ONE, 1.0, 0.0, rng) - image).max() < 1e-5
    wave = np.zeros((16, 16, 16), np.float32) + 2
    fine = wave + np.cos(np.pi * np.arange(16)).astype(np.float32)
    assert np.abs(low_field(fine, ONE, 2.5, 0.0, rng) - wave).max() < 1e-4
    coarse = wave + np.cos(np.pi * np.arange(16) / 8).astype(np.float32)
    assert np.abs(low_field(coarse, ONE, 2.5, 0.0, rng) - coarse).max() < 1e-4


def test_thick_slices_are_the_mean_of_their_block(image: np.ndarray) -> None:
    weights = profiles(12, 1.0, 4.0)
    assert weights.shape == (3, 12)
    expected = image.reshape(3, 4, 32, 40).mean(axis=1)
    assert np.abs(through_slices(weights, image) - expected).max() < 1e-6


def test_a_thickness_that_is_no_multiple_weighs_by_overlap_and_the_last_slice_is_shorter() -> None:
    weights = profiles(7, 2.0, 3.0)
    assert weights.shape == (5, 7) and np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(weights[0, :3], (2 / 3, 1 / 3, 0))
    assert np.allclose(weights[1, :4], (0, 1 / 3, 2 / 3, 0))
    assert np.allclose(weights[4], np.eye(7)[6])
    assert (profiles(7, 2.0, 2.0) == np.eye(7)).all() and (profiles(7, 4.4, 3.0) == np.eye(7)).all()


def test_gamma_keeps_the_order_and_the_bright_end(image: np.ndarray) -> None:
    brain = image > 0
    for exponent in (0.5, 2.0):
        found = gamma(image, exponent, brain)
        order = np.argsort(image[brain], kind="stable")
        assert (np.diff(found[brain][order]) >= 0).all() and not found[~brain].any()
        assert found.max() == pytest.approx(image.max(), rel=0.01)
    assert gamma(image, 2.0, brain)[brain].mean() < image[brain].mean()
    assert np.allclose(gamma(image, 1.0, brain), image)


def test_inversion_leaves_air_dark(image: np.ndarray) -> None:
    brain = image > 0
    found = inverted(image, brain, brain)
    assert not found[~brain].any()
    assert np.allclose(found[brain], image.max() - image[brain])
