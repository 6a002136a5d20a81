"""Products with matrices against the filters that they stand in for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from disanat.separable import along_axes, gaussian_smooth

SHAPE = (19, 24, 17)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(3).standard_normal(SHAPE).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.6, 2.0, 9.0, (0.0, 1.5, 4.0)])
@pytest.mark.parametrize("truncate", [2.5, 4.0])
def test_smoothing_is_that_of_scipy(noise: np.ndarray, sigma: float, truncate: float) -> None:
    """Also where the kernel is wider than the array, so that the border is mirrored twice."""
    expected = ndimage.gaussian_filter(noise, sigma, truncate=truncate)
    smooth = gaussian_smooth(noise, sigma, truncate)
    assert smooth.dtype == np.float32
    np.testing.assert_allclose(smooth, expected, atol=1e-6)


def test_a_mask_is_smoothed_as_numbers() -> None:
    """A constant stays as it is: the weights of a mirrored border sum to one."""
    smooth = gaussian_smooth(np.ones(SHAPE, bool), 3.0)
    np.testing.assert_allclose(smooth, 1, atol=1e-6)


def test_each_axis_has_its_own_matrix(noise: np.ndarray) -> None:
    """Sums over an axis, its reversal, and an axis left alone, in one go."""
    first, last = np.ones((1, SHAPE[0])), np.eye(SHAPE[2])[::-1]
    found = along_axes(noise, (first, None, last))
    np.testing.assert_allclose(found, noise.sum(0, keepdims=True)[..., ::-1], atol=1e-5)
