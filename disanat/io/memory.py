"""Scans that are no files: images of SimpleITK, arrays, and what other libraries hold.

TorchIO, MONAI and nibabel are not imported. Their images are known by what they offer:
`as_sitk()` (TorchIO), or `affine` and an array (MONAI's MetaTensor, nibabel).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError
from disanat.io.images import (
    Scan,
    as_labels,
    as_scan,
    in_canonical_axes,
    read_labels,
    read_scan,
)

__all__ = ["HasAffine", "HasSitk", "ImageLike", "affine_image", "labels_of", "scan_of"]

_GIVEN = Path("The image given")
_MASK = Path("The mask given")
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From the RAS+ world of NIfTI, MONAI and nibabel to that of ITK and DICOM."""


@runtime_checkable
class HasSitk(Protocol):
    """Such as `torchio.ScalarImage`."""

    def as_sitk(self) -> sitk.Image: ...


@runtime_checkable
class HasAffine(Protocol):
    """Such as `monai.data.MetaTensor` or an image of nibabel.

    `affine` is 4 x 4, from voxel indices to millimetres in RAS+. The axes of the array are those of
    the affine, with one channel before them at most.
    """

    @property
    def affine(self) -> Any: ...


ImageLike: TypeAlias = str | Path | sitk.Image | np.ndarray | HasSitk | HasAffine


def scan_of(image: ImageLike, spacing: Sequence[float] | None = None) -> Scan:
    """A scan from a file or from memory.

    Args:
        image: a path, an image of SimpleITK, a TorchIO image, a MONAI MetaTensor, an image of
            nibabel; or a bare array of three axes S, P, L (index 0 towards superior, 1 towards
            posterior, 2 towards the patient's left).
        spacing: of a bare array, and of nothing else: its voxel size along S, P, L in mm.

    Raises:
        ImageError: unreadable, not 3D, on a grid that cannot be, holding NaN or infinity, or
            constant; or `spacing` is missing or given in vain.
    """
    if isinstance(image, (str, Path)):
        _refuse_spacing(spacing)
        return read_scan(Path(image))
    return as_scan(*in_canonical_axes(_as_sitk(image, spacing), _GIVEN), 0, _GIVEN)


def labels_of(image: ImageLike, spacing: Sequence[float] | None = None) -> Scan:
    """A label map from a file or from memory, as `scan_of` takes them.

    Raises:
        ImageError: as `scan_of`, or it holds other values than whole numbers from 0.
    """
    if isinstance(image, (str, Path)):
        return read_labels(Path(image))
    return as_labels(*in_canonical_axes(_as_sitk(image, spacing), _MASK), 0, _MASK)


def affine_image(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """An array with axes as in its affine (x, y, z; 4 x 4, to mm in RAS+) as an image.

    Raises:
        ImageError: the array has not three axes, or the affine is none.
    """
    voxels = array[0] if array.ndim == 4 and array.shape[0] == 1 else array
    if voxels.ndim != 3:
        raise ImageError(
            f"{_GIVEN} has shape {'x'.join(map(str, array.shape))}, but one 3D channel is needed: "
            "give each channel as an image of its own."
        )
    to_world = _TO_LPS @ np.asarray(affine, float).reshape(4, 4)
    sizes = np.linalg.norm(to_world[:3, :3], axis=0)
    if not (np.isfinite(to_world).all() and (sizes > 0).all()):
        raise ImageError(f"{_GIVEN} has an affine that is no grid: correct the affine.")
    axes = to_world[:3, :3] / sizes
    if not abs(np.linalg.det(axes)) > 0.5:
        raise ImageError(
            f"{_GIVEN} has direction axes that are not at right angles: resample it to an ordinary "
            "grid."
        )
    image = sitk.GetImageFromArray(np.ascontiguousarray(_plain(voxels).transpose(2, 1, 0)))
    # Affines come from files in single precision: a voxel of 4 mm must not be one of 4.0000002.
    image.SetSpacing([float(mm) for mm in sizes.astype(np.float32)])
    image.SetOrigin(to_world[:3, 3].tolist())
    image.SetDirection(axes.ravel().tolist())
    return image


def _as_sitk(image: Any, spacing: Sequence[float] | None) -> sitk.Image:
    if not isinstance(image, np.ndarray) or hasattr(image, "affine"):
        _refuse_spacing(spacing)
    if isinstance(image, sitk.Image):
        return image
    if isinstance(image, HasSitk):
        return image.as_sitk()
    if isinstance(image, HasAffine):
        return affine_image(_array(image), _array(image.affine))
    if isinstance(image, np.ndarray):
        return _bare(image, spacing)
    raise ImageError(
        f"{_GIVEN} is a {type(image).__name__}: give a path, an image of SimpleITK, TorchIO, MONAI "
        "or nibabel, or a numpy array with its spacing."
    )


def _bare(array: np.ndarray, spacing: Sequence[float] | None) -> sitk.Image:
    if array.ndim != 3:
        raise ImageError(
            f"{_GIVEN} has shape {'x'.join(map(str, array.shape))}: give an array of three axes "
            "S, P, L."
        )
    if spacing is None or len(spacing) != 3 or not all(0 < mm < np.inf for mm in spacing):
        raise ImageError(
            f"{_GIVEN} is an array, whose voxel size is not known: give spacing=(S, P, L) in mm."
        )
    image = sitk.GetImageFromArray(np.ascontiguousarray(_plain(array)))
    image.SetSpacing([float(mm) for mm in reversed(spacing)])
    return image


def _plain(array: np.ndarray) -> np.ndarray:
    """SimpleITK knows no bool and no half precision."""
    if array.dtype == bool:
        return array.astype(np.uint8)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _array(holder: Any) -> np.ndarray:
    """The numbers of a tensor, an image of nibabel, or an array."""
    if hasattr(holder, "dataobj"):
        holder = holder.dataobj
    if hasattr(holder, "detach"):
        holder = holder.detach().cpu().numpy()
    return np.asarray(holder)


def _refuse_spacing(spacing: Sequence[float] | None) -> None:
    if spacing is not None:
        raise ImageError("Only a bare array takes a spacing: leave it out, the image has its own.")
