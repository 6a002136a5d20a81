"""Noise, bias field and resolution of made-up brains, of which all three are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from disanat.plans import Triple
from disanat.synthesis.fields import smooth_field
from planning.measures import bias_level, effective_resolution, noise_level

SHAPE = (60, 72, 64)  # S, P, L
SPACING: Triple = (2.0, 2.0, 2.0)
COORDINATES = np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij")
RADIUS = np.sqrt(sum(x**2 for x in COORDINATES))
BRAIN = RADIUS < 0.92


def anatomy() -> np.ndarray:
    """White matter under a folded cortex, fluid in the middle and around."""
    folds = smooth_field(np.random.default_rng(0), SHAPE, SPACING, 12.0)
    depth = RADIUS + 0.06 * folds
    tissue = np.select([depth < 0.2, depth < 0.7, depth < 0.86], [40.0, 120.0, 85.0], 35.0)
    return np.where(BRAIN, ndimage.gaussian_filter(tissue, 0.4), 0.0).astype(np.float32)


ANATOMY = anatomy()
SPREAD = float(ANATOMY[BRAIN].std())


def noise(level: float, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level * SPREAD, shape)


def field(kind: str, strength: float) -> np.ndarray:
    """A field whose logarithm has that SD in the brain."""
    s, p, l_ = COORDINATES
    if kind == "slope":
        log = p + 0.5 * s
    elif kind == "centre":
        log = -(RADIUS**2)
    else:  # near a coil at one side
        log = np.exp(-((s - 0.5) ** 2 + (p - 0.5) ** 2 + (l_ + 0.3) ** 2) / 0.8)
    return np.asarray(np.exp(log / log[BRAIN].std() * strength))


@pytest.mark.parametrize("level", [0.05, 0.1, 0.2, 0.5])
def test_known_noise_is_found(level: float) -> None:
    scan = ANATOMY + noise(level)
    wanted = level * SPREAD / scan[BRAIN].std()
    assert noise_level(scan, BRAIN) == pytest.approx(wanted, rel=0.12)


def test_anatomy_alone_is_no_noise() -> None:
    assert noise_level(ANATOMY, BRAIN) < 0.01


def test_noise_has_no_unit_and_ends_with_the_brain() -> None:
    scan = ANATOMY + noise(0.1)
    outside = np.where(BRAIN, 0, np.random.default_rng(2).normal(0, 1000, SHAPE))
    assert noise_level(7 * scan - 300, BRAIN) == pytest.approx(noise_level(scan, BRAIN), rel=1e-3)
    assert noise_level(scan + outside, BRAIN) == pytest.approx(noise_level(scan, BRAIN), rel=1e-3)


@pytest.mark.parametrize("level", [0.02, 0.1, 0.4])
def test_a_scan_as_fine_as_its_voxels_has_their_size(level: float) -> None:
    found = effective_resolution(ANATOMY + noise(level), BRAIN, (3.0, 1.0, 2.0))
    assert all(f >= s for f, s in zip(found, (3.0, 1.0, 2.0), strict=True))
    assert found == pytest.approx((3.0, 1.0, 2.0), rel=0.15)


def gaussian(scan: np.ndarray, axis: int, width: int) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter1d(scan, width / 2.355, axis=axis))


def slices(scan: np.ndarray, axis: int, width: int) -> np.ndarray:
    """Slices of `width` voxels."""
    starts = np.arange(0, scan.shape[axis], width)
    sizes = np.diff(np.append(starts, scan.shape[axis]))
    shape = [-1 if a == axis else 1 for a in range(3)]
    return np.asarray(np.add.reduceat(scan, starts, axis=axis) / sizes.reshape(shape))


def repeated(scan: np.ndarray, axis: int, width: int) -> np.ndarray:
    thick = np.repeat(slices(scan, axis, width), width, axis)
    return np.take(thick, np.arange(scan.shape[axis]), axis)


def interpolated(scan: np.ndarray, axis: int, width: int) -> np.ndarray:
    thick = slices(scan, axis, width)
    at = np.clip((np.arange(scan.shape[axis]) + 0.5) / width - 0.5, 0, thick.shape[axis] - 1.001)
    part = (at % 1).reshape([-1 if a == axis else 1 for a in range(3)])
    low = at.astype(int)
    return np.asarray((1 - part) * np.take(thick, low, axis) + part * np.take(thick, low + 1, axis))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    ("blur", "ratio"), [(gaussian, 1.18), (repeated, 0.83), (interpolated, 1.2)]
)
@pytest.mark.parametrize("width", [3, 5])
def test_a_blurred_axis_is_found_and_no_other(
    axis: int, blur: object, ratio: float, width: int
) -> None:
    assert callable(blur)
    found = effective_resolution(blur(ANATOMY + noise(0.1), axis, width), BRAIN, SPACING)
    assert found[axis] == pytest.approx(2.0 * width * ratio, rel=0.2)
    others = [value for other, value in enumerate(found) if other != axis]
    assert others == pytest.approx([2.0, 2.0], rel=0.35)


@pytest.mark.parametrize("kind", ["slope", "centre", "side"])
def test_known_fields_are_found_and_ranked(kind: str) -> None:
    strengths = [0.05, 0.1, 0.2, 0.4]
    scan = ANATOMY + noise(0.1)
    found = [bias_level(scan * field(kind, s), BRAIN, SPACING) for s in strengths]
    assert found == sorted(found)
    assert all(0.7 < f / s < 1.4 for f, s in zip(found, strengths, strict=True)), found


def test_without_a_field_there_is_little_bias() -> None:
    assert bias_level(ANATOMY + noise(0.1), BRAIN, SPACING) < 0.03


def test_bias_does_not_depend_on_the_unit_or_on_the_grid() -> None:
    scan = (ANATOMY + noise(0.1)) * field("side", 0.2)
    whole = bias_level(scan, BRAIN, SPACING)
    assert bias_level(40 * scan, BRAIN, SPACING) == pytest.approx(whole, rel=0.01)
    thick = slices(scan, 0, 2), slices(BRAIN.astype(float), 0, 2) > 0.5
    assert bias_level(*thick, (4.0, 2.0, 2.0)) == pytest.approx(whole, rel=0.25)


def test_nothing_to_measure_is_no_error() -> None:
    empty = np.zeros((6, 7, 8), bool)
    few = empty.copy()
    few[2:4, 2:4, 2:4] = True
    flat, textured = np.ones(empty.shape), np.random.default_rng(0).uniform(1, 2, empty.shape)
    for scan, brain in ((flat, few), (textured, empty), (textured, few)):
        assert noise_level(scan, brain) >= 0
        assert bias_level(scan, brain, (1.0, 2.0, 3.0)) == 0
        assert effective_resolution(scan, brain, (1.0, 2.0, 3.0)) >= (1.0, 2.0, 3.0)
    assert noise_level(flat, few) == noise_level(textured, empty) == 0
    assert effective_resolution(flat, few, (1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    single = effective_resolution(textured[:1], few[2:3], (5.0, 1.0, 1.0))
    assert single[0] == 5.0
