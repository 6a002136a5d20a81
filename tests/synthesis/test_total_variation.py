"""Reconstruction by total variation."""

from __future__ import annotations

import numpy as np

from disanat.synthesis.kspace import radial_mask, smooth_phase, to_kspace, zero_filled
from disanat.synthesis.total_variation import total_variation


def phantom() -> np.ndarray:
    image = np.zeros((2, 48, 40), np.float32)
    image[:, 8:40, 8:32] = 1.0
    image[:, 16:26, 14:22] = 0.4
    image[1, 30:34, 24:28] = 2.0
    return image


def test_a_fully_sampled_mask_changes_nothing() -> None:
    image = phantom()
    found = total_variation(to_kspace(image), np.ones(image.shape[1:], bool))
    assert np.abs(found - image).max() < 1e-5


def test_a_piecewise_constant_image_comes_back_from_a_quarter_of_the_spokes() -> None:
    """The experiment of Candes, Romberg and Tao, with a phase."""
    image = phantom()
    phase = smooth_phase(image.shape, np.random.default_rng(3)) / 5
    kspace = to_kspace(image * np.exp(1j * phase))
    mask = radial_mask((48, 40), 4.0)

    def error(found: np.ndarray) -> float:
        return float(np.linalg.norm(found - image) / np.linalg.norm(image))

    found = total_variation(kspace, mask, iterations=150)
    assert error(zero_filled(kspace, mask)) > 0.08
    assert error(found) < 0.3 * error(zero_filled(kspace, mask))


def test_slices_without_signal_stay_empty_and_units_do_not_matter() -> None:
    image = np.concatenate([phantom(), np.zeros((1, 48, 40), np.float32)])
    mask = radial_mask((48, 40), 4.0)
    found = total_variation(to_kspace(image), mask, iterations=5)
    assert not found[2].any() and found[:2].any()
    thousand = total_variation(to_kspace(1000 * image), mask, iterations=5)
    assert np.allclose(thousand, 1000 * found, rtol=1e-2, atol=1)
