"""What the registration benchmark measures with: scans put elsewhere, routes, and how far off."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.anatomy.anatomy_registration import distance_mm, register_linear
from disanat.anatomy.atlas_registration import align, centred_image, coarse, moments_transform
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy, centred_anatomy, moved_points
from disanat.errors import DisanatError
from disanat.inference.model import Model
from disanat.inference.registering import by_both, matrix_of
from disanat.inference.soft_anatomy import soft_anatomy
from disanat.io.images import Scan, as_scan, canonical_frame, in_canonical_axes, read_scan
from disanat.preprocessing.alignment import by_intensity

__all__ = [
    "Found",
    "Seen",
    "affine_by_intensity",
    "label_dice",
    "moved_scan",
    "random_move",
    "rigid_by_anatomy",
    "rigid_by_both",
    "rigid_by_intensity",
    "with_array",
]

_FIT_MM = 3.0
_NODS_DEG = (-30.0, -15.0, 0.0, 15.0)
_TURNED_MM = (2.0, 240.0)


@dataclass(frozen=True)
class Seen:
    """A scan, and its tissues once they are asked for."""

    scan: Scan
    encoder: Model

    @classmethod
    def read(cls, path: Path, encoder: Model) -> Seen:
        return cls(read_scan(path), encoder)

    @cached_property
    def anatomy(self) -> SoftAnatomy:
        return soft_anatomy(self.scan, self.encoder)


@dataclass(frozen=True)
class Found:
    """What a route says: the matrix (fixed to moving, mm), or why there is none; and seconds."""

    matrix: np.ndarray | None
    seconds: float
    agreement: float = float("nan")
    why: str = ""

    def error_mm(self, truth: np.ndarray, places: np.ndarray) -> float:
        """Mean distance from the truth over places of the fixed brain; infinite without result."""
        return float("inf") if self.matrix is None else distance_mm(self.matrix, truth, places)


def _timed(find: Callable[[], tuple[np.ndarray, float]]) -> Found:
    began = time.process_time()
    try:
        matrix, agreement = find()
    except (DisanatError, NotRegisteredError) as mistake:
        return Found(None, time.process_time() - began, why=str(mistake))
    return Found(matrix, time.process_time() - began, agreement)


def rigid_by_anatomy(fixed: Seen, moving: Seen) -> Found:
    """The moving scan's anatomy is found within the time."""

    def find() -> tuple[np.ndarray, float]:
        made = register_linear(fixed.anatomy, moving.anatomy)
        return made.matrix, made.agreement_after

    fixed.anatomy  # noqa: B018
    return _timed(find)


def rigid_by_intensity(fixed: Seen, moving: Seen) -> Found:
    def find() -> tuple[np.ndarray, float]:
        return matrix_of(by_intensity(fixed.scan, moving.scan).transform), float("nan")

    return _timed(find)


def rigid_by_both(fixed: Seen, moving: Seen) -> Found:
    """As `--register` alone: the tissues find it, mutual information refines it."""

    def find() -> tuple[np.ndarray, float]:
        placed = by_both(fixed.scan, moving.scan, fixed.anatomy, moving.anatomy)
        return matrix_of(placed.transform), placed.agreement_after or float("nan")

    return _timed(find)


def affine_by_intensity(fixed: Seen, moving: Seen) -> np.ndarray:
    """Mutual information of two stripped brains from four nods, as the atlas is registered.

    Returns:
        (4, 4), from the fixed to the moving scan in mm.
    """
    shown = [_stripped(one) for one in (fixed, moving)]
    (image, mask), (other, brain) = shown
    small, small_mask = coarse(image, _FIT_MM), coarse(mask, _FIT_MM, sitk.sitkNearestNeighbor)
    source, inside = coarse(other, _FIT_MM), sitk.GetArrayFromImage(small_mask) > 0
    region = sitk.BinaryDilate(small_mask, [2, 2, 2])
    tries = []
    for nod in _NODS_DEG:
        there = sitk.GetArrayFromImage(brain) > 0
        initial = moments_transform(inside, small, there, brain)
        initial.Rotate(1, 2, float(np.deg2rad(nod)))
        tries.append(align(small, region, source, initial, iterations=20, shrink=(2,)))
    best = min(tries, key=lambda pair: pair[1])[0]
    found = matrix_of(align(small, region, source, best, shrink=(2, 1))[0])
    ours, theirs = (_to_centred(one) for one in (fixed, moving))
    return np.asarray(np.linalg.inv(theirs) @ found @ ours)


