"""Smooth random fields."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.synthesis.fields import blur, smooth_field


def test_mean_deviation_and_type() -> None:
    rng = np.random.default_rng(0)
    fields = np.stack([smooth_field(rng, (30, 30, 30), (1, 1, 1), 5.0) for _ in range(20)])
    assert fields.dtype == np.float32 and fields.shape == (20, 30, 30, 30)
    assert abs(fields.mean()) < 0.05
    # Linear interpolation between knots: 8/27 of the knots' variance where it is least, 1 on them.
    assert 0.4 < fields.std() < 0.8


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (4.0, 1.0, 2.0)])
def test_neighbours_a_millimetre_apart_resemble(spacing: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(1)
    field = smooth_field(rng, (12, 40, 24), spacing, 20.0)
    for axis, mm in enumerate(spacing):
        step = np.abs(np.diff(field, axis=axis)).max()
        assert step <= 8.0 * mm / 20.0


def test_the_same_seed_gives_the_same_field() -> None:
    fields = [smooth_field(np.random.default_rng(3), (5, 6, 7), (1, 1, 1), 3.0) for _ in range(2)]
    np.testing.assert_array_equal(*fields)


def test_blur_is_measured_in_mm_and_leaves_thick_slices_alone() -> None:
    point = np.zeros((9, 41, 41))
    point[4, 20, 20] = 1
    blurred = blur(point, 1.5, (9.0, 0.5, 1.0))
    assert blurred[3].max() == 0 and blurred.sum() == pytest.approx(1, abs=1e-6)
    at = np.arange(41) - 20
    widths = [np.sqrt((blurred.sum((0, other)) * at**2).sum()) for other in (2, 1)]
    assert widths[0] * 0.5 == pytest.approx(1.5, rel=0.06)
    assert widths[1] * 1.0 == pytest.approx(1.5, rel=0.06)
