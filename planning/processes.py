"""How many cases are worked on at once: as many as cores and free memory have room for."""

from __future__ import annotations

import logging
import os

import SimpleITK as sitk

from disanat.io.dataset import RawDataset
from disanat.preprocessing.parallel import workers_that_fit

__all__ = ["cores_at_most_four", "estimated_peak_gb", "fitting_processes"]

_log = logging.getLogger(__name__)

_MOST_WORKERS = 4
_BASE_GB = 0.7
"""Of a process that has imported everything; measured: 0.5 to 0.6."""
_BYTES_PER_VOXEL = 100.0
"""Of a case's largest channel and of each further one; measured on one channel: 62."""
_USUAL_VOXELS = 256**3
"""Assumed where a header cannot be read, as that of a folder of DICOM slices."""


def cores_at_most_four() -> int:
    """The cores there are, at most four."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        cores = os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)


def fitting_processes(raw: RawDataset) -> int:
    """Workers for a dataset: min(cores, four, free memory / estimated peak of the largest case)."""
    cores = cores_at_most_four()
    peak = estimated_peak_gb(raw)
    fitting = workers_that_fit(cores, peak)
    if fitting < cores:
        _log.info(
            "The largest case takes about %.1f GB: working on %d at a time (-np sets another "
            "number).",
            peak,
            fitting,
        )
    return fitting


def estimated_peak_gb(raw: RawDataset) -> float:
    """Memory that the largest training case takes, in units of 10^9 bytes, by the files' headers.

    Raises:
        DatasetError: there are no cases.
    """
    largest = 0.0
    for case in raw.training_cases():
        voxels = _voxels(str(next(iter(case.channels.values()))))
        largest = max(largest, voxels * len(case.channels))
    return _BASE_GB + largest * _BYTES_PER_VOXEL / 1e9


def _voxels(path: str) -> float:
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return _USUAL_VOXELS
    voxels = 1.0
    for size in reader.GetSize():
        voxels *= size
    return voxels
