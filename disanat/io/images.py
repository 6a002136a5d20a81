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
from disanat.io.integrity import check_file
from disanat.io.reading import ENDINGS, oblique, read_image

__all__ = [
    "ENDINGS",
    "Geometry",
    "Scan",
    "canonical_frame",
    "image_like",
    "is_constant",
    "read_geometry",
    "read_labels",
    "read_scan",
    "same_grid",
    "write_like",
]

_CANONICAL = "LPS"
_FINEST_MM, _COARSEST_MM = 0.02, 50.0
_LONGEST_MM, _FARTHEST_MM = 3000.0, 1e5
_SKEW = 0.01
_ROUNDING = 1e-3
"""What a whole number may lose when a label map is stored with a scale."""
_HIGHEST_LABEL = 2**31 - 1


@dataclass(frozen=True)
class Geometry:
    """The grid of a file as SimpleITK states it (axes x, y, z of the file; mm)."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @property
    def orientation(self) -> str:
        """Three letters: towards which side of the patient each axis of the file grows."""
        return str(sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(self.direction))


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
    _check_geometry(path, geometry)
    return sitk.DICOMOrient(image, _CANONICAL), geometry, bad


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


def _check_geometry(path: Path, geometry: Geometry) -> None:
    """No brain lies on a grid that is outside these bounds; its header is wrong."""
    axes = np.reshape(geometry.direction, (3, 3))
    if not np.abs(axes.T @ axes - np.eye(3)).max() < _SKEW:
        raise oblique(path)
    spacing = np.array(geometry.spacing)
    plausible = ((spacing >= _FINEST_MM) & (spacing <= _COARSEST_MM)).all()
    if not plausible or (spacing * geometry.size).max() > _LONGEST_MM:
        raise ImageError(
            f"{path} has {'x'.join(map(str, geometry.size))} voxels of "
            f"{' x '.join(f'{s:.3g}' for s in spacing)} mm, which cannot be: correct the voxel "
            "size or the unit of length in its header."
        )
    if not (np.abs(geometry.origin) <= _FARTHEST_MM).all():
        raise ImageError(
            f"{path} has its first voxel at ({', '.join(f'{o:.3g}' for o in geometry.origin)}) mm, "
            "which cannot be: correct the origin in its header."
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
    image, geometry, bad = _canonical(path)
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
    image, geometry, bad = _canonical(path)
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


def same_grid(a: Geometry, b: Geometry, tolerance_mm: float = 0.1) -> bool:
    """Whether two files have the same voxels at the same places (all corners within tolerance)."""
    if a.size != b.size:
        return False

    def corners(g: Geometry) -> np.ndarray:
        steps = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
        index = steps * (np.array(g.size) - 1)
        axes = np.reshape(g.direction, (3, 3)) * np.array(g.spacing)
        return np.asarray(index @ axes.T + np.array(g.origin))

    return float(np.abs(corners(a) - corners(b)).max()) <= tolerance_mm


def canonical_frame(geometry: Geometry) -> sitk.Image:
    """An empty image on a file's canonical grid: from indices L, P, S to places in mm."""
    blank = sitk.Image(geometry.size, sitk.sitkUInt8)
    blank.SetSpacing(geometry.spacing)
    blank.SetOrigin(geometry.origin)
    blank.SetDirection(geometry.direction)
    return sitk.DICOMOrient(blank, _CANONICAL)


def write_like(array: np.ndarray, geometry: Geometry, path: Path) -> None:
    """Write a canonical array onto the grid it came from, in one piece.

    Args:
        array: axes S, P, L, as read by `read_scan` from a file of this geometry.
        geometry: the file's grid.
        path: where to write; the ending decides the format.

    Raises:
        ImageError: the array does not fit the grid, or the file cannot be written.
    """
    frame = canonical_frame(geometry)
    if array.shape != frame.GetSize()[::-1]:
        raise ImageError(
            f"{path} was to be written with shape {array.shape}, but its scan has "
            f"{frame.GetSize()[::-1]}: predict it again from the unchanged scan."
        )
    image = image_like(array, geometry)
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as cause:
            raise ImageError(
                f"{path} cannot be written: check the folder's rights and free space."
            ) from cause
        _check_written(path, temporary)


def image_like(array: np.ndarray, geometry: Geometry) -> sitk.Image:
    """A canonical array (axes S, P, L) as an image on the grid it came from.

    Raises:
        ImageError: the array does not fit the grid.
    """
    frame = canonical_frame(geometry)
    if array.shape != frame.GetSize()[::-1]:
        raise ImageError(
            f"An array of shape {array.shape} does not fit its scan, which has "
            f"{frame.GetSize()[::-1]}: predict it again from the unchanged scan."
        )
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetDirection(frame.GetDirection())
    image = sitk.DICOMOrient(image, geometry.orientation)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


def _check_written(path: Path, temporary: Path) -> None:
    """On a full disk SimpleITK writes a part of a NIfTI file and says nothing."""
    try:
        check_file(temporary, to_read=False)
    except ImageError as cause:
        raise ImageError(
            f"{path} could not be written in full: check the folder's free space."
        ) from cause
