"""Changing voxel sizes."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.preprocessing.resampling import new_shape, resample


def ramp(shape: tuple[int, int, int]) -> np.ndarray:
    """Position of each voxel's centre within the field of view, from 0 to 1, by axis weights."""
    at = [(np.arange(n) + 0.5) / n for n in shape]
    s, p, l = np.meshgrid(*at, indexing="ij")
    return (s + 2 * p + 4 * l).astype(np.float32)


@pytest.mark.parametrize("shape", [(20, 24, 16), (11, 9, 37), (40, 12, 16), (7, 8, 8)])
@pytest.mark.parametrize("order", [1, 3])
def test_a_linear_ramp_and_the_field_of_view_are_kept(
    shape: tuple[int, int, int], order: int
) -> None:
    result = resample(ramp((20, 12, 16)), shape, order)
    assert result.shape == shape and result.dtype == np.float32
    inner = tuple(slice(max(2, n // 6), n - max(2, n // 6)) for n in shape)
    np.testing.assert_allclose(result[inner], ramp(shape)[inner], atol=0.02)


def test_there_and_back_again() -> None:
    smooth = np.sin(ramp((20, 24, 18)))
    back = resample(resample(smooth, (31, 29, 40), 3), smooth.shape, 3)
    np.testing.assert_allclose(back[3:-3, 3:-3, 3:-3], smooth[3:-3, 3:-3, 3:-3], atol=0.01)


def test_labels_stay_labels() -> None:
    labels = np.random.default_rng(0).integers(0, 9, (6, 7, 8)).astype(np.uint8)
    doubled = resample(labels, (12, 14, 16), 0)
    assert doubled.dtype == np.uint8
    np.testing.assert_array_equal(doubled, labels.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(resample(doubled, (6, 7, 8), 0), labels)


def test_thinning_out_averages() -> None:
    """Alternating slices become their mean, not one of them."""
    stripes = np.zeros((24, 8, 8), np.float32)
    stripes[::2] = 1
    coarse = resample(stripes, (6, 8, 8))
    np.testing.assert_allclose(coarse[1:-1], 0.5, atol=0.1)


def test_same_shape_is_untouched() -> None:
    array = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    np.testing.assert_array_equal(resample(array, (4, 5, 6), 3), array)


@pytest.mark.parametrize(
    ("spacing", "target", "expected"),
    [((2, 2, 2), (1, 1, 1), (20, 24, 32)), ((3, 1, 1), (2, 2, 2), (15, 6, 8)),
     ((0.01, 1, 1), (9, 1, 1), (1, 12, 16))],
)  # fmt: skip
def test_new_shape(
    spacing: tuple[float, ...], target: tuple[float, ...], expected: tuple[int, ...]
) -> None:
    assert new_shape((10, 12, 16), spacing, target) == expected
