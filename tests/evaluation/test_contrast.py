"""The contrast of lesions: known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.evaluation.contrast import lesion_contrasts

SHAPE = (24, 24, 24)
SD = 10.0


def brain_image() -> np.ndarray:
    """Noise of a known SD, its robust SD within 2% of that."""
    return np.random.default_rng(0).normal(100.0, SD, SHAPE)


def labelled(*boxes: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(SHAPE, int)
    for number, (start, stop) in enumerate(boxes, 1):
        labels[start:stop, 10:14, 10:14] = number
    return labels


def test_the_gap_of_medians_in_robust_sds_with_its_sign() -> None:
    labels, brain = labelled((4, 8), (14, 18)), np.ones(SHAPE, bool)
    image = brain_image()
    image[labels == 1], image[labels == 2] = 130.0, 85.0
    found = lesion_contrasts([image], labels, 2, brain, (1, 1, 1))
    assert found == pytest.approx([30 / SD, -15 / SD], abs=0.15)


def test_the_brain_around_it_is_not_what_is_far_or_another_lesion_or_outside() -> None:
    labels, brain = labelled((4, 8), (9, 13)), np.zeros(SHAPE, bool)
    brain[2:16, 6:18, 6:18] = True
    image = brain_image()
    image[~brain] = 9999.0
    image[labels > 0] = 130.0
    far = brain.copy()
    far[:, 5:19, 5:19] = False
    found = lesion_contrasts([image], labels, 2, brain, (1, 1, 1))
    assert found == pytest.approx([30 / SD] * 2, abs=0.15)


def test_of_several_channels_the_one_that_shows_it_best() -> None:
    labels, brain = labelled((4, 8)), np.ones(SHAPE, bool)
    faint, dark = brain_image(), brain_image()
    faint[labels == 1], dark[labels == 1] = 101.0, 60.0
    (found,) = lesion_contrasts([faint, dark], labels, 1, brain, (1, 1, 1))
    assert found == pytest.approx(-40 / SD, abs=0.15)


def test_thick_slices_have_a_shell_in_the_plane() -> None:
    labels, brain = labelled((4, 5)), np.ones(SHAPE, bool)
    image = brain_image()
    image[3], image[5] = 0.0, 0.0  # 7 mm away: no part of it
    image[labels == 1] = 130.0
    (found,) = lesion_contrasts([image], labels, 1, brain, (7.0, 1.0, 1.0))
    assert found == pytest.approx(30 / SD, abs=0.4)


def test_what_cannot_be_known_is_none() -> None:
    labels, brain = labelled((4, 8)), np.ones(SHAPE, bool)
    assert lesion_contrasts([], labels, 1, brain, (1, 1, 1)) == [None]
    assert lesion_contrasts([brain_image()], labels, 1, labels == 1, (1, 1, 1)) == [None]
    assert lesion_contrasts([brain_image()], labels, 1, labels == 0, (1, 1, 1)) == [None]
    assert lesion_contrasts([np.ones(SHAPE)], labels, 1, brain, (1, 1, 1)) == [None]
    assert lesion_contrasts([brain_image()], labelled(), 0, brain, (1, 1, 1)) == []
