from __future__ import annotations

import numpy as np
import pytest

from disanat.preprocessing.bias_field import BiasField, fit_bias_field
from disanat.synthesis.fields import smooth_field

SPACING = (5.0, 5.0, 5.0)


def scan(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two tissues and a known field of .2 in log; the scan without it, and the brain."""
    shape = (24, 30, 24)
    grid = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
    radius = np.linalg.norm(grid / (np.array(shape) / 2.2), axis=-1)
    clean = np.where(radius < 0.7, 700.0, 400.0) + 12 * rng.standard_normal(shape)
    field = smooth_field(rng, shape, SPACING, 70.0)
    brain = radius < 1
    field = np.exp(0.2 * field / field[brain].std())
    return np.where(brain, clean, 0.0), field / field[brain].mean(), brain


def spread(array: np.ndarray, where: np.ndarray) -> float:
    return float(array[where].std() / array[where].mean())


@pytest.fixture(scope="module")
def fitted() -> tuple[np.ndarray, np.ndarray, np.ndarray, BiasField]:
    """The scan without its field, with it, the brain, and the field that was found."""
    clean, field, brain = scan(np.random.default_rng(0))
    biased = clean * field
    return clean, biased, brain, fit_bias_field(biased, brain, SPACING)


Fitted = tuple[np.ndarray, np.ndarray, np.ndarray, BiasField]


def test_the_field_is_found_and_taken_out(fitted: Fitted) -> None:
    clean, biased, brain, found = fitted
    true = np.log(biased[brain] / clean[brain])
    assert np.corrcoef(np.log(found.field[brain]), true)[0, 1] > 0.9
    corrected = found.remove(biased)
    white = clean > 600
    assert spread(corrected, white) < 0.5 * spread(biased, white)
    assert corrected.dtype == np.float32


def test_what_is_taken_out_comes_back(fitted: Fitted) -> None:
    _, biased, _, found = fitted
    np.testing.assert_allclose(found.restore(found.remove(biased)), biased, atol=0.01)


def test_beyond_the_brain_the_field_stays_in_its_range(fitted: Fitted) -> None:
    _, _, brain, found = fitted
    inside = found.field[brain]
    assert found.field.min() >= inside.min() and found.field.max() <= inside.max()


def test_negative_intensities_count_from_below_the_darkest() -> None:
    clean, _, brain = scan(np.random.default_rng(3))
    found = fit_bias_field(clean - 500, brain, SPACING)
    assert found.zero < (clean - 500)[brain].min()
    assert np.abs(np.log(found.field)).max() < 0.1


def test_zero_is_where_intensities_count_from() -> None:
    found = BiasField(np.full((1, 1, 1), 2.0, np.float32), -10.0)
    assert found.remove(np.full((1, 1, 1), 30.0)).item() == 10.0
    assert found.restore(np.full((1, 1, 1), 10.0)).item() == 30.0
