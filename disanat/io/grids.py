"""Grids of images: where their voxels lie, and the way to and from the canonical axes S, P, L."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError

__all__ = [
    "CANONICAL",
    "Geometry",
    "canonical_frame",
    "check_geometry",
    "image_like",
    "oblique",
    "same_grid",
]

CANONICAL = "LPS"
"""Orientation of the images whose arrays, read in reverse, have the axes S, P, L."""
_FINEST_MM, _COARSEST_MM = 0.02, 50.0
_LONGEST_MM, _FARTHEST_MM = 3000.0, 1e5
_SKEW = 0.01


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


def oblique(path: Path) -> ImageError:
    """The axes of an image are not at right angles."""
    return ImageError(
        f"{path} has direction axes that are not at right angles: resample it to an ordinary grid, "
        "or repair its header's qform and sform."
    )


def check_geometry(path: Path, geometry: Geometry) -> None:
    """No brain lies on a grid that is outside these bounds; its header is wrong.

    Raises:
        ImageError: the grid is outside them.
    """
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
    return sitk.DICOMOrient(blank, CANONICAL)


def image_like(array: np.ndarray, geometry: Geometry) -> sitk.Image:
    """A canonical array (axes S, P, L) as an image on the grid it came from.

    Raises:
        ImageError: the array does not fit the grid.
    """
    frame = canonical_frame(geometry)
    if array.shape != frame.GetSize()[::-1]:
        raise ImageError(
            f"An array of shape {array.shape} does not fit its scan, which has "
            f"{frame.GetSize()[::-1]}: give one on the scan's whole grid, axes S, P, L."
        )
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetDirection(frame.GetDirection())
    image = sitk.DICOMOrient(image, geometry.orientation)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image
