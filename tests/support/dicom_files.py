"""DICOM series of simulated scans: slice by slice, or all frames in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

SERIES = "1.2.826.0.1.3680043.2.1125.7"
PATIENT = "Doe^Jane"


def header(kind: str, number: int = 1, series: str = SERIES) -> Dataset:
    """What every MR image must say of its patient, study, series and machine."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = kind
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{SERIES}.0", series
    data.FrameOfReferenceUID = f"{SERIES}.99"
    data.PatientName, data.PatientID = PATIENT, "JD-1"
    data.PatientBirthDate, data.PatientSex = "19500101", "F"
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20200101", "1200", "1", ""
    data.ReferringPhysicianName = data.Manufacturer = ""
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 3, number
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    return data


def axes(turn_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of a row, a column and the slices; turned about the patient's left."""
    a = np.deg2rad(turn_deg)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(a), np.sin(a)])
    return row, column, np.cross(row, column)


def _text(values: Sequence[float]) -> list[str]:
    return [f"{value:.6f}" for value in values]


def write_slices(
    folder: Path,
    array: np.ndarray,
    spacing: Sequence[float],
    turn_deg: float = 0.0,
    slopes: Sequence[float] | None = None,
    ending: str = ".dcm",
    origin: Sequence[float] = (-80.0, -95.0, -71.5),
) -> Path:
    """A series with a file for each slice of a canonical array (S, P, L); file names say nothing
    about the order of the slices."""
    folder.mkdir(parents=True, exist_ok=True)
    row, column, normal = axes(turn_deg)
    for number, plane in enumerate(np.asarray(array, np.uint16)):
        data = header(MRImageStorage, number + 1)
        data.Rows, data.Columns = plane.shape
        data.PixelSpacing = _text((spacing[1], spacing[2]))
        data.SliceThickness = str(spacing[0])
        data.ImageOrientationPatient = _text((*row, *column))
        place = np.asarray(origin) + number * spacing[0] * normal
        data.ImagePositionPatient = _text(place)
        if slopes is not None:
            data.RescaleSlope, data.RescaleIntercept = str(slopes[number]), "0"
        data.PixelData = plane.tobytes()
        name = f"{(number * 7919) % 10007:05}{ending}"
        data.save_as(folder / name, enforce_file_format=True)
    return folder


def write_frames(
    path: Path,
    array: np.ndarray,
    spacing: Sequence[float],
    order: Sequence[int] | None = None,
    turn_deg: float = 0.0,
    slopes: Sequence[float] | None = None,
    origin: Sequence[float] = (-80.0, -95.0, -71.5),
    step: float | None = None,
) -> Path:
    """One enhanced MR file with a frame for each slice of a canonical array, stored in any order;
    `step` places them otherwise than the spacing says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.asarray(array, np.uint16)
    order = list(range(len(stored))) if order is None else list(order)
    row, column, normal = axes(turn_deg)
    data = header(EnhancedMRImageStorage)
    data.NumberOfFrames, (data.Rows, data.Columns) = len(order), stored.shape[1:]
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = _text((spacing[1], spacing[2]))
    measures.SliceThickness = str(spacing[0])
    orientation.ImageOrientationPatient = _text((*row, *column))
    shared.PixelMeasuresSequence = Items([measures])
    shared.PlaneOrientationSequence = Items([orientation])
    frames = []
    for number, index in enumerate(order):
        place, content, own = Dataset(), Dataset(), Dataset()
        distance = index * (spacing[0] if step is None else step)
        place.ImagePositionPatient = _text(np.asarray(origin) + distance * normal)
        content.StackID, content.InStackPositionNumber = "1", index + 1
        content.DimensionIndexValues = [1, index + 1]
        own.PlanePositionSequence, own.FrameContentSequence = Items([place]), Items([content])
        if slopes is not None:
            value = Dataset()
            value.RescaleSlope, value.RescaleIntercept = str(slopes[number]), "0"
            value.RescaleType = "US"
            own.PixelValueTransformationSequence = Items([value])
        frames.append(own)
    data.SharedFunctionalGroupsSequence = Items([shared])
    data.PerFrameFunctionalGroupsSequence = Items(frames)
    data.PixelData = stored[order].tobytes()
    data.save_as(path, enforce_file_format=True)
    return path
