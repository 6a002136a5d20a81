"""Stripped or not, and which voxels of a stripped scan are brain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from disanat.preprocessing.brain_mask import (
    close_mask,
    stripped_background,
    stripped_brain_mask,
)

SPACING = (4.0, 4.0, 4.0)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize("background", [0.0, -1.7, 1024.0])
def test_stripped_with_any_background(miniature: Any, background: float) -> None:
    brain = miniature.brain(0)
    image = np.where(brain.labels > 0, brain.image, np.float32(background)).astype(np.float32)
    found = stripped_background(image, SPACING)
    assert found == pytest.approx(background)
    assert dice(stripped_brain_mask(image, found), brain.labels > 0) > 0.99


def test_a_tight_crop_is_stripped_if_small_enough_for_a_brain(miniature: Any) -> None:
    brain = miniature.brain(0)
    box = tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(brain.labels))
    crop = brain.image[box]
    assert 0.4 < (crop == 0).mean() < 0.5
    assert stripped_background(crop, SPACING) == 0
    assert stripped_background(crop, (8.0, 8.0, 8.0)) is None


@pytest.mark.parametrize("share_of_zeros", [0.0, 0.35])
def test_whole_heads_are_not_stripped(share_of_zeros: float) -> None:
    """Noise in the air; in some scans a part of it, at the borders, is exactly 0."""
    rng = np.random.default_rng(0)
    head = np.abs(rng.normal(0, 5, (40, 48, 40)))
    head[6:, 6:42, 5:35] += 100
    head[: int(40 * share_of_zeros)] = 0
    assert stripped_background(head.astype(np.float32), (6.0, 6.0, 6.0)) is None


def test_ringing_around_the_brain_is_not_brain(miniature: Any) -> None:
    brain = miniature.brain(1)
    rng = np.random.default_rng(0)
    ringing = np.where(rng.random(brain.labels.shape) < 0.2, rng.normal(0, 0.1, ()), 0)
    image = np.where(brain.labels > 0, brain.image, ringing).astype(np.float32)
    assert dice(stripped_brain_mask(image, 0.0), brain.labels > 0) > 0.99


def test_specks_and_holes() -> None:
    image = np.zeros((20, 20, 20), np.float32)
    image[4:16, 4:16, 4:16] = 50
    image[9:11, 9:11, 9:11] = 0
    image[0, 0, 0] = image[1:3, 17:19, 17:19] = 50
    mask = stripped_brain_mask(image, 0.0)
    assert mask[9:11, 9:11, 9:11].all() and not mask[:4].any()
    assert 0 <= 12**3 - mask.sum() <= 8  # opening takes the corners


def test_closing_is_measured_in_mm() -> None:
    mask = np.zeros((21, 21, 21), bool)
    mask[4:17, 4:17, 4:9] = mask[4:17, 4:17, 12:17] = True
    assert close_mask(mask, (1.0, 1.0, 1.0), 3.0)[10, 10, 9:12].all()
    assert not close_mask(mask, (1.0, 1.0, 3.0), 3.0)[10, 10, 9:12].any()


def test_a_head_in_black_air_is_not_stripped() -> None:
    """A large field of view may be mostly zero although face and neck are in it."""
    grid = np.indices((60, 60, 60)) - 29.5
    head = (np.linalg.norm(grid, axis=0) < 22).astype(np.float32) * 100
    head += np.random.default_rng(0).uniform(0, 5, head.shape).astype(np.float32) * (head > 0)
    assert np.mean(head == 0) > 0.5
    assert stripped_background(head, (4.0, 4.0, 4.0)) is None
    assert stripped_background(head, (2.0, 2.0, 2.0)) == 0.0
