"""DICOM files that hold a whole volume as frames (enhanced MR and its like)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError

__all__ = ["frame_order", "number_of_frames", "read_frames"]

_FRAMES = "NumberOfFrames"
_UNEVEN = 0.05
_CONVERT = "convert it to NIfTI with a tool that knows its kind, such as dcm2niix"
_ABSENT = (AttributeError, KeyError, IndexError, TypeError, ValueError)


def number_of_frames(path: Path) -> int:
    """How many frames a DICOM file holds; 1 for a single slice.

    Raises:
        ImageError: it is no DICOM file.
    """
    from pydicom import dcmread  # slow to import, and few commands meet DICOM

    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=[_FRAMES], force=True)
        return int(header.get(_FRAMES, 1) or 1)
    except Exception as cause:  # whatever its parser stumbles over in a damaged file
        raise ImageError(
            f"{path} cannot be read as a DICOM file: check that it is complete."
        ) from cause


def frame_order(path: Path) -> list[int]:
    """Numbers of the frames from the first slice to the last, as `read_frames` puts them."""
    return _places(path)[0]


def read_frames(path: Path) -> sitk.Image:
    """Read a file whose frames make up one volume, whatever their order in the file.

    Raises:
        ImageError: the frames make up several volumes, or none, or cannot be read.
    """
    order, spacing, origin, direction = _places(path)
    try:
        stored = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as cause:
        raise ImageError(f"{path} cannot be read as a DICOM file: {_CONVERT}.") from cause
    if stored.ndim != 3 or len(stored) != len(order):
        raise ImageError(f"{path} does not hold as many frames as it says: export it again.")
    image = sitk.GetImageFromArray(np.ascontiguousarray(stored[order]))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


def _places(path: Path) -> tuple[list[int], list[float], list[float], list[float]]:
    """Order of the frames along their normal, and the grid: spacing, origin, direction (ITK)."""
    groups = _groups(path)
    axes, pixels, places = (
        np.array([_numbers(path, group, *where) for group in groups])
        for where in (
            ("PlaneOrientation", "ImageOrientationPatient"),
            ("PixelMeasures", "PixelSpacing"),
            ("PlanePosition", "ImagePositionPatient"),
        )
    )
    if np.abs(axes - axes[0]).max() > 1e-3:
        raise ImageError(f"The frames of {path} are not parallel: {_CONVERT}.")
    if len({_scale(group) for group in groups}) > 1:
        raise ImageError(f"The frames of {path} have different scales: {_CONVERT}.")
    row, column = axes[0][:3], axes[0][3:]
    normal = np.cross(row, column)
    heights = places @ normal
    order = np.argsort(heights, kind="stable")
    step = _step(path, heights[order])
    beside = places - np.outer(heights, normal)
    if np.ptp(beside, axis=0).max() > 0.5 or np.ptp(pixels, axis=0).max() > 1e-3:
        raise ImageError(f"The frames of {path} do not lie above each other: {_CONVERT}.")
    spacing = [float(pixels[0][1]), float(pixels[0][0]), step]
    direction = np.stack([row, column, normal], axis=1).ravel().tolist()
    return [int(i) for i in order], spacing, places[order[0]].tolist(), direction


def _step(path: Path, heights: np.ndarray) -> float:
    """Distance of two slices in mm; heights are sorted."""
    counts = np.unique(np.round(heights, 2), return_counts=True)[1]
    if counts.max() > 1:
        raise ImageError(
            f"{path} holds {len(heights)} frames at {len(counts)} places, that is several volumes "
            "(times, echoes or directions): export one volume as a file of its own, or convert it "
            "to NIfTI and take one."
        )
    distances = np.diff(heights)
    usual = float(np.median(distances))
    if (np.abs(distances - usual) > _UNEVEN * usual).any():
        raise ImageError(
            f"The frames of {path} lie {distances.min():.3g} to {distances.max():.3g} mm apart, so "
            "that one is missing: export it again, complete."
        )
    return float((heights[-1] - heights[0]) / len(distances))


def _groups(path: Path) -> list[tuple[Any, Any]]:
    """For each frame what is said of it alone, and what is said of all."""
    from pydicom import dcmread  # as above

    try:
        header = dcmread(path, stop_before_pixels=True)
        shared = header.SharedFunctionalGroupsSequence[0]
        return [(own, shared) for own in header.PerFrameFunctionalGroupsSequence]
    except Exception as cause:  # the same
        raise _placeless(path) from cause


def _numbers(path: Path, groups: tuple[Any, Any], macro: str, name: str) -> list[float]:
    for group in groups:
        try:
            return [float(value) for value in group[f"{macro}Sequence"][0][name].value]
        except _ABSENT:
            continue
    raise _placeless(path)


def _scale(groups: tuple[Any, Any]) -> tuple[float, float]:
    for group in groups:
        try:
            item = group["PixelValueTransformationSequence"][0]
            return float(item.RescaleSlope), float(item.RescaleIntercept)
        except _ABSENT:
            continue
    return 1.0, 0.0


def _placeless(path: Path) -> ImageError:
    return ImageError(f"{path} holds frames without saying where each lies: {_CONVERT}.")
