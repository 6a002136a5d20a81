"""How like a healthy scan its PHI is, beside other pictures that could stand for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

from disanat.anatomy.registered import Stripped, atlas_picture, registered_picture
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.intensity import fit_imaging
from held_out import HeldOut, Judged

__all__ = ["WAYS", "Likeness", "likeness", "similarities"]

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
    pictures: dict[str, Callable[[], np.ndarray]] = {
        PHI: lambda: phi,
        SUBJECT: lambda: registered_picture(_stripped(other), _stripped(case)) + OUTSIDE,
        ATLAS: lambda: atlas_picture(_stripped(case)) + OUTSIDE,
        BOUND: lambda: _bound(judged, case),
    }
    if len(judged.cases) == 1:
        del pictures[SUBJECT]
    return {way: likeness(make(), case.image, case.brain) for way, make in pictures.items()}


def _stripped(case: HeldOut) -> Stripped:
    return Stripped(case.image - OUTSIDE, case.brain, case.spacing)


def _bound(judged: Judged, case: HeldOut) -> np.ndarray:
    """The best that the decoder can do: the label map in the scan's own imaging code."""
    scheme = judged.model.method.scheme
    true = np.eye(len(scheme) + 1, dtype=np.float32)[case.tissue]
    anatomy = np.ascontiguousarray(np.moveaxis(true, -1, 0))
    imaging = fit_imaging(case.image, anatomy, anatomy, case.spacing, scheme)
    return judged.painted(anatomy, imaging)
