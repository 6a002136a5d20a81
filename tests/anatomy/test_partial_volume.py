"""Partial volume inside the classes of a label map."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from disanat.anatomy.partial_volume import free_from_bias, set_partial_volume_apart
from disanat.tissues import EIGHT_CLASSES, TWELVE_CLASSES

NUMBER = {c.name: i for i, c in enumerate(TWELVE_CLASSES, start=1)}
LEVELS = {"outer_csf": -1.6, "cortical_grey": -0.3, "white": 0.8}
SPACING = (2.0, 2.0, 2.0)


def block(noise: float = 0.05, bias: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A label map of three slabs, its true tissue, and a scan of the latter.

    Cortex holds a sulcus and a blade of white matter; white matter a dark spot beside the cortex
    and one deep inside.
    """
    labels = np.zeros((16, 24, 30), np.uint8)
    labels[2:-2, 2:-2, 2:5] = NUMBER["outer_csf"]
    labels[2:-2, 2:-2, 5:11] = NUMBER["cortical_grey"]
    labels[2:-2, 2:-2, 11:-2] = NUMBER["white"]
    truth = labels.copy()
    truth[4:12, 8:10, 5:9] = NUMBER["outer_csf"]
    truth[4:12, 14:16, 9:11] = NUMBER["white"]
    truth[5:9, 4:6, 11:13] = NUMBER["cortical_grey"]
    truth[5:9, 4:6, 20:24] = NUMBER["cortical_grey"]
    table = np.full(9, -4.0)
    for name, level in LEVELS.items():
        table[NUMBER[name]] = level
    slope = bias * (np.arange(24)[:, None] - 12) / 12
    draw = np.random.default_rng(0).normal(0, noise, labels.shape)
    return labels, truth, (table[truth] + (truth > 0) * (draw + slope)).astype(np.float32)


@pytest.mark.parametrize("bias", [0.0, 0.25])
def test_a_scan_tells_sulci_and_blades_of_white_matter_apart(bias: float) -> None:
    labels, truth, image = block(bias=bias)
    found = set_partial_volume_apart(labels, [image], SPACING, TWELVE_CLASSES)
    cortex, white = labels == NUMBER["cortical_grey"], labels == NUMBER["white"]
    np.testing.assert_array_equal(
        found == NUMBER["sulci"], cortex & (truth == NUMBER["outer_csf"])
    )
    np.testing.assert_array_equal(
        found == NUMBER["light_cortex"], cortex & (truth == NUMBER["white"])
    )
    dark = white & (truth == NUMBER["cortical_grey"])
    near, deep = dark.copy(), dark.copy()
    near[:, :, 15:], deep[:, :, :15] = False, False
    assert (found[near] == NUMBER["dark_white"]).all() and near.any()
    assert (found[deep] == NUMBER["white"]).all() and deep.any()
    untouched = found == labels
    assert (untouched | cortex | white).all()


def test_of_two_channels_the_clearer_one_decides() -> None:
    labels, _, image = block()
    blurred = block(noise=1.5)[2]
    alone = set_partial_volume_apart(labels, [image], SPACING, TWELVE_CLASSES)
    both = set_partial_volume_apart(labels, [blurred, image], SPACING, TWELVE_CLASSES)
    np.testing.assert_array_equal(both, alone)


def test_a_scan_that_shows_no_difference_moves_nothing() -> None:
    labels = block()[0]
    flat = np.random.default_rng(1).normal(0, 1, labels.shape).astype(np.float32)
    found = set_partial_volume_apart(labels, [flat], SPACING, TWELVE_CLASSES)
    np.testing.assert_array_equal(found, labels)


def test_schemes_without_partial_volume_stay_as_they_are() -> None:
    labels, _, image = block()
    found = set_partial_volume_apart(labels, [image], SPACING, EIGHT_CLASSES)
    np.testing.assert_array_equal(found, labels)


def test_the_smooth_field_is_taken_away() -> None:
    labels, _, even = block(noise=0.0)
    _, _, uneven = block(noise=0.0, bias=0.4)
    inside = labels > 0
    before = (uneven - even)[inside].std()
    coarse = (6.0, 6.0, 6.0)
    after = free_from_bias(uneven, labels, coarse) - free_from_bias(even, labels, coarse)
    assert after[inside].std() < 0.6 * before


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 1.0), (0.7, 1.3, 5.0)])
def test_dark_white_matter_lies_within_4_mm_of_the_cortex(
    spacing: tuple[float, float, float],
) -> None:
    """White matter as dark as cortex: the map of all distances says which of it may be moved."""
    labels = np.full((20, 24, 30), NUMBER["white"], np.uint8)
    labels[:2], labels[:, :3, 20:] = NUMBER["cortical_grey"], NUMBER["cortical_grey"]
    white = labels == NUMBER["white"]
    draw = np.random.default_rng(2).normal(0, 0.05, labels.shape)
    dark = white & (np.random.default_rng(3).random(labels.shape) < 0.2)
    level = np.where(white & ~dark, LEVELS["white"], LEVELS["cortical_grey"])
    image = (level + draw).astype(np.float32)
    found = set_partial_volume_apart(labels, [image], spacing, TWELVE_CLASSES)
    near = distance_transform_edt(white, sampling=spacing) <= 4
    np.testing.assert_array_equal(found == NUMBER["dark_white"], dark & near)
