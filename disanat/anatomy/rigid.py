"""Rigid registration of one scan of a head to another of the same head, by mutual information.

A search from several starts: where the headers put the scans, the centres or the tops of the heads
brought together, and turns to all sides. All are tried coarsely, the best are refined, and the
result is trusted only if another start, which began elsewhere, ends at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

__all__ = ["NotRegisteredError", "Registration", "refine", "register"]

_BINS = 32
_SEED = 1
_COARSE_MM, _FINE_MM = 6.0, 3.0
_TURN_DEG = 18.0
_HEAD_MM = 140.0
"""From the top of a head down: what most scans of a brain show of it."""
_REFINED = 3
_NEAR_MM = 2.0
"""Starts that end closer to each other than this agree."""
_TO_REFINE_MM = 8.0
_LEAST_INFORMATION = 0.2
"""In nats; T1 and FLAIR of one head have 0.5 to 0.7, one of them upside down 0.18."""

Found = tuple[sitk.Euler3DTransform, float]
"""A transform and its metric: lower is better."""


class NotRegisteredError(Exception):
    """Why two scans could not be brought together, in words that follow their names."""


@dataclass(frozen=True)
class Registration:
    """How a scan lies to the one it was brought to, and how well that is known.

    `transform` takes places (LPS, mm) of the fixed scan to those of the moving one. `shift_mm` is
    how far it moves the head on average from where the headers put it, `turn_deg` its rotation.
    `information_before` and `information_after` are the mutual information of the two within the
    head (nats), by the headers and by the transform. `spread_mm` is how far apart, on average over
    the head, the result lies from what another start found.
    """

    transform: sitk.Euler3DTransform
    shift_mm: float
    turn_deg: float
    information_before: float
    information_after: float
    spread_mm: float


def register(fixed: sitk.Image, moving: sitk.Image) -> Registration:
    """Find the rigid transform between two 3D scans of one head.

    Raises:
        NotRegisteredError: no trustworthy one was found.
    """
    rough = _Pair.of(fixed, moving, _COARSE_MM)
    places = _places(rough.head)
    starts = _starts(places, _places(_head(rough.moving)))
    tried = [one for start in starts if (one := rough.search(start, 40)) is not None]
    if len(tried) < 2:
        raise NotRegisteredError("show no common part of a head")
    near = _near_best(tried, places)
    if len(near) < 2:  # only one start was near enough: does it draw others that begin near it?
        again = (rough.search(start, 40) for start in _around(near[0], places.mean(axis=0)))
        near = _near_best([*tried, *(one for one in again if one is not None)], places)
    pair = _Pair.of(fixed, moving, _FINE_MM)
    found = [one for start in near[:_REFINED] if (one := pair.search(start, 120)) is not None]
    found.sort(key=lambda one: one[1])
    if len(found) < 2:
        raise NotRegisteredError(
            "could not be brought together: from no two starts the same was found"
        )
    best = found[0][0]
    spread = min(_distance(best, other, places) for other, _ in found[1:])
    if spread > _NEAR_MM:
        raise NotRegisteredError(
            f"could not be brought together: what two starts found lies {spread:.1f} mm apart"
        )
    before, after = (pair.information(t) for t in (sitk.Euler3DTransform(), best))
    if after < _LEAST_INFORMATION:
        raise NotRegisteredError("have too little in common to be brought together")
    still = sitk.Euler3DTransform()
    return Registration(best, _distance(best, still, places), _turn(best), before, after, spread)


def refine(
    fixed: sitk.Image, moving: sitk.Image, start: sitk.Euler3DTransform
) -> tuple[sitk.Euler3DTransform, float, float]:
    """Descend from one start alone, that others found; the start where nothing can be gained.

    Returns:
        the transform, and the mutual information by the headers and by it (nats).
    """
    pair = _Pair.of(fixed, moving, _FINE_MM)
    found = pair.search(start, 120)
    best = start if found is None else found[0]
    before, at_start, after = (
        pair.information(t) for t in (sitk.Euler3DTransform(), start, best)
    )
    return (best, before, after) if after > at_start else (start, before, at_start)


@dataclass(frozen=True)
class _Pair:
    """Both scans at one voxel size, and the fixed one's head with some air around it."""

    fixed: sitk.Image
    moving: sitk.Image
    head: sitk.Image
    region: sitk.Image

    @classmethod
    def of(cls, fixed: sitk.Image, moving: sitk.Image, mm: float) -> _Pair:
        smaller = _smaller(fixed, mm)
        head = _head(smaller)
        margin = [max(1, round(9.0 / s)) for s in smaller.GetSpacing()]
        return cls(smaller, _smaller(moving, mm), head, sitk.BinaryDilate(head, margin))

    def _method(self) -> sitk.ImageRegistrationMethod:
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(_BINS)
        method.SetMetricFixedMask(self.region)
        method.SetInterpolator(sitk.sitkLinear)
        return method

    def search(self, start: sitk.Euler3DTransform, iterations: int) -> Found | None:
        """Descend from a start; None where the scans do not overlap enough."""
        method = self._method()
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(0.5, _SEED)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=4.0, minStep=0.01, numberOfIterations=iterations, relaxationFactor=0.6
        )
        method.SetOptimizerScalesFromPhysicalShift()
        transform = sitk.Euler3DTransform(start)
        method.SetInitialTransform(transform, inPlace=True)
        try:
            method.Execute(self.fixed, self.moving)
        except RuntimeError:
            return None
        return transform, float(method.GetMetricValue())

    def information(self, transform: sitk.Transform) -> float:
        """Mutual information within the head, over all voxels; 0 where nothing overlaps."""
        method = self._method()
        method.SetInitialTransform(transform)
        try:
            return -float(method.MetricEvaluate(self.fixed, self.moving))
        except RuntimeError:
            return 0.0


