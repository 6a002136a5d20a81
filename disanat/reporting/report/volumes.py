"""What is shown of one case, on a small isotropic grid around the brain, in 8 bits.

The scan is shown within the brain and some millimetres around it: enough to see where the brain
mask is wrong, too little to see a face.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from disanat.errors import DatasetError, ImageError
from disanat.io.images import (
    Geometry,
    Scan,
    canonical_frame,
    is_constant,
    read_labels,
    read_scan,
    same_grid,
)
from disanat.reporting.place import brain_box, brightest, most_anomalous

__all__ = ["Frame", "Shown", "Sources", "load"]

_AROUND_MM = 5.0
_FINEST_MM = 1.2
_LARGEST = 3_000_000
"""Voxels of the grid; a brain has some 2 million in its box."""
_LEVELS = 255
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Sources:
    """The files of one case; None where there is none."""

    anomaly: Path
    mask: Path
    brain: Path
    phi: Path | None = None
    scan: Path | None = None
    truth: Path | None = None
    further: tuple[tuple[Path | None, Path | None], ...] = ()
    """Scan and PHI of channels that are shown beside the first."""


@dataclass(frozen=True)
class Frame:
    """The isotropic grid that is shown, axes S, P, L: it begins at voxel `start` of the scan."""

    geometry: Geometry
    spacing: Triple
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    mm: float

    def place(self, x: float, y: float, z: float) -> tuple[int, int, int]:
        """The voxel of the grid at a place in mm (x to the left, y to the back, z to the top)."""
        index = canonical_frame(self.geometry).TransformPhysicalPointToContinuousIndex((x, y, z))
        found = [
            round((i - first) * step / self.mm)
            for i, first, step in zip(reversed(index), self.start, self.spacing)
        ]
        s, p, left = (max(0, min(n - 1, i)) for i, n in zip(found, self.shape))
        return s, p, left

    def to_mm(self) -> list[list[float]]:
        """Rows x, y, z: place in mm = row[:3] . (S, P, L of the grid) + row[3]."""
        frame = canonical_frame(self.geometry)

        def at(s: float, p: float, left: float) -> np.ndarray:
            inside = zip((s, p, left), self.start, self.spacing)
            index = [first + i * self.mm / step for i, first, step in inside]
            return np.array(frame.TransformContinuousIndexToPhysicalPoint(index[::-1]))

        origin = at(0, 0, 0)
        axes = [at(1, 0, 0) - origin, at(0, 1, 0) - origin, at(0, 0, 1) - origin]
        rows = np.stack([*axes, origin], axis=1)
        return [[round(float(v), 4) for v in row] for row in rows]


@dataclass(frozen=True)
class Shown:
    """The volumes of a case, uint8, axes S, P, L of the frame; masks are bool.

    `top` is the map's value at level 255; what lies above it is shown as that.
    """

    frame: Frame
    scan: np.ndarray | None
    phi: np.ndarray | None
    anomaly: np.ndarray
    mask: np.ndarray
    truth: np.ndarray | None
    focus: tuple[int, int, int]
    top: float
    further: tuple[tuple[np.ndarray | None, np.ndarray | None], ...] = ()


def load(sources: Sources, threshold: float) -> Shown:
    """Read the images of a case and bring them onto the grid that is shown.

    Args:
        sources: its files.
        threshold: of the mask, in units of the map; decides where its colours end.

    Raises:
        DatasetError: they do not lie on one grid.
        ImageError: one is missing or damaged.
    """
    mask = read_labels(sources.mask)
    brain = _like(mask, read_labels(sources.brain)).array > 0
    truth = _like(mask, read_labels(sources.truth)).array > 0 if sources.truth else None
    region = brain if truth is None else brain | truth
    box = brain_box(region, mask.spacing)
    frame = _frame(mask, box)
    anomaly = _like(mask, _read(sources.anomaly)).array[box].astype(np.float32)
    top = brightest(threshold, anomaly)
    focus = most_anomalous(np.clip(anomaly, 0, top), mask.spacing)
    around = _grown(region[box], mask.spacing)

    def channel(*paths: Path | None) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Scan and PHI in the same grey levels."""
        scan, phi = (_like(mask, _read(path)).array if path else None for path in paths)
        low, high = _window(scan if scan is not None else phi, brain)

        def grey(array: np.ndarray | None, within: np.ndarray) -> np.ndarray | None:
            if array is None:
                return None
            return _bytes(_linear(_levels(array[box], low, high) * within, frame))

        return grey(scan, around), grey(phi, region[box])

    scan, phi = channel(sources.scan, sources.phi)
    return Shown(
        frame=frame,
        scan=scan,
        phi=phi,
        anomaly=_bytes(_linear(_levels(anomaly, 0.0, top), frame)),
        mask=_nearest(mask.array[box] > 0, frame),
        truth=None if truth is None else _nearest(truth[box], frame),
        focus=_in_frame(focus, frame),
        top=top,
        further=tuple(channel(*paths) for paths in sources.further),
    )


