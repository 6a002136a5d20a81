"""A lesion mask as a DICOM Segmentation that refers to the series it was found in.

Needs highdicom (`pip install disanat[dicom]`). The file carries who the patient is, as its source
does: a viewer could not lay it over the scan otherwise. What else the source tells of the patient
is left out.
"""

from __future__ import annotations

import hashlib
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError, PlanError
from disanat.home import atomic_path
from disanat.io.dicom import is_dicom_file, stored_order
from disanat.io.images import Geometry, image_like

__all__ = ["KEPT", "is_dicom_image", "require_highdicom", "write_dicom_seg"]

_ROOT = "2.25."
_LARGEST_NUMBER = 2**31 - 1
KEPT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
    "AccessionNumber", "StudyID", "StudyDate", "StudyTime",
)  # fmt: skip
"""Of what the source says of patient and study in words and dates, all that is written."""
_PERSONAL_GROUPS = (0x0010, 0x0032, 0x0038, 0x0040)
"""Of DICOM: patient, study, visit, procedure."""
_WORDS = ("AE", "AS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UN", "UR", "UT")
_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
"""What a series may lack and a segmentation must state, if only as unknown."""


def is_dicom_image(path: Path) -> bool:
    """Whether an image was read from DICOM."""
    return path.is_dir() or is_dicom_file(path)


def require_highdicom() -> None:
    """Raises:
    PlanError: highdicom is not installed.
    """
    if importlib.util.find_spec("highdicom") is None:
        raise PlanError(
            "DICOM-SEG needs the package highdicom, which is not installed: install it with pip "
            "install 'disanat[dicom]', or leave dicom_seg out of --save."
        )


def write_dicom_seg(
    mask: np.ndarray, geometry: Geometry, source: Path, target: Path, version: str
) -> None:
    """Write a lesion mask as a segmentation of the DICOM image that it belongs to.

    Args:
        mask: bool, axes S, P, L, on the image's grid.
        geometry: of the image, as it was read.
        source: the folder or file that the image was read from.
        target: the file to write.
        version: of the program that found the lesions.

    Raises:
        PlanError: highdicom is not installed.
        ImageError: the series lacks what a segmentation must refer to, or is not as it was.
    """
    require_highdicom()
    planes = sitk.GetArrayFromImage(image_like(mask.astype(np.uint8), geometry))
    files, frames = stored_order(source)
    count = len(frames) or len(files)
    if len(planes) != count:
        raise ImageError(f"{source} has {count} slices now: predict it again.")
    if frames:  # from the order of slices to that of frames
        stored = np.empty_like(planes)
        stored[frames] = planes
        planes = stored
    try:
        images = [_header(file) for file in files]
        made = _segmentation(images, planes, version)
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise ImageError(
            f"{source} lacks what a DICOM segmentation must refer to "
            f"({' '.join(str(cause).split())[:160]}): leave dicom_seg out of --save."
        ) from cause
    with atomic_path(target) as temporary:
        made.save_as(temporary, enforce_file_format=True)


def _header(file: Path) -> Any:
    from pydicom import dcmread  # slow to import, and few commands meet DICOM

    header = dcmread(file, stop_before_pixels=True)
    for tag in list(header.keys()):
        if _is_personal(header, tag):
            del header[tag]
    for name in _EMPTY:
        if name not in header:
            setattr(header, name, "")
    return header


def _is_personal(header: Any, tag: Any) -> bool:
    """Whether highdicom could copy words or dates with it that nobody needs."""
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    if keyword_for_tag(tag) in KEPT:
        return False
    if tag.is_private or tag.group in _PERSONAL_GROUPS:
        return True
    try:
        kind = header.get_item(tag).VR or dictionary_VR(tag)
    except KeyError:
        return True
    return kind in _WORDS or (kind == "SQ" and tag.group == 0x0008)


def _segmentation(images: list[Any], planes: np.ndarray, version: str) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on names of patients that are spelt unusually
        algorithm = highdicom.AlgorithmIdentificationSequence(
            name="disanat", family=codes.DCM.ArtificialIntelligence, version=version
        )
        lesion = highdicom.seg.SegmentDescription(
            segment_number=1,
            segment_label="Lesion",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        first = images[0]
        about = [image.SOPInstanceUID for image in images] + [version]
        content = hashlib.sha256("\n".join(about).encode() + planes.tobytes()).hexdigest()
        return highdicom.seg.Segmentation(
            source_images=images,
            pixel_array=planes.astype(np.uint8),
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[lesion],
            series_instance_uid=_uid("series " + content),
            series_number=min(int(first.get("SeriesNumber") or 0) + 1000, _LARGEST_NUMBER),
            sop_instance_uid=_uid("instance " + content),
            instance_number=1,
            manufacturer="disanat",
            manufacturer_model_name="disanat",
            software_versions=version,
            device_serial_number="0",
            series_description="Lesions (disanat, for research only)",
            omit_empty_frames=bool(planes.any()),
        )


def _uid(text: str) -> str:
    """A UID that follows from a text: the same segmentation of the same scan is the same object."""
    return _ROOT + str(int(hashlib.sha256(text.encode()).hexdigest()[:30], 16))