def _smaller(image: sitk.Image, mm: float) -> sitk.Image:
    """The image with voxels of at least `mm`, smoothed accordingly; in its own place."""
    old = image.GetSpacing()
    new = [max(s, mm) for s in old]
    size = [max(4, round(n * s / t)) for n, s, t in zip(image.GetSize(), old, new)]
    variances = [max(0.12 * (t * t - s * s), 1e-6) for s, t in zip(old, new)]
    smooth = sitk.DiscreteGaussian(sitk.Cast(image, sitk.sitkFloat32), variances, 16)
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing(new)
    grid.SetDirection(image.GetDirection())
    first = [((n * s) - (m * t)) / (2 * s) + (t - s) / (2 * s) for n, s, m, t in
             zip(image.GetSize(), old, size, new)]
    grid.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(first))
    return sitk.Resample(smooth, grid, sitk.Transform(), sitk.sitkLinear, 0.0)


def _head(image: sitk.Image) -> sitk.Image:
    """The largest bright part, without holes."""
    bright = sitk.OtsuThreshold(image, 0, 1, 128)
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(bright))
    return sitk.Cast(sitk.BinaryFillhole(parts == 1), sitk.sitkUInt8)


def _places(head: sitk.Image) -> np.ndarray:
    """Where (LPS, mm) the voxels of a head lie, in the 140 mm below its top; shape (n, 3)."""
    index = np.argwhere(sitk.GetArrayViewFromImage(head) > 0)[:, ::-1]
    axes = np.reshape(head.GetDirection(), (3, 3)) * np.array(head.GetSpacing())
    places = index @ axes.T + np.array(head.GetOrigin())
    return np.asarray(places[places[:, 2] > places[:, 2].max() - _HEAD_MM])


def _starts(fixed: np.ndarray, moving: np.ndarray) -> list[sitk.Euler3DTransform]:
    """Transforms to begin with; all turn about the middle of the fixed head."""
    centre = fixed.mean(axis=0)
    to_centre = moving.mean(axis=0) - centre
    to_top = np.array([*to_centre[:2], moving[:, 2].max() - fixed[:, 2].max()])
    shifts = (np.zeros(3), to_centre, to_top)
    starts = [_transform(centre, shift, np.zeros(3)) for shift in shifts]
    turns = np.deg2rad(_TURN_DEG) * np.concatenate([np.eye(3), -np.eye(3)])
    return starts + [_transform(centre, to_centre, turn) for turn in turns]


def _around(found: sitk.Euler3DTransform, centre: np.ndarray) -> list[sitk.Euler3DTransform]:
    """Six starts near a result: turned a little about each axis, and moved."""
    angles = np.array([found.GetAngleX(), found.GetAngleY(), found.GetAngleZ()])
    shift = np.subtract(found.TransformPoint(centre.tolist()), centre)
    steps = np.concatenate([np.eye(3), -np.eye(3)])
    return [
        _transform(centre, shift + 8.0 * step[::-1], angles + np.deg2rad(10.0) * step)
        for step in steps
    ]


def _near_best(tried: list[Found], places: np.ndarray) -> list[sitk.Euler3DTransform]:
    """The best result and those that lie near it, best first."""
    ordered = [transform for transform, _ in sorted(tried, key=lambda one: one[1])]
    return [t for t in ordered if _distance(t, ordered[0], places) < _TO_REFINE_MM]


def _transform(
    centre: np.ndarray, shift: np.ndarray, turn: np.ndarray
) -> sitk.Euler3DTransform:
    return sitk.Euler3DTransform(centre.tolist(), *turn.tolist(), shift.tolist())


def _distance(one: sitk.Transform, other: sitk.Transform, places: np.ndarray) -> float:
    """How far apart two transforms put the places of a head, on average, in mm."""
    some = places[:: max(1, len(places) // 200)]
    apart = [
        np.subtract(one.TransformPoint(p.tolist()), other.TransformPoint(p.tolist())) for p in some
    ]
    return float(np.linalg.norm(apart, axis=1).mean())


def _turn(transform: sitk.Euler3DTransform) -> float:
    matrix = np.reshape(transform.GetMatrix(), (3, 3))
    return float(np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1))))