def _read(path: Path) -> Scan:
    """A map that is 0 everywhere is no scan, but may well be what was found."""
    try:
        return read_scan(path)
    except ImageError:
        if not is_constant(path):
            raise
        return read_labels(path)


def _like(first: Scan, other: Scan) -> Scan:
    if not same_grid(first.geometry, other.geometry):
        raise DatasetError(f"{other.path.name} lies on another grid than {first.path.name}")
    return other


def _frame(scan: Scan, box: tuple[slice, ...]) -> Frame:
    bounds = [s.indices(n)[:2] for s, n in zip(box, scan.array.shape)]
    extent = [(stop - start) * mm for (start, stop), mm in zip(bounds, scan.spacing)]
    mm = max(_FINEST_MM, min(scan.spacing), float(np.prod(extent) / _LARGEST) ** (1 / 3))
    shape = [max(1, round(length / mm)) for length in extent]
    start = [begin for begin, _ in bounds]
    return Frame(
        scan.geometry,
        scan.spacing,
        (start[0], start[1], start[2]),
        (shape[0], shape[1], shape[2]),
        mm,
    )


def _in_frame(voxel: tuple[int, int, int], frame: Frame) -> tuple[int, int, int]:
    found = [
        min(n - 1, round(i * step / frame.mm))
        for i, step, n in zip(voxel, frame.spacing, frame.shape)
    ]
    return found[0], found[1], found[2]


def _window(array: np.ndarray | None, brain: np.ndarray) -> tuple[float, float]:
    """Intensities that are black and white."""
    if array is None:
        return 0.0, 1.0
    inside = array[brain] if brain.any() else array
    low, high = np.percentile(inside, (0.5, 99.5))
    return float(low), float(max(high, low + 1e-6))


def _grown(region: np.ndarray, spacing: Triple) -> np.ndarray:
    """A region and what lies less than 5 mm around it; all of it where it is empty."""
    if not region.any():
        return np.ones_like(region)
    return np.asarray(ndimage.distance_transform_edt(~region, spacing) <= _AROUND_MM)


def _levels(array: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((array.astype(np.float32) - low) / (high - low), 0, 1) * np.float32(_LEVELS)


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.rint(array).astype(np.uint8)


def _positions(frame: Frame, axis: int, size: int) -> np.ndarray:
    """Where the grid's voxels lie on an axis of the box, in voxels of the scan."""
    steps = np.arange(frame.shape[axis]) * frame.mm / frame.spacing[axis]
    return np.minimum(steps, size - 1)


def _linear(array: np.ndarray, frame: Frame) -> np.ndarray:
    """One axis after the other, which is as good as all at once, and much quicker."""
    for axis, size in enumerate(array.shape):
        at = _positions(frame, axis, size)
        low = np.floor(at).astype(int)
        if frame.shape[axis] == size and np.array_equal(low, at):
            continue
        share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        above = np.minimum(low + 1, size - 1)
        array = array.take(low, axis) * (1 - share) + array.take(above, axis) * share
    return array


def _nearest(array: np.ndarray, frame: Frame) -> np.ndarray:
    for axis, size in enumerate(array.shape):
        array = array.take(np.rint(_positions(frame, axis, size)).astype(int), axis)
    return array
