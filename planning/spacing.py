"""Voxel size, slicing and context: what the geometry of a dataset decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from disanat.plans import AXES, Decision, Fingerprint, Triple

__all__ = [
    "context_slices",
    "describe_spacing",
    "median_crop",
    "slice_axis",
    "target_spacing",
]

Axis = Literal["S", "P", "L"]
_COARSE = 3.0
_CLEARLY_COARSER = 1.5
_FINER = 0.75
"""Splines may show scans on voxels this much smaller than their own where label maps are finer."""
_TWO_NEIGHBOURS_MM, _ONE_NEIGHBOUR_MM = 3.0, 5.0


def describe_spacing(spacing: Sequence[float]) -> str:
    """`2 x 2 x 2 mm`."""
    return " x ".join(f"{value:.4g}" for value in spacing) + " mm"


def target_spacing(fingerprint: Fingerprint, device: str) -> tuple[Triple, Decision]:
    """The voxel size (mm; S, P, L) that every scan is resampled to, and why.

    It is the median of the cases on each axis. Where one axis is more than three times coarser than
    the others and has less than a third of their voxels, thick-slice and thin-slice scans may be
    mixed there, and the 10th percentile keeps more of the thin ones (the rule of nnU-Net, Isensee
    et al., Nat Methods 18, 2021); it never falls below the coarser of the other two axes.

    For a GPU, label maps without scans that are finer on every axis take the voxel size down to
    three quarters of that, or to their own: more of a small lesion and of a narrow sulcus is left.
    On a CPU, where a step would take twice the time, it stays: after the same hours of training
    fewer samples have been seen, and fewer synthetic lesions were found.
    """
    spacings = np.array([case.spacing for case in fingerprint.cases], float)
    shapes = np.array([case.shape_after_crop for case in fingerprint.cases], float)
    target, shape = np.median(spacings, axis=0), np.median(shapes, axis=0)
    coarse = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != coarse]
    reason = (
        f"the median of {len(spacings)} cases, whose voxels go from "
        f"{describe_spacing(spacings.min(axis=0))} to {describe_spacing(spacings.max(axis=0))}"
    )
    if (
        target[coarse] > _COARSE * target[others].max()
        and shape[coarse] * _COARSE < shape[others].min()
    ):
        median = target[coarse]
        tenth = float(np.percentile(spacings[:, coarse], 10))
        target[coarse] = max(tenth, target[others].max())
        reason += (
            f"; across {AXES[coarse]}, where the median of {median:.4g} mm is more than three "
            f"times the {target[others].max():.4g} mm of the other axes, the 10th percentile"
        )
    maps = fingerprint.label_map_spacing
    finer = maps is not None and all(m < t for m, t in zip(maps, target, strict=True))
    if finer and device == "cpu":
        reason += (
            f"; {fingerprint.label_maps} label maps are finer, but the time of a CPU is better "
            "spent on more samples"
        )
    elif maps is not None and finer:
        target = np.maximum(maps, _FINER * target)
        reason += (
            f"; {fingerprint.label_maps} label maps of {describe_spacing(maps)} take it down to "
            f"{_FINER:.0%} of that, or to their own, so that small lesions and sulci keep more "
            "voxels"
        )
    s, p, l_ = (round(float(value), 4) for value in target)
    value = describe_spacing((s, p, l_)) + " (S, P, L)"
    return (s, p, l_), Decision("voxel size", value, reason[0].upper() + reason[1:] + ".")


def slice_axis(spacing: Triple) -> tuple[Axis, str]:
    """The axis across which 2D slices are cut, and why."""
    order = sorted(range(3), key=lambda axis: spacing[axis])
    coarsest, second = order[2], order[1]
    ratio = spacing[coarsest] / spacing[second]
    if ratio > _CLEARLY_COARSER:
        axis: Axis = AXES[coarsest]  # type: ignore[assignment]
        return axis, (
            f"The scans are thickest across {axis} ({spacing[coarsest]:.4g} mm, {ratio:.2g} times "
            "the next axis), so slices are cut where no detail is lost."
        )
    return "S", (
        f"No axis is more than {_CLEARLY_COARSER} times coarser than the next (here "
        f"{ratio:.2g} times), so slices are axial."
    )


def context_slices(through_plane_mm: float) -> tuple[int, str]:
    """How many neighbours a slice brings along on each side, and why."""
    if through_plane_mm <= _TWO_NEIGHBOURS_MM:
        count, limit = 2, f"at most {_TWO_NEIGHBOURS_MM:g} mm"
    elif through_plane_mm <= _ONE_NEIGHBOUR_MM:
        count, limit = 1, f"between {_TWO_NEIGHBOURS_MM:g} and {_ONE_NEIGHBOUR_MM:g} mm"
    else:
        count, limit = 0, f"above {_ONE_NEIGHBOUR_MM:g} mm"
    return count, (
        f"Slices lie {through_plane_mm:.4g} mm apart ({limit}), so the nearest {count} on each side"
        " still show the same tissue."
        if count
        else f"Slices lie {through_plane_mm:.4g} mm apart ({limit}), so a neighbour shows other "
        "tissue and is left out."
    )


def median_crop(fingerprint: Fingerprint, spacing: Triple) -> tuple[float, float, float]:
    """Median size of a brain's bounding box in voxels of `spacing`, axes S, P, L."""
    sizes = [
        np.array(case.shape_after_crop) * np.array(case.spacing) / np.array(spacing)
        for case in fingerprint.cases
    ]
    s, p, l_ = (float(value) for value in np.median(sizes, axis=0))
    return s, p, l_
