"""Probes: the lesions that judge, and that training never sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from disanat.synthesis.probes import (
    PROBE_KINDS,
    SIZES_ML,
    STRENGTHS,
    Probe,
    ProbeKind,
    draw_probe,
    paste_probe,
)

SPACING = (4.0, 4.0, 4.0)
FLUID = (1,)


@pytest.fixture(scope="module")
def healthy(miniature: Any) -> tuple[np.ndarray, np.ndarray]:
    brain = miniature.brain(0)
    inside = brain.image[brain.labels > 0]
    image = (brain.image - inside.mean()) / inside.std()
    return np.where(brain.labels > 0, image, -4).astype(np.float32), brain.labels


@pytest.fixture(scope="module")
def drawn(healthy: tuple[np.ndarray, np.ndarray]) -> list[Probe]:
    image, labels = healthy
    rng = np.random.default_rng(0)
    return [draw_probe(rng, image, labels, FLUID, SPACING) for _ in range(60)]


def paste(
    healthy: tuple[np.ndarray, np.ndarray],
    kind: ProbeKind,
    volume_ml: float = 15.0,
    strength: float | None = 2.0,
    seed: int = 0,
) -> Probe:
    image, labels = healthy
    rng = np.random.default_rng(seed)
    return paste_probe(rng, image, labels, FLUID, SPACING, kind, volume_ml, strength)


def test_a_probe_lies_in_solid_tissue_and_changes_nothing_else(
    drawn: list[Probe], healthy: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = healthy
    for probe in drawn:
        assert probe.image.dtype == np.float32 and probe.mask.dtype == bool and probe.mask.any()
        assert probe.weight.min() >= 0 and probe.weight.max() <= 1
        assert (probe.weight[labels <= 1] == 0).all()
        np.testing.assert_array_equal(probe.mask, probe.weight >= 0.5)
        untouched = probe.weight == 0
        np.testing.assert_array_equal(probe.image[untouched], image[untouched])
        assert probe.image.min() >= -4 and probe.image.max() <= 6
        assert STRENGTHS[0] <= probe.strength <= STRENGTHS[1]


def test_kinds_sizes_and_borders_vary(drawn: list[Probe]) -> None:
    assert {p.kind for p in drawn} == set(PROBE_KINDS)
    sizes = [p.volume_ml for p in drawn]
    assert min(sizes) < 0.3 and 20 < max(sizes) <= SIZES_ML[1]
    hard = [np.isin(p.weight, (0, 1)).all() for p in drawn]
    assert 0.2 < np.mean(hard) < 0.8
    assert any(ndimage.label(p.mask)[1] > 1 for p in drawn)


def test_the_scan_given_is_left_as_it_is(healthy: tuple[np.ndarray, np.ndarray]) -> None:
    before = healthy[0].copy()
    paste(healthy, "brighter")
    np.testing.assert_array_equal(healthy[0], before)


@pytest.mark.parametrize("volume_ml", (0.01, 0.64, 6.4, 64.0))
def test_the_size_asked_for_is_kept(
    healthy: tuple[np.ndarray, np.ndarray], volume_ml: float
) -> None:
    for seed in range(5):
        probe = paste(healthy, "darker", volume_ml, seed=seed)
        assert probe.volume_ml == pytest.approx(max(volume_ml, 0.064))


def test_each_kind_looks_as_its_name_says(healthy: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = healthy
    for seed in range(5):
        change = {}
        for kind in PROBE_KINDS:
            probe = paste(healthy, kind, seed=seed)
            change[kind] = (probe.image - image)[probe.weight == 1]
        assert change["darker"].mean() < -1.2 and change["brighter"].mean() > 1.2
        assert abs(change["textured"].mean()) < 1 and change["textured"].std() > 0.8


def test_a_rim_is_bright_around_a_dark_core(healthy: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = healthy
    wins = 0
    for seed in range(10):
        probe = paste(healthy, "rim", 60.0, seed=seed)
        depth = ndimage.distance_transform_edt(probe.mask)
        change = probe.image - image
        inner, outer = change[depth >= np.quantile(depth[probe.mask], 0.9)], change[depth == 1]
        wins += inner.mean() < 0 < outer.mean()
    assert wins >= 8


def test_shapes_are_no_balls(healthy: tuple[np.ndarray, np.ndarray]) -> None:
    """In its bounding sphere a ball fills everything, a probe little."""
    fills = []
    for seed in range(10):
        probe = paste(healthy, "darker", 30.0, seed=seed)
        at = np.argwhere(probe.mask) * 4.0
        radius = np.linalg.norm(at - at.mean(0), axis=1).max()
        fills.append(probe.volume_ml / (4 / 3 * np.pi * radius**3 / 1000))
    assert np.median(fills) < 0.4


def test_the_same_seed_gives_the_same_probe(healthy: tuple[np.ndarray, np.ndarray]) -> None:
    first, again, other = (paste(healthy, "textured", seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    assert (first.mask != other.mask).any()


def test_thick_slices(healthy: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = (a[::3] for a in healthy)
    rng = np.random.default_rng(0)
    probe = paste_probe(rng, image, labels, FLUID, (12.0, 4.0, 4.0), "rim", 10.0)
    assert probe.volume_ml == pytest.approx(10.0, abs=0.1)


def test_what_cannot_be_pasted(healthy: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="use darker, brighter, textured, rim"):
        paste(healthy, "striped")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="less tissue"):
        paste(healthy, "darker", 5000.0)
    empty = np.zeros((8, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="tissue"):
        draw_probe(np.random.default_rng(0), empty.astype(np.float32), empty, FLUID, SPACING)
