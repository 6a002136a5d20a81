"""A stripped brain, or the atlas, brought onto a scan: a picture that could stand for a PHI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from skimage.exposure import match_histograms

from disanat.anatomy.atlas_registration import (
    align,
    centred_image,
    coarse,
    moments_transform,
    warp,
)
from disanat.anatomy.template import load_atlas

__all__ = ["Stripped", "atlas_picture", "registered_picture"]

_FIT_MM = 3.0


@dataclass(frozen=True)
class Stripped:
    """A brain without its skull.

    `image` is 0 outside `brain` and, as a rule, above 0 inside, (S, P, L); spacing in mm.
    """

    image: np.ndarray
    brain: np.ndarray
    spacing: Sequence[float]


def registered_picture(moving: Stripped, scan: Stripped) -> np.ndarray:
    """One brain registered affinely to another (mutual information), with the other's histogram.

    Returns:
        float32 array on the scan's grid, 0 outside its brain.

    Raises:
        ImageError: the two cannot be brought together.
    """
    grid = centred_image(scan.image.astype(np.float32), scan.spacing)
    mask = centred_image(scan.brain, scan.spacing)
    small, small_mask = coarse(grid, _FIT_MM), coarse(mask, _FIT_MM, sitk.sitkNearestNeighbor)
    source = centred_image(moving.image.astype(np.float32), moving.spacing)
    inside = sitk.GetArrayFromImage(small_mask) > 0
    initial = moments_transform(inside, small, moving.brain, source)
    region = sitk.BinaryDilate(small_mask, [2, 2, 2])
    transform, _ = align(small, region, coarse(source, _FIT_MM), initial, shrink=(2, 1))
    warped = warp(source, grid, transform, sitk.sitkLinear)
    picture = np.zeros(scan.image.shape, np.float32)
    picture[scan.brain] = match_histograms(warped[scan.brain], scan.image[scan.brain])
    return picture


def atlas_picture(scan: Stripped) -> np.ndarray:
    """The atlas' T1 template in a scan's place and with its histogram; see `registered_picture`."""
    atlas = load_atlas()
    moving = Stripped(np.array(atlas.t1), np.array(atlas.brain > 0), atlas.spacing)
    return registered_picture(moving, scan)
