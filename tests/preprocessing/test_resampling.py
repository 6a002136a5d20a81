"""Changing voxel sizes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

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


@pytest.mark.parametrize(
    "shape", [(24, 30, 28), (6, 5, 7), (12, 15, 5), (35, 15, 14), (1, 15, 40), (11, 16, 12)]
)
@pytest.mark.parametrize("order", [1, 3])
def test_smoothing_and_interpolation_are_what_simpleitk_does(
    shape: tuple[int, int, int], order: int
) -> None:
    """Smoothed by its Gaussian where samples are thinned out, then interpolated by it."""
    array = np.random.default_rng(0).normal(size=(12, 15, 14)).astype(np.float32)
    steps = [n / m for n, m in zip(array.shape, shape)][::-1]
    image = sitk.GetImageFromArray(array)
    if max(steps) > 1.5:
        variances = [(0.35 * f) ** 2 if f > 1.5 else 1e-6 for f in steps]
        image = sitk.DiscreteGaussian(image, variances, 32, 0.01, False)
    expected = sitk.GetArrayFromImage(by_simpleitk(image, shape, steps, order))
    np.testing.assert_allclose(resample(array, shape, order), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(24, 30, 28), (5, 7, 11), (35, 15, 11)])
def test_nearest_is_what_simpleitk_does(shape: tuple[int, int, int]) -> None:
    """No centre lies halfway between two voxels there, where its rounding is a matter of luck."""
    labels = np.random.default_rng(0).integers(0, 9, (12, 15, 14)).astype(np.int16)
    steps = [n / m for n, m in zip(labels.shape, shape)][::-1]
    image = by_simpleitk(sitk.GetImageFromArray(labels), shape, steps, 0)
    np.testing.assert_array_equal(resample(labels, shape, 0), sitk.GetArrayFromImage(image))


def by_simpleitk(
    image: sitk.Image, shape: tuple[int, int, int], steps: list[float], order: int
) -> sitk.Image:
    """Resampled to `shape` within the same field of view."""
    grid = sitk.Image(shape[::-1], image.GetPixelID())
    grid.SetSpacing(steps)
    grid.SetOrigin([(f - 1) / 2 for f in steps])
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(grid)
    resampler.SetInterpolator({0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear}.get(
        order, sitk.sitkBSpline
    ))  # fmt: skip
    resampler.SetUseNearestNeighborExtrapolator(True)
    return resampler.Execute(image)


@pytest.mark.parametrize("thick", [1, 2, 3])
def test_a_cubic_spline_goes_through_its_few_slices(thick: int) -> None:
    """Three times as many voxels: each old centre is a new one."""
    array = np.random.default_rng(1).normal(size=(thick, 6, 5)).astype(np.float32)
    finer = resample(array, (3 * thick, 18, 15), 3)
    np.testing.assert_allclose(finer[1::3, 1::3, 1::3], array, atol=1e-5)


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
