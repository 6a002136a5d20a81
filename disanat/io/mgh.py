"""FreeSurfer's images (.mgz, .mgh), read by nibabel and put into ITK's coordinates."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, cast

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError
from disanat.io.claim import Claim, HeaderError

__all__ = ["MGH_ENDINGS", "mgh_claim", "read_mgh"]

MGH_ENDINGS = (".mgz", ".mgh")
_HEADER_BYTES = 284
_VERSION = 1
_KINDS = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2"}
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def mgh_claim(start: bytes) -> Claim:
    """Read the beginning of an unpacked file; tags may follow its voxels.

    Raises:
        HeaderError: it is no MGH header, or one that cannot be true.
    """
    if len(start) < _HEADER_BYTES or struct.unpack(">i", start[:4])[0] != _VERSION:
        raise HeaderError("cannot be read as an image, for it does not begin with an MGH header")
    *shape, kind = struct.unpack(">5i", start[4:24])
    if min(shape) < 1:
        raise HeaderError(f"says in its header that its size is {'x'.join(map(str, shape))}")
    if kind not in _KINDS:
        raise HeaderError(f"has voxels of an unknown kind ({kind})")
    placed = struct.unpack(">h", start[28:30])[0] > 0
    numbers = np.array(struct.unpack(">15f", start[30:90]))
    if placed and not (np.isfinite(numbers).all() and numbers[:3].min() > 0):
        raise HeaderError("has a header that places its voxels nowhere")
    volumes = () if shape[3] == 1 else (shape[3],)
    return Claim((*shape[:3], *volumes), np.dtype(_KINDS[kind]), _HEADER_BYTES, tagged=True)


def read_mgh(path: Path) -> sitk.Image:
    """Read a file that `check_file` found whole; 4D where it holds several volumes.

    Raises:
        ImageError: nibabel cannot read it.
    """
    import nibabel  # slow, and --help must be quick

    try:
        image = cast(Any, nibabel.load(path))
        voxels, affine = np.asanyarray(image.dataobj), _LPS_FROM_RAS @ np.asarray(image.affine)
    except (OSError, ValueError, nibabel.spatialimages.HeaderDataError) as cause:
        raise ImageError(
            f"{path} cannot be read as an image ({' '.join(str(cause).split())[:160]}): check "
            "that it is complete."
        ) from cause
    native = voxels.astype(voxels.dtype.newbyteorder("="))
    if native.ndim == 4:
        return sitk.JoinSeries([_placed(native[..., n], affine) for n in range(native.shape[3])])
    return _placed(native, affine)


def _placed(voxels: np.ndarray, affine: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    return image
