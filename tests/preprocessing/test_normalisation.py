"""Intensities on a common scale."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.preprocessing.normalisation import OUTSIDE, head_mask, intensity_scale


def values() -> np.ndarray:
    return np.random.default_rng(0).normal(700, 150, 20000).astype(np.float32)


def test_scale_ignores_outliers() -> None:
    plain = values()
    spoiled = plain.copy()
    spoiled[:150] = 1e6
    clean, robust = intensity_scale(plain), intensity_scale(spoiled)
    assert clean.mean == pytest.approx(700, abs=5)
    assert robust.mean == pytest.approx(clean.mean, abs=6)
    assert robust.std == pytest.approx(clean.std, rel=0.05)


def test_round_trip() -> None:
    array = values().reshape(20, 20, 50)
    scale = intensity_scale(array.ravel())
    standard = scale.standardise(array)
    inside = (standard > -4) & (standard < 6)
    assert inside.mean() > 0.999
    np.testing.assert_allclose(scale.restore(standard)[inside], array[inside], atol=1e-2)
    assert standard.dtype == scale.restore(standard).dtype == np.float32


def test_clipping_and_outside() -> None:
    array = np.array([[[-1e6, 700.0, 1e6, 700.0]]])
    mask = np.array([[[True, True, True, False]]])
    standard = intensity_scale(values()).standardise(array, mask)
    assert standard[0, 0].tolist()[::2] == [-4.0, 6.0] and standard[0, 0, 3] == OUTSIDE


def test_a_linear_change_of_units_changes_nothing() -> None:
    array = values()
    first = intensity_scale(array).standardise(array)
    second = intensity_scale(array * 8 - 300).standardise(array * 8 - 300)
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_constant_values_do_not_divide_by_zero() -> None:
    assert intensity_scale(np.full(50, 3.0)).standardise(np.full(4, 3.0)).tolist() == [0.0] * 4


@pytest.mark.parametrize("air", [0.0, 100.0])
def test_head_mask_leaves_air_out(air: float) -> None:
    rng = np.random.default_rng(1)
    array = rng.normal(air, 2, (20, 20, 20))
    array[5:15, 5:15, 5:15] += 200
    mask = head_mask(array)
    assert mask[5:15, 5:15, 5:15].mean() > 0.99 and mask.sum() < 1.03 * 1000
