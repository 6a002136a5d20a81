"""Channels of one case on one grid: read so, or registered to the first channel on request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import SimpleITK as sitk

from disanat.anatomy.rigid import NotRegisteredError, refine, register
from disanat.errors import DatasetError, ImageError
from disanat.io.cases import Case
from disanat.io.images import Geometry, Scan, canonical_frame, read_scan, same_grid

__all__ = [
    "Aligned",
    "AlignedChannel",
    "Placed",
    "Placing",
    "by_intensity",
    "check_one_grid",
    "read_aligned",
    "read_case",
    "refined",
]

log = logging.getLogger(__name__)

_COARSER = 1.5
_LEAST_COVERED = 0.3


@dataclass(frozen=True)
class Placed:
    """How one scan lies to the first of its case; `transform` goes from the first to it (mm).

    The figures are those of `AlignedChannel`.
    """

    transform: sitk.Transform
    shift_mm: float
    turn_deg: float
    spread_mm: float
    information_before: float | None = None
    information_after: float | None = None
    agreement_before: float | None = None
    agreement_after: float | None = None


Placing = Callable[[Scan, Scan], Placed]
"""Finds out how the second scan lies to the first; raises NotRegisteredError."""


@dataclass(frozen=True)
class AlignedChannel:
    """How one channel was brought onto the first; a registration's figures are rounded.

    `shift_mm`, `turn_deg`: how far it was moved from where its header puts it.
    `spread_mm`: how far apart two independent starts of the search ended.
    `information_before`, `information_after`: mutual information with the first channel (nats);
    None where the search went by the anatomies.
    `agreement_before`, `agreement_after`: soft Dice of the tissues of both; None where nothing
    named them.
    """

    channel: int
    shift_mm: float
    turn_deg: float
    spread_mm: float
    information_before: float | None = None
    information_after: float | None = None
    agreement_before: float | None = None
    agreement_after: float | None = None
    covered: float = 1.0
    """Share of the brain that the channel shows."""

    @property
    def told(self) -> str:
        """All figures in one line."""
        words = [f"{self.shift_mm:.1f} mm {self.turn_deg:.1f} deg"]
        for name in ("information", "agreement"):
            before, after = getattr(self, f"{name}_before"), getattr(self, f"{name}_after")
            if after is not None:
                words.append(f"{name} {before:.2f} to {after:.2f}")
        return " ".join([*words, f"spread {self.spread_mm:.1f} mm covered {self.covered:.2f}"])


@dataclass(frozen=True)
class Aligned:
    """All channels of a case on the grid of the first.

    `seen` marks, for each channel that was registered, the voxels that its scan shows, (S, P, L);
    the others hold its background.
    """

    scans: dict[int, Scan]
    found: tuple[AlignedChannel, ...] = ()
    seen: Mapping[int, np.ndarray] = field(default_factory=dict)


def read_case(case: Case) -> dict[int, Scan]:
    """Read all channels of a case, which must lie on one grid.

    Raises:
        ImageError: a channel cannot be used.
        DatasetError: two channels lie on different grids.
    """
    scans = _read(case)
    check_one_grid(scans)
    return scans


def check_one_grid(scans: Mapping[int, Scan]) -> None:
    """The channels of a case lie on one grid.

    Raises:
        DatasetError: two of them do not.
    """
    first = next(iter(scans.values()))
    for scan in scans.values():
        if not same_grid(first.geometry, scan.geometry):
            raise DatasetError(
                f"{scan.path} and {first.path} lie on different grids (sizes "
                f"{scan.geometry.size} and {first.geometry.size}): predict with --register, or "
                "resample one onto the other."
            )


def by_intensity(first: Scan, scan: Scan) -> Placed:
    """How a scan lies to another by mutual information.

    Raises:
        NotRegisteredError: no trustworthy registration was found.
    """
    made = register(_image(first), _image(scan))
    return Placed(
        made.transform,
        made.shift_mm,
        made.turn_deg,
        made.spread_mm,
        made.information_before,
        made.information_after,
    )


def refined(first: Scan, scan: Scan, placed: Placed, centre: np.ndarray) -> Placed:
    """What mutual information makes of a rigid registration that was found otherwise.

    Args:
        first: the one scan.
        scan: the other.
        placed: how it lies to the first, nearly.
        centre: of the first scan's brain in mm, (3,).
    """
    start = sitk.Euler3DTransform()
    start.SetCenter(centre.tolist())
    start.SetMatrix(_rotation(placed.transform), 1e-6)
    start.SetTranslation(
        np.subtract(placed.transform.TransformPoint(centre.tolist()), centre).tolist()
    )
    transform, before, after = refine(_image(first), _image(scan), start)
    return replace(
        placed, transform=transform, information_before=before, information_after=after
    )


def _rotation(transform: sitk.Transform) -> list[float]:
    """The matrix of a rigid transform, row by row."""
    still = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.subtract(transform.TransformPoint(e.tolist()), still) for e in np.eye(3)]
    return [float(v) for v in np.stack(columns, axis=1).ravel()]


def read_aligned(case: Case, place: Placing = by_intensity) -> Aligned:
    """Read all channels of a case; those on another grid are registered to the first channel.

    Args:
        case: the scans.
        place: how to register one scan to another.

    Raises:
        ImageError: a channel cannot be used, or not be registered.
    """
    scans = _read(case)
    number, first = next(iter(scans.items()))
    aligned, found, seen = {number: first}, [], {}
    for channel, scan in scans.items():
        if same_grid(first.geometry, scan.geometry):
            aligned[channel] = scan
            continue
        transform, one = _register(channel, scan, first, place)
        aligned[channel], seen[channel] = _onto(scan, transform, first.geometry)
        found.append(one)
        if seen[channel].mean() < _LEAST_COVERED:
            raise ImageError(
                f"{scan.path} shows only {100 * seen[channel].mean():.0f}% of what {first.path} "
                "shows: leave it out, or give the smaller one as the first channel."
            )
    return Aligned(aligned, tuple(found), seen)


def _read(case: Case) -> dict[int, Scan]:
    return {channel: read_scan(path) for channel, path in case.channels.items()}


def _register(
    channel: int, scan: Scan, first: Scan, place: Placing
) -> tuple[sitk.Transform, AlignedChannel]:
    try:
        placed = place(first, scan)
    except NotRegisteredError as cause:
        raise ImageError(
            f"{scan.path} and {first.path} {cause}: register them by other means, or leave one of "
            "them out."
        ) from cause
    figures = {
        name: round(value, 3)
        for name in Placed.__dataclass_fields__
        if name != "transform" and (value := getattr(placed, name)) is not None
    }
    one = AlignedChannel(channel, **figures)
    log.info("%s was registered to %s: moved by %s.", scan.path.name, first.path.name, one.told)
    return placed.transform, one


def _image(scan: Scan) -> sitk.Image:
    """A scan in its place (canonical axes)."""
    return _like(scan.array, canonical_frame(scan.geometry))


def _like(array: np.ndarray, frame: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, np.float32))
    image.CopyInformation(frame)
    return image


def _onto(scan: Scan, transform: sitk.Transform, geometry: Geometry) -> tuple[Scan, np.ndarray]:
    """A scan resampled onto another grid (cubic, without overshoot), and where it shows something.

    Air of one value around a stripped brain keeps just that value.
    """
    frame, own = canonical_frame(geometry), canonical_frame(scan.geometry)
    background = _air(scan.array)
    image = _smoothed(_like(scan.array, own), frame)

    def moved(given: sitk.Image, interpolator: int, outside: float) -> np.ndarray:
        return sitk.GetArrayFromImage(
            sitk.Resample(given, frame, transform, interpolator, outside)
        )

    array = moved(image, sitk.sitkBSpline, background)
    seen = moved(_like(np.ones(scan.array.shape), own), sitk.sitkNearestNeighbor, 0.0) > 0
    air = moved(_like(scan.array == background, own), sitk.sitkLinear, 1.0) >= 0.5
    array = np.clip(array, scan.array.min(), scan.array.max())
    array = np.where(air | ~seen, np.float32(background), array).astype(np.float32)
    x, y, z = frame.GetSpacing()
    return Scan(array, (z, y, x), geometry, scan.path), seen


def _air(array: np.ndarray) -> float:
    """The value of what surrounds the head: the middle one on the faces of the volume."""
    faces = [np.take(array, side, axis).ravel() for axis in range(3) for side in (0, -1)]
    return float(np.median(np.concatenate(faces)))


def _smoothed(image: sitk.Image, frame: sitk.Image) -> sitk.Image:
    """Smoothed along axes on which the new grid is much coarser, so that no signal is lost."""
    axes = np.reshape(image.GetDirection(), (3, 3)).T @ np.reshape(frame.GetDirection(), (3, 3))
    steps = np.abs(axes) @ np.array(frame.GetSpacing())  # the new voxel along the old axes
    own = np.array(image.GetSpacing())
    sigmas = np.where(steps > _COARSER * own, 0.35 * np.sqrt(np.maximum(steps**2 - own**2, 0)), 0)
    if not sigmas.any():
        return image
    return sitk.DiscreteGaussian(image, np.maximum(sigmas**2, 1e-6).tolist(), 32)
