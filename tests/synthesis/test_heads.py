"""Rendered whole heads."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.synthesis.heads import BONE, OUTER, HeadMap, draw_head

SHAPE = (32, 48, 32)


@pytest.fixture(scope="module")
def head() -> HeadMap:
    """Shells of scalp and bone around a ball of grey and white matter, at 3 mm."""
    axes = np.ogrid[-40:40, -40:40, -40:40]
    radius = 3.0 * np.sqrt(sum(a.astype(float) ** 2 for a in axes))
    codes = np.select(
        [radius < 50, radius < 66, radius < 70, radius < 77, radius < 85], [4, 3, 1, BONE, OUTER], 0
    ).astype(np.uint8)
    return HeadMap(codes, radius < 70, (3.0, 3.0, 3.0))


def test_shapes_ranges_and_a_target_of_shares(head: HeadMap) -> None:
    rng = np.random.default_rng(0)
    for _ in range(6):
        sample = draw_head(rng, head, SHAPE, 6.0)
        assert sample.image.shape == sample.target.shape == sample.seen.shape == SHAPE
        assert sample.image.dtype == sample.target.dtype == np.float32
        assert np.isfinite(sample.image).all() and sample.image.min() >= 0
        assert sample.fine_target.shape == tuple(2 * n for n in SHAPE)
        shares = sample.fine_target.reshape(32, 2, 48, 2, 32, 2).mean((1, 3, 5))
        np.testing.assert_allclose(sample.target, shares, atol=1e-6)


def test_the_target_is_as_large_as_the_brain(head: HeadMap) -> None:
    rng = np.random.default_rng(1)
    litres = [draw_head(rng, head, SHAPE, 6.0).target.sum() * 6**3 / 1e6 for _ in range(30)]
    assert np.median(litres) == pytest.approx(head.brain.sum() * 27 / 1e6, rel=0.25)
    assert np.std(litres) > 0.1


def test_the_same_seed_gives_the_same_head_and_another_seed_another(head: HeadMap) -> None:
    first, again, other = (
        draw_head(np.random.default_rng(seed), head, SHAPE, 6.0) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.target, again.target)
    assert np.abs(first.target - other.target).max() > 0.5


def test_the_centre_is_that_of_the_brain(head: HeadMap) -> None:
    np.testing.assert_allclose(head.centre_mm, (120, 120, 120), atol=0.5)