def _stripped(seen: Seen) -> tuple[sitk.Image, sitk.Image]:
    """Brain and mask on the tissues' own grid, centred."""
    tissues = seen.anatomy
    index = np.argwhere(np.ones(tissues.probabilities.shape[1:], bool))
    at = moved_points(np.linalg.inv(tissues.view_to_mm) @ tissues.to_mm, index)
    nearest = tuple(np.clip(np.rint(at).astype(int), 0, np.array(tissues.view_shape) - 1).T)
    brain = tissues.probabilities.sum(0) > 0.5
    values = seen.scan.array[nearest].reshape(brain.shape) * brain
    return (
        centred_image(values.astype(np.float32), tissues.spacing),
        centred_image(brain, tissues.spacing),
    )


def _to_centred(seen: Seen) -> np.ndarray:
    tissues = seen.anatomy
    centred = centred_anatomy(tissues.probabilities, tissues.spacing)
    return np.asarray(centred.to_mm @ np.linalg.inv(tissues.to_mm))


def random_move(
    rng: np.random.Generator, centre: np.ndarray, turn_deg: float, shift_mm: float
) -> np.ndarray:
    """A rotation about a place by exactly `turn_deg` about any axis, then a shift; (4, 4)."""
    axis, way = rng.normal(size=(2, 3))
    turn = sitk.VersorTransform((axis / np.linalg.norm(axis)).tolist(), np.deg2rad(turn_deg))
    move = np.eye(4)
    move[:3, :3] = np.reshape(turn.GetMatrix(), (3, 3))
    move[:3, 3] = centre - move[:3, :3] @ centre + shift_mm * way / np.linalg.norm(way)
    return move


def with_array(scan: Scan, array: np.ndarray) -> Scan:
    return Scan(array.astype(np.float32), scan.spacing, scan.geometry, scan.path)


def moved_scan(scan: Scan, move: np.ndarray, centre: np.ndarray, turned: bool) -> Scan:
    """A scan put elsewhere: by its header alone, or turned within an upright volume.

    Args:
        scan: any.
        move: (4, 4), from where its places lie to where they are put, in mm.
        centre: of its head, in mm.
        turned: resample it, so that the head lies oblique in the voxels.
    """
    image = sitk.GetImageFromArray(scan.array)
    image.CopyInformation(canonical_frame(scan.geometry))
    direction = move[:3, :3] @ np.reshape(image.GetDirection(), (3, 3))
    image.SetOrigin(moved_points(move, [image.GetOrigin()])[0].tolist())
    image.SetDirection(direction.ravel().tolist())
    if turned:
        step, extent = _TURNED_MM
        grid = sitk.Image([round(extent / step)] * 3, sitk.sitkFloat32)
        grid.SetSpacing([step] * 3)
        grid.SetOrigin((moved_points(move, [tuple(centre)])[0] - (extent - step) / 2).tolist())
        outside = float(np.percentile(scan.array, 1))
        image = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, outside)
    return as_scan(*in_canonical_axes(image, scan.path), 0, scan.path)


def label_dice(
    ours: Scan,
    theirs: Scan,
    forward: Callable[[np.ndarray], np.ndarray],
    groups: np.ndarray | None = None,
) -> float:
    """Mean Dice of the labels of two maps, the second brought onto the first (nearest voxel).

    Args:
        ours: labels of the fixed brain.
        theirs: of the moving one.
        forward: takes places (n, 3) of the fixed brain to the moving one, in mm.
        groups: number -> group that counts instead; 0 is left out.
    """
    a_mm, b_mm = (_index_to_mm(one) for one in (ours, theirs))
    box = np.argwhere(ours.array >= 0)
    there = np.rint(moved_points(np.linalg.inv(b_mm), forward(moved_points(a_mm, box))))
    inside = ((there >= 0) & (there < np.array(theirs.array.shape))).all(1)
    moved = np.zeros(len(box), int)
    moved[inside] = theirs.array[tuple(there[inside].astype(int).T)]
    own = ours.array.ravel()
    if groups is not None:
        own, moved = groups[own], groups[moved]
    n = int(max(own.max(), moved.max())) + 1
    sizes = np.bincount(own, minlength=n) + np.bincount(moved, minlength=n)
    both = np.bincount(own[own == moved], minlength=n)
    there_is = np.bincount(own, minlength=n)[1:] > 0
    return float((2 * both[1:][there_is] / sizes[1:][there_is]).mean())


def _index_to_mm(scan: Scan) -> np.ndarray:
    frame = canonical_frame(scan.geometry)
    axes = np.reshape(frame.GetDirection(), (3, 3)) * np.array(frame.GetSpacing())
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes[:, ::-1], frame.GetOrigin()
    return matrix
