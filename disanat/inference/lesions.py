"""The single lesions of a mask: where each lies, how large it is, how sure the map is of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from disanat.io.images import Geometry, canonical_frame

__all__ = ["FoundLesion", "find_lesions"]


@dataclass(frozen=True)
class FoundLesion:
    """One 26-connected component of a lesion mask; a row of `lesions.csv`.

    The centroid is in mm in the patient's coordinates as DICOM and ITK have them: `x_mm` grows to
    the left, `y_mm` to the back, `z_mm` to the top. `region` is the tissue that most of its voxels
    have in the restored anatomy; empty where the method restores none. `peak` and `mean` are in
    units of the anomaly map.
    """

    number: int
    volume_ml: float
    x_mm: float
    y_mm: float
    z_mm: float
    region: str
    peak: float
    mean: float


def find_lesions(
    mask: np.ndarray,
    anomaly: np.ndarray,
    anatomy: np.ndarray | None,
    geometry: Geometry,
    classes: Sequence[str],
) -> tuple[FoundLesion, ...]:
    """Take a lesion mask apart, largest lesion first.

    Args:
        mask: bool, axes S, P, L.
        anomaly: the anomaly map, same shape.
        anatomy: class numbers of the restored anatomy, 0 where there is none, same shape; or None.
        geometry: grid of the scan's file.
        classes: names of the classes from 1 on.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3), bool))
    if count == 0:
        return ()
    frame = canonical_frame(geometry)
    voxel_ml = float(np.prod(geometry.spacing)) / 1000
    places = np.nonzero(mask)  # few voxels beside the whole grid's
    of_voxel = labels[places] - 1
    sizes = np.bincount(of_voxel, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    values = anomaly[places]
    peaks = np.full(count, -np.inf, values.dtype)
    np.maximum.at(peaks, of_voxel, values)
    means = np.bincount(of_voxel, values, count) / sizes
    centres = np.stack([np.bincount(of_voxel, axis, count) / sizes for axis in places], 1)
    named = None if anatomy is None else anatomy[places]
    regions = _regions(of_voxel, named, count, classes)
    return tuple(
        FoundLesion(
            number,
            round(float(sizes[i]) * voxel_ml, 4),
            *_place(frame, centres[i]),
            regions[i],
            round(float(peaks[i]), 3),
            round(float(means[i]), 3),
        )
        for number, i in enumerate(order, start=1)
    )


def _place(frame: sitk.Image, centre: Sequence[float]) -> tuple[float, float, float]:
    index = [float(c) for c in reversed(centre)]  # an image's index is x, y, z
    x, y, z = frame.TransformContinuousIndexToPhysicalPoint(index)
    return round(x, 2), round(y, 2), round(z, 2)


def _regions(
    of_voxel: np.ndarray, anatomy: np.ndarray | None, count: int, classes: Sequence[str]
) -> list[str]:
    """The class that most voxels of each lesion have; both arrays hold the mask's voxels, flat."""
    if anatomy is None:
        return [""] * count
    inside = anatomy > 0
    votes = np.zeros((count, len(classes) + 1), int)
    np.add.at(votes, (of_voxel[inside], anatomy[inside]), 1)
    return [classes[int(v.argmax()) - 1] if v.any() else "" for v in votes]
