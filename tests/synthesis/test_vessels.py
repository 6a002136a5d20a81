"""Healthy vessels that stand out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from disanat.synthesis.vessels import draw_level, draw_vessels
from disanat.tissues import EIGHT_CLASSES, THREE_CLASSES, TWELVE_CLASSES

SPACING = (4.0, 4.0, 4.0)
MM = (2.0, 2.0, 2.0)
Drawn = tuple[np.ndarray, list[np.ndarray | None]]


@pytest.fixture(scope="module")
def drawn(miniature: Any) -> Drawn:
    labels = miniature.brain(0).labels
    rng = np.random.default_rng(0)
    nowhere = labels < 0
    return labels, [draw_vessels(rng, labels, THREE_CLASSES, SPACING, nowhere) for _ in range(60)]


def test_two_blocks_in_five_have_none(drawn: Drawn) -> None:
    assert 12 <= sum(vessels is None for vessels in drawn[1]) <= 38


def test_shares_of_the_voxels(drawn: Drawn) -> None:
    labels, all_vessels = drawn
    for vessels in filter(lambda v: v is not None, all_vessels):
        assert vessels.shape == labels.shape and vessels.dtype == np.float32
        assert vessels.min() >= 0 and 0 < vessels.max() <= 1


def test_deep_tissue_has_none(drawn: Drawn) -> None:
    labels, all_vessels = drawn
    deep = ndimage.binary_erosion(labels > 1, iterations=3)
    assert deep.any()
    for vessels in filter(lambda v: v is not None, all_vessels):
        assert vessels[deep].max() < 0.1


def test_they_are_small_and_mostly_where_fluid_or_the_rim_is(drawn: Drawn) -> None:
    labels, all_vessels = drawn
    near = (labels <= 1) | ~ndimage.binary_erosion(labels > 1)
    for vessels in filter(lambda v: v is not None, all_vessels):
        assert vessels[near].sum() > 0.9 * vessels.sum()
        assert (vessels > 0.5).sum() < 0.5 * (labels > 0).sum()


def test_the_ventricles_hold_a_plexus_at_times() -> None:
    labels = np.full((5, 40, 40), 4, np.uint8)
    labels[:, :2] = labels[:, -2:] = labels[:, :, :2] = labels[:, :, -2:] = 0
    labels[:, 15:25, 15:25] = 2
    rng = np.random.default_rng(1)
    several = [draw_vessels(rng, labels, TWELVE_CLASSES, MM, labels < 0) for _ in range(30)]
    inner = [v[labels == 2].max() > 0.3 for v in several if v is not None]
    assert any(inner) and not all(inner)


def test_a_sinus_lies_in_the_midline() -> None:
    labels = np.zeros((5, 60, 60), np.uint8)
    labels[:, 8:52, 8:52] = 4
    rng = np.random.default_rng(2)
    several = [draw_vessels(rng, labels, EIGHT_CLASSES, MM, labels < 0) for _ in range(80)]
    total = np.sum([v > 0.5 for v in several if v is not None], axis=(0, 1, 2))
    assert total[26:34].mean() > 3 * total[10:24].mean()


def test_the_midline_of_sagittal_slices() -> None:
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[6:34, 6:34, 6:34] = 4
    rng = np.random.default_rng(2)
    several = [draw_vessels(rng, labels, EIGHT_CLASSES, MM, labels < 0, 0) for _ in range(40)]
    total = np.sum([v > 0.5 for v in several if v is not None], axis=(0, 2, 3))
    assert total[18:22].mean() > 2 * total[8:16].mean()


def test_a_taller_block_has_more() -> None:
    def volume(depth: int) -> float:
        labels = np.zeros((depth, 40, 40), np.uint8)
        labels[:, 6:34, 6:34] = 4
        rng = np.random.default_rng(3)
        several = [draw_vessels(rng, labels, EIGHT_CLASSES, MM, labels < 0) for _ in range(40)]
        return float(np.mean([0 if v is None else v.sum() for v in several]))

    assert volume(60) > 3 * volume(5)


def test_a_lesion_holds_none(drawn: Drawn) -> None:
    labels, all_vessels = drawn
    lesion = np.zeros(labels.shape, bool)
    lesion[:, : labels.shape[1] // 2] = True
    rng = np.random.default_rng(0)
    for plain in all_vessels:
        spared = draw_vessels(rng, labels, THREE_CLASSES, SPACING, lesion)
        assert (spared is None) == (plain is None)
        if spared is not None and plain is not None:
            assert not spared[lesion].any()
            np.testing.assert_array_equal(spared[~lesion], plain[~lesion])


def test_a_block_without_brain_has_none() -> None:
    empty = np.zeros((5, 20, 20), np.uint8)
    rng = np.random.default_rng(4)
    several = [draw_vessels(rng, empty, EIGHT_CLASSES, MM, empty > 0) for _ in range(20)]
    assert several == [None] * 20


@pytest.mark.parametrize("t1_like", [True, False])
def test_blood_is_bright_in_t1_dark_elsewhere_or_does_not_stand_out(t1_like: bool) -> None:
    rng = np.random.default_rng(5)
    levels = [draw_level(rng, t1_like) for _ in range(400)]
    shown = np.array([level for level in levels if level is not None])
    assert 0.5 < len(shown) / len(levels) < 0.7
    assert np.all((np.abs(shown) >= 1) & (shown <= 6) & (shown >= -3.5))
    bright = (shown > 0).mean()
    assert 0.75 < bright < 0.95 if t1_like else 0.15 < bright < 0.35
