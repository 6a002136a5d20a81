"""What a NIfTI header claims, checked before anything believes it.

SimpleITK reads a file whose header contradicts itself or the data without a word: it fills up what
is missing with zeros and replaces a spacing that makes no sense by 1 mm.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from disanat.io.claim import Claim, HeaderError

__all__ = ["nifti_claim"]

_SIZES = {348: ("Nifti1Header", b"n+1\0", 352), 540: ("Nifti2Header", b"n+2\0", 544)}
_TOLERANCE = 0.01


def nifti_claim(start: bytes) -> Claim:
    """Read the beginning of a .nii file.

    Raises:
        HeaderError: it is no NIfTI header, or one that cannot be true.
    """
    import nibabel  # slow, and --help must be quick

    if len(start) < 4:
        raise HeaderError("is too short for a NIfTI header")
    for endianness in "<>":
        size = struct.unpack(f"{endianness}i", start[:4])[0]
        if size in _SIZES:
            kind, magic, least = _SIZES[size]
            break
    else:
        raise HeaderError("cannot be read as an image, for it does not begin with a NIfTI header")
    if len(start) < least:
        raise HeaderError("is too short for a NIfTI header")
    header = getattr(nibabel, kind)(start[:size], endianness=endianness, check=False)
    if not bytes(header["magic"].item()).ljust(4, b"\0").startswith(magic):
        raise HeaderError("has a header without NIfTI's mark for header and voxels in one file")
    shape, dtype = _shape(header), _dtype(header)
    offset = float(header["vox_offset"])
    if not (offset.is_integer() and offset >= least):
        raise HeaderError(f"says in its header that the voxels begin at byte {offset:g}")
    _check_spacing(header, len(shape))
    _check_scaling(header)
    _check_place(header)
    return Claim(shape, dtype, int(offset))


def _shape(header: Any) -> tuple[int, ...]:
    dimensions = [int(n) for n in header["dim"]]
    if not 1 <= dimensions[0] <= 7:
        raise HeaderError(f"says in its header that it has {dimensions[0]} axes")
    shape = tuple(dimensions[1 : 1 + dimensions[0]])
    if min(shape) < 1:
        raise HeaderError(f"says in its header that its size is {'x'.join(map(str, shape))}")
    return shape


def _dtype(header: Any) -> np.dtype:
    from nibabel.spatialimages import HeaderDataError

    code, bits = int(header["datatype"]), int(header["bitpix"])
    try:
        dtype = np.dtype(header.get_data_dtype())
    except (KeyError, HeaderDataError):
        raise HeaderError(f"has voxels of a kind that NIfTI does not know ({code})") from None
    if dtype.itemsize == 0 or dtype.itemsize * 8 != bits:
        raise HeaderError(f"says in its header that voxels of the kind {code} have {bits} bits")
    return dtype


def _check_spacing(header: Any, axes: int) -> None:
    spacing = header["pixdim"][1 : 1 + min(axes, 3)]
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        stated = " x ".join(f"{s:g}" for s in spacing)
        raise HeaderError(f"says in its header that its voxels have the size {stated}")


def _check_scaling(header: Any) -> None:
    """A slope of 0 or NaN means that there is no scaling, whatever the intercept."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isinf(slope) or (np.isfinite(slope) and slope and not np.isfinite(intercept)):
        raise HeaderError(f"says in its header to scale its values by {slope:g} and {intercept:g}")


def _check_place(header: Any) -> None:
    """The two statements of where the voxels lie, each where its code says that it counts."""
    fault = HeaderError("has a header that places its voxels nowhere (qform or sform)")
    if header["qform_code"] > 0:
        names = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
        values = np.array([float(header[name]) for name in names])
        if not np.isfinite(values).all() or (values[:3] ** 2).sum() > 1 + _TOLERANCE:
            raise fault
    if header["sform_code"] > 0:
        affine = np.array([header[name] for name in ("srow_x", "srow_y", "srow_z")], float)
        if not np.isfinite(affine).all():
            raise fault
        lengths = np.linalg.norm(affine[:, :3], axis=0)
        if lengths.min() == 0:
            raise fault
        _check_agreement(affine[:, :3] / lengths, lengths, header["pixdim"][1:4])


def _check_agreement(axes: np.ndarray, lengths: np.ndarray, spacing: np.ndarray) -> None:
    """Where the sform counts (its axes at right angles), it must state the same voxel size."""
    at_right_angles = np.abs(axes.T @ axes - np.eye(3)).max() < _TOLERANCE
    if at_right_angles and (np.abs(lengths - spacing) > _TOLERANCE * spacing).any():
        one, other = (" x ".join(f"{s:g}" for s in size) for size in (spacing, lengths))
        raise HeaderError(f"has a header with two voxel sizes, {one} and {other} (sform)")
