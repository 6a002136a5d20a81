"""How like a healthy scan its PHI is, beside other pictures that could stand for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from skimage.exposure import match_histograms
from skimage.metrics import structural_similarity

from disanat.anatomy.atlas_registration import (
    align,
    centred_image,
    coarse,
    moments_transform,
    warp,
)
from disanat.anatomy.template import load_atlas
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.intensity import fit_imaging
from held_out import HeldOut, Judged

__all__ = ["WAYS", "Likeness", "likeness", "similarities"]

_FIT_MM = 3.0
PHI, SUBJECT, ATLAS, BOUND = (
    "PHI",
    "another subject, affine",
    "atlas T1, affine",
    "decoder on the true anatomy",
)
WAYS = (PHI, SUBJECT, ATLAS, BOUND)


@dataclass(frozen=True)
class Likeness:
    """SSIM and mean absolute difference (SD of the brain), both over the brain's voxels."""

    ssim: float
    difference: float


def likeness(picture: np.ndarray, scan: np.ndarray, brain: np.ndarray) -> Likeness:
    """Compare a picture with a scan.

    Outside the brain both are set to the brain's mean, so that the outline, which all pictures are
    given, counts for little. SSIM's data range is that between the scan's 0.5th and 99.5th
    percentile in the brain, its window seven voxels wide.
    """
    low, high = np.percentile(scan[brain], (0.5, 99.5))
    mean = float(scan[brain].mean())
    pair = [np.where(brain, array, mean).astype(np.float32) for array in (picture, scan)]
    _, local = structural_similarity(*pair, data_range=float(high - low), full=True)
    return Likeness(float(local[brain].mean()), float(np.abs(picture - scan)[brain].mean()))


def similarities(judged: Judged, number: int, phi: np.ndarray) -> dict[str, Likeness]:
    """A case's PHI, another subject, the atlas and the decoder's bound against the scan."""
    case = judged.cases[number]
    other = judged.cases[(number + 1) % len(judged.cases)]
    atlas = load_atlas()
    pictures: dict[str, Callable[[], np.ndarray]] = {
        PHI: lambda: phi,
        SUBJECT: lambda: _registered(other.image - OUTSIDE, other.brain, other.spacing, case),
        ATLAS: lambda: _registered(np.array(atlas.t1), atlas.brain > 0, atlas.spacing, case),
        BOUND: lambda: _bound(judged, case),
    }
    if len(judged.cases) == 1:
        del pictures[SUBJECT]
    return {way: likeness(make(), case.image, case.brain) for way, make in pictures.items()}


def _registered(
    array: np.ndarray, brain: np.ndarray, spacing: tuple[float, float, float], case: HeldOut
) -> np.ndarray:
    """A stripped brain (0 outside) brought onto a case affinely, with the case's histogram."""
    grid = centred_image((case.image - OUTSIDE).astype(np.float32), case.spacing)
    mask = centred_image(case.brain, case.spacing)
    small, small_mask = coarse(grid, _FIT_MM), coarse(mask, _FIT_MM, sitk.sitkNearestNeighbor)
    moving = centred_image(array.astype(np.float32), spacing)
    initial = moments_transform(sitk.GetArrayFromImage(small_mask) > 0, small, brain, moving)
    region = sitk.BinaryDilate(small_mask, [2, 2, 2])
    transform, _ = align(small, region, coarse(moving, _FIT_MM), initial, shrink=(2, 1))
    warped = warp(moving, grid, transform, sitk.sitkLinear)
    picture = np.full(case.image.shape, OUTSIDE, np.float32)
    picture[case.brain] = match_histograms(warped[case.brain], case.image[case.brain])
    return picture


def _bound(judged: Judged, case: HeldOut) -> np.ndarray:
    """The best that the decoder can do: the label map in the scan's own imaging code."""
    scheme = judged.model.method.scheme
    true = np.eye(len(scheme) + 1, dtype=np.float32)[case.tissue]
    anatomy = np.ascontiguousarray(np.moveaxis(true, -1, 0))
    imaging = fit_imaging(case.image, anatomy, anatomy, case.spacing, scheme)
    return judged.painted(anatomy, imaging)
