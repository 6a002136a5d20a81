"""Reading images into one canonical orientation, and writing results back into the file's own.

Every array inside disanat has the axes S, P, L: index 0 grows towards superior, 1 towards
posterior, 2 towards the patient's left. Files may be stored in any orientation; what is written
lies voxel for voxel on the grid of the file it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError
from disanat.home import atomic_path
from disanat.io.grids import (
    CANONICAL,
    Geometry,
    canonical_frame,
    check_geometry,
    image_like,
    same_grid,
)
from disanat.io.integrity import check_file
from disanat.io.reading import ENDINGS, read_image

__all__ = [
    "ENDINGS",
    "Geometry",
    "Scan",
    "as_labels",
    "as_scan",
    "canonical_frame",
    "image_like",
    "in_canonical_axes",
    "is_constant",
    "read_geometry",
    "read_labels",
    "read_scan",
    "same_grid",
    "write_like",
]

_ROUNDING = 1e-3
"""What a whole number may lose when a label map is stored with a scale."""
_HIGHEST_LABEL = 2**31 - 1


@dataclass(frozen=True)
class Scan:
    """One 3D image in canonical orientation.

    `array` has the axes S, P, L and `spacing` their voxel sizes in mm; `geometry` is the grid of
    the file, to which `write_like` returns.
    """

    array: np.ndarray
    spacing: tuple[float, float, float]
    geometry: Geometry
    path: Path


def _canonical(path: Path) -> tuple[sitk.Image, Geometry, int]:
    image, bad = read_image(path)
    return (*in_canonical_axes(image, path), bad)


def in_canonical_axes(image: sitk.Image, path: Path) -> tuple[sitk.Image, Geometry]:
    """An image turned into the axes L, P, S, and the grid it had; `path` is for messages.

    Raises:
        ImageError: not 3D, or on a grid that cannot be.
    """
    size = image.GetSize()
    if image.GetDimension() == 4 and size[3] == 1:
        image = image[:, :, :, 0]
    elif image.GetDimension() == 3 and image.GetNumberOfComponentsPerPixel() == 1:
        pass
    else:
        raise _not_one_volume(path, image)
    if "complex" in image.GetPixelIDTypeAsString():
        raise ImageError(f"{path} holds complex numbers: give its magnitude as an image.")
    geometry = Geometry(
        image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    )
    check_geometry(path, geometry)
    return sitk.DICOMOrient(image, CANONICAL), geometry


def _not_one_volume(path: Path, image: sitk.Image) -> ImageError:
    size, parts = image.GetSize(), image.GetNumberOfComponentsPerPixel()
    seen = f"{path} is not a single 3D image (size {'x'.join(map(str, size))}"
    if len(size) == 4 and parts == 1:
        return ImageError(
            f"{seen}, that is {size[3]} volumes in one file): take one of them, or the mean of "
            "those that show the same, and give it as a file of its own."
        )
    return ImageError(
        f"{seen}, {parts} values per voxel): split it and give each contrast as a file of its own."
    )


def _stored(image: sitk.Image) -> np.ndarray:
    array: np.ndarray = sitk.GetArrayFromImage(image)
    return array


def _scan(array: np.ndarray, image: sitk.Image, geometry: Geometry, path: Path) -> Scan:
    x, y, z = image.GetSpacing()
    return Scan(array, (z, y, x), geometry, path)


def _refuse_nan(path: Path, bad: int) -> None:
    if bad:
        raise ImageError(
            f"{path} holds {bad} voxels that are NaN or infinite: replace them, "
            "or export the scan again."
        )


def read_scan(path: Path) -> Scan:
    """Read one 3D image (a file, or a folder with one DICOM series) as float32.

    Raises:
        ImageError: unreadable, damaged, not 3D, on a grid that cannot be, holding NaN or infinity,
            or constant.
    """
    return as_scan(*_canonical(path), path)


def as_scan(image: sitk.Image, geometry: Geometry, bad: int, path: Path) -> Scan:
    """What `in_canonical_axes` gave, as a scan; `bad` voxels are known to be no numbers.

    Raises:
        ImageError: it holds NaN or infinity, or is constant.
    """
    array = _stored(sitk.Cast(image, sitk.sitkFloat32))
    _refuse_nan(path, int(np.count_nonzero(~np.isfinite(array))) or bad)
    if array.min() == array.max():
        raise ImageError(
            f"{path} has the same value in every voxel, so there is nothing to see in it: "
            "export the scan again."
        )
    return _scan(array, image, geometry, path)


def read_labels(path: Path) -> Scan:
    """Read one 3D label map as int32.

    Raises:
        ImageError: unreadable, damaged, not 3D, on a grid that cannot be, or holding other values
            than whole numbers from 0.
    """
    return as_labels(*_canonical(path), path)


def as_labels(image: sitk.Image, geometry: Geometry, bad: int, path: Path) -> Scan:
    """What `in_canonical_axes` gave, as a label map.

    Raises:
        ImageError: it holds other values than whole numbers from 0.
    """
    array = _stored(image)
    if array.dtype.kind == "f":
        _refuse_nan(path, int(np.count_nonzero(~np.isfinite(array))) or bad)
        whole = np.rint(array)
        if np.abs(whole - array).max() > _ROUNDING:
            raise _no_labels(path, array.flat[np.abs(whole - array).argmax()])
        array = whole
    for extreme in (array.min(), array.max()):
        if not 0 <= extreme <= _HIGHEST_LABEL:
            raise _no_labels(path, extreme)
    return _scan(array.astype(np.int32), image, geometry, path)


def _no_labels(path: Path, value: np.generic) -> ImageError:
    return ImageError(
        f"{path} is no label map, for it holds the value {value:g}: give one with whole numbers "
        "from 0 on."
    )


def is_constant(path: Path) -> bool:
    """Whether an image has the same value in every voxel.

    Raises:
        ImageError: unreadable, damaged, not 3D, or on a grid that cannot be.
    """
    array = _stored(_canonical(path)[0])
    return bool(array.min() == array.max())


def read_geometry(path: Path) -> Geometry:
    """The grid of an image, whatever its voxels hold.

    Raises:
        ImageError: unreadable, damaged, not 3D, or on a grid that cannot be.
    """
    return _canonical(path)[1]


def write_like(array: np.ndarray, geometry: Geometry, path: Path) -> None:
    """Write a canonical array onto the grid it came from, in one piece.

    Args:
        array: axes S, P, L, as read by `read_scan` from a file of this geometry.
        geometry: the file's grid.
        path: where to write; the ending decides the format.

    Raises:
        ImageError: the array does not fit the grid, or the file cannot be written.
    """
    try:
        image = image_like(array, geometry)
    except ImageError as cause:
        raise ImageError(
            f"{path} was to be written with shape {array.shape}, but its scan has "
            f"{canonical_frame(geometry).GetSize()[::-1]}: predict it again from the unchanged "
            "scan."
        ) from cause
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as cause:
            raise ImageError(
                f"{path} cannot be written: check the folder's rights and free space."
            ) from cause
        _check_written(path, temporary)


def _check_written(path: Path, temporary: Path) -> None:
    """On a full disk SimpleITK writes a part of a NIfTI file and says nothing."""
    try:
        check_file(temporary, to_read=False)
    except ImageError as cause:
        raise ImageError(
            f"{path} could not be written in full: check the folder's free space."
        ) from cause
