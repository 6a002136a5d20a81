"""Reading images into one canonical orientation, and writing results back into the file's own.

Every array inside disanat has the axes S, P, L: index 0 grows towards superior, 1 towards
posterior, 2 towards the patient's left. Files may be stored in any orientation; what is written
lies voxel for voxel on the grid of the file it belongs to.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError
from disanat.home import atomic_path

__all__ = ["ENDINGS", "Geometry", "Scan", "read_labels", "read_scan", "same_grid", "write_like"]

ENDINGS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr")
_CANONICAL = "LPS"


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


def _read(path: Path) -> sitk.Image:
    if not path.exists():
        raise ImageError(f"{path} does not exist: check the path.")
    if path.is_dir():
        return _read_dicom(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as cause:
        if "rthonormal" in str(cause):
            raise ImageError(
                f"{path} has direction axes that are not at right angles: resample it to an "
                "ordinary grid, or repair its header's qform and sform."
            ) from cause
        reason = str(cause).strip().splitlines()[-1].split("Error:")[-1].strip()
        raise ImageError(
            f"{path} cannot be read as an image ({reason[:160]}): check that it is complete, and "
            f"of a format such as {', '.join(ENDINGS[:4])}."
        ) from cause
    return image


def _read_dicom(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise ImageError(
            f"{folder} holds {len(series)} DICOM series: give a folder with exactly one."
        )
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series[0]))
    try:
        return reader.Execute()
    except RuntimeError as cause:
        raise ImageError(
            f"The DICOM series in {folder} cannot be read: check that all its files are there."
        ) from cause


def _canonical(path: Path) -> tuple[sitk.Image, Geometry]:
    image = _read(path)
    size = image.GetSize()
    if image.GetDimension() == 4 and size[3] == 1:
        image = image[:, :, :, 0]
    elif image.GetDimension() == 3 and image.GetNumberOfComponentsPerPixel() == 1:
        pass
    else:
        raise ImageError(
            f"{path} is not a single 3D image (size {'x'.join(map(str, size))}, "
            f"{image.GetNumberOfComponentsPerPixel()} values per voxel): split it and give each "
            "contrast as a file of its own."
        )
    geometry = Geometry(
        image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()
    )
    return sitk.DICOMOrient(image, _CANONICAL), geometry


def _scan(path: Path, pixel_type: int) -> Scan:
    image, geometry = _canonical(path)
    array = sitk.GetArrayFromImage(sitk.Cast(image, pixel_type))
    x, y, z = image.GetSpacing()
    return Scan(array, (z, y, x), geometry, path)


def _damage_of_nifti(path: Path) -> int:
    """Number of NaN and infinite voxels; SimpleITK reads them, and what a cut file lacks, as 0.

    Raises:
        ImageError: the file is cut short.
    """
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return 0
    try:
        image: Any = nibabel.load(path)
        stored = image.dataobj.get_unscaled()
    except (nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError):
        return 0  # SimpleITK could read it, which decides
    except (EOFError, OSError, zlib.error) as cause:
        raise ImageError(
            f"{path} is cut short or damaged: copy it again, or export the scan again."
        ) from cause
    return int(stored.size - np.count_nonzero(np.isfinite(stored)))


def read_scan(path: Path) -> Scan:
    """Read one 3D image (a file, or a folder with one DICOM series) as float32.

    Raises:
        ImageError: unreadable, not 3D, holding NaN or infinity, or constant.
    """
    scan = _scan(path, sitk.sitkFloat32)
    bad = int(np.count_nonzero(~np.isfinite(scan.array))) or _damage_of_nifti(path)
    if bad:
        raise ImageError(
            f"{path} holds {bad} voxels that are NaN or infinite: replace them, "
            "or export the scan again."
        )
    if scan.array.size == 0 or scan.array.min() == scan.array.max():
        raise ImageError(
            f"{path} has the same value in every voxel, so there is nothing to see in it: "
            "export the scan again."
        )
    return scan


def read_labels(path: Path) -> Scan:
    """Read one 3D label map as int32.

    Raises:
        ImageError: unreadable, cut short or not 3D.
    """
    scan = _scan(path, sitk.sitkInt32)
    _damage_of_nifti(path)
    return scan


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


def write_like(array: np.ndarray, geometry: Geometry, path: Path) -> None:
    """Write a canonical array onto the grid it came from, in one piece.

    Args:
        array: axes S, P, L, as read by `read_scan` from a file of this geometry.
        geometry: the file's grid.
        path: where to write; the ending decides the format.

    Raises:
        ImageError: the array does not fit the grid, or the file cannot be written.
    """
    blank = sitk.Image(geometry.size, sitk.sitkUInt8)
    blank.SetDirection(geometry.direction)
    frame = sitk.DICOMOrient(blank, _CANONICAL)
    if array.shape != frame.GetSize()[::-1]:
        raise ImageError(
            f"{path} was to be written with shape {array.shape}, but its scan has "
            f"{frame.GetSize()[::-1]}: predict it again from the unchanged scan."
        )
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetDirection(frame.GetDirection())
    image = sitk.DICOMOrient(image, geometry.orientation)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as cause:
            raise ImageError(
                f"{path} cannot be written: check the folder's rights and free space."
            ) from cause
