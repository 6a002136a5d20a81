"""Lesions filled with healthy tissue."""

from __future__ import annotations

import numpy as np
from mini_brains import make_brain
from scipy import ndimage

from disanat.inference.fill import fill_lesions

SIZE = {"shape": (80, 96, 80), "spacing": (2.0, 2.0, 2.0)}


def test_the_fill_is_like_the_untouched_scan() -> None:
    ill = make_brain(5, "flair", lesion=True, noise=4.0, **SIZE)
    well = make_brain(5, "flair", noise=4.0, **SIZE).image
    phi = make_brain(5, "flair", noise=0.0, bias=0.0, **SIZE).image * 1.07 + 3
    filled = fill_lesions(ill.image, phi, ill.lesion, ill.labels > 0, ill.spacing)
    before, after = (np.abs(one - well)[ill.lesion].mean() for one in (ill.image, filled))
    assert after < 0.1 * before
    away = ndimage.distance_transform_edt(~ill.lesion, sampling=ill.spacing) > 2
    np.testing.assert_array_equal(filled[away], ill.image[away])
