"""Synthetic lesions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from disanat.synthesis.lesions import Lesion, draw_lesion


@pytest.fixture(scope="module")
def drawn(miniature: Any) -> tuple[np.ndarray, list[Lesion | None]]:
    labels = miniature.brain(0).labels
    rng = np.random.default_rng(0)
    return labels, [draw_lesion(rng, labels, labels == 3, (4, 4, 4)) for _ in range(60)]


def test_about_a_third_has_none(drawn: tuple[np.ndarray, list[Lesion | None]]) -> None:
    none = sum(lesion is None for lesion in drawn[1])
    assert 10 <= none <= 32


def test_nothing_lies_outside_the_brain(drawn: tuple[np.ndarray, list[Lesion | None]]) -> None:
    labels, lesions = drawn
    for lesion in filter(None, lesions):
        assert lesion.mask.dtype == bool and lesion.mask.any()
        assert not lesion.mask[labels == 0].any()
        for part in lesion.compartments:
            assert part.weight.shape == labels.shape
            assert part.weight.min() >= 0 and part.weight.max() <= 1
            assert (part.weight[labels == 0] == 0).all()
            assert 0 <= part.water <= 0.9 and 0.2 <= part.t1_factor <= 1


def test_the_mask_is_what_is_at_least_half_filled(
    drawn: tuple[np.ndarray, list[Lesion | None]],
) -> None:
    for lesion in filter(None, drawn[1]):
        filled = np.max([p.weight for p in lesion.compartments], axis=0)
        np.testing.assert_array_equal(lesion.mask, filled >= 0.5)


def test_sizes_span_small_and_large(drawn: tuple[np.ndarray, list[Lesion | None]]) -> None:
    sizes = [lesion.mask.sum() * 0.064 for lesion in filter(None, drawn[1])]
    assert min(sizes) < 2 and max(sizes) > 30


def test_no_brain_no_lesion() -> None:
    empty = np.zeros((8, 8, 8), np.uint8)
    rng = np.random.default_rng(0)
    assert all(draw_lesion(rng, empty, empty > 0, (1, 1, 1)) is None for _ in range(10))
