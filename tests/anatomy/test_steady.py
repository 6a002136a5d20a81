"""Anatomies that were restored slice by slice, made to agree from slice to slice."""

from __future__ import annotations

import numpy as np

from disanat.anatomy.steady import steadied


def test_steadied_anatomies_are_probabilities_that_slices_share() -> None:
    rng = np.random.default_rng(0)
    anatomy = rng.dirichlet(np.ones(4), (12, 10, 10)).transpose(3, 0, 1, 2).astype(np.float32)
    steady = steadied(anatomy)
    assert steady.shape == anatomy.shape and steady.dtype == np.float32 and (steady >= 0).all()
    np.testing.assert_allclose(steady.sum(0), 1, atol=1e-5)
    between = [np.abs(np.diff(a, axis=1)).mean() for a in (anatomy, steady)]
    assert between[1] < 0.6 * between[0]


def test_borders_stay_where_they_are_and_insides_as_they_are() -> None:
    anatomy = np.zeros((3, 8, 8, 12), np.float32)
    anatomy[1, ..., :6] = anatomy[2, ..., 6:] = 1
    steady = steadied(anatomy)
    np.testing.assert_array_equal(steady.argmax(0), anatomy.argmax(0))
    np.testing.assert_allclose(steady[1, ..., :3], 1, atol=0.01)
    assert 0.05 < steady[2, 4, 4, 5] < 0.4
