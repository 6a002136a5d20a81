"""Brains brought onto one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from disanat.anatomy.registered import Stripped, atlas_picture, registered_picture


def stripped(miniature: Any, seed: int) -> Stripped:
    drawn = miniature.brain(seed, bias=0.0)
    return Stripped(drawn.image, drawn.labels > 0, drawn.spacing)


def test_a_shifted_brain_finds_its_way_back(miniature: Any) -> None:
    scan = stripped(miniature, 0)
    moved = Stripped(np.roll(scan.image, 2, 1), np.roll(scan.brain, 2, 1), scan.spacing)
    picture = registered_picture(moved, scan)
    inside = scan.brain
    assert (picture[~inside] == 0).all()
    there = np.corrcoef(picture[inside], scan.image[inside])[0, 1]
    before = np.corrcoef(moved.image[inside], scan.image[inside])[0, 1]
    assert there > 0.9 > before


def test_the_atlas_takes_place_and_histogram_of_the_scan(miniature: Any) -> None:
    scan = stripped(miniature, 1)
    picture = atlas_picture(scan)
    assert picture.shape == scan.image.shape and (picture[~scan.brain] == 0).all()
    quantiles = np.linspace(0.05, 0.95, 7)
    np.testing.assert_allclose(
        np.quantile(picture[scan.brain], quantiles),
        np.quantile(scan.image[scan.brain], quantiles),
        atol=4,
    )
