"""One image of any kind that disanat reads, as SimpleITK has it."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from disanat.errors import ImageError
from disanat.io.dicom import is_dicom_file, read_dicom, read_dicom_file
from disanat.io.grids import oblique
from disanat.io.integrity import check_file
from disanat.io.mgh import MGH_ENDINGS, read_mgh

__all__ = ["ENDINGS", "read_image"]

ENDINGS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr", *MGH_ENDINGS)


def read_image(path: Path) -> tuple[sitk.Image, int]:
    """The image, and how many of its voxels are NaN or infinite without SimpleITK's notice.

    Raises:
        ImageError: it is not there, damaged, or of a kind that cannot be read.
    """
    try:
        there, folder, regular = path.exists(), path.is_dir(), path.is_file()
    except (OSError, ValueError) as cause:
        raise ImageError(f"{str(path)!r} is no usable name ({cause}): rename the file.") from cause
    if not there:
        raise ImageError(f"{path} does not exist: check the path.")
    if folder:
        return read_dicom(path), 0
    if not regular:
        raise ImageError(f"{path} is neither a file nor a folder: give an image file.")
    if is_dicom_file(path):
        return read_dicom_file(path), 0
    bad = check_file(path)
    if path.name.lower().endswith(MGH_ENDINGS):
        return read_mgh(path), bad
    try:
        return sitk.ReadImage(str(path)), bad
    except (RuntimeError, MemoryError, UnicodeEncodeError) as cause:
        if "rthonormal" in str(cause):
            raise oblique(path) from cause
        reason = " ".join(str(cause).split("Error:")[-1].split())
        raise ImageError(
            f"{path} cannot be read as an image ({reason[-160:]}): check that it is complete, and "
            f"of a format such as {', '.join(ENDINGS[:4])}."
        ) from cause
