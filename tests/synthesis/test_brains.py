"""Simulated brains look like brains, and lesions look wet."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from disanat.synthesis.brains import SimulatedBrain, render_scan, simulate_brain, simulate_lesions

SPACING_MM = 4.0
VOXEL_ML = SPACING_MM**3 / 1000


@pytest.fixture(scope="module")
def brain() -> SimulatedBrain:
    return simulate_brain(np.random.default_rng(5), SPACING_MM)


def medians(scan: np.ndarray, brain: SimulatedBrain, where: np.ndarray) -> list[float]:
    return [float(np.median(scan[(brain.maps[k] > 0.8) & where])) for k in range(3)]


def test_maps_are_shares_of_one_brain(brain: SimulatedBrain) -> None:
    total = brain.maps.sum(axis=0)
    np.testing.assert_allclose(total[brain.mask], 1, atol=1e-4)
    assert brain.maps.dtype == np.float32 and total[~brain.mask].max() == 0
    assert 1000 < brain.mask.sum() * VOXEL_ML < 2000
    shares = brain.maps.sum(axis=(1, 2, 3)) / brain.mask.sum()
    assert shares[1] > shares[2] > shares[0] > 0.02
    parts, _ = ndimage.label(brain.mask)
    assert np.bincount(parts.ravel())[1:].max() > 0.99 * brain.mask.sum()


def test_brains_differ_and_repeat(brain: SimulatedBrain) -> None:
    again = simulate_brain(np.random.default_rng(5), SPACING_MM)
    np.testing.assert_array_equal(again.maps, brain.maps)
    other = simulate_brain(np.random.default_rng(6), SPACING_MM)
    assert other.mask.shape != brain.mask.shape or (other.mask != brain.mask).any()


@pytest.mark.parametrize("seed", range(4))
def test_contrasts_deserve_their_names(brain: SimulatedBrain, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for weighting in ("t1_prepared", "t2", "flair"):
        scan = render_scan(rng, brain, weighting)
        assert scan.dtype == np.float32 and (scan[~brain.mask] == 0).all()
        csf, grey, white = medians(scan, brain, brain.mask)
        if weighting == "t1_prepared":
            assert white > grey > csf
        elif weighting == "t2":
            assert csf > grey > white
        else:
            assert csf < 0.7 * white and grey > 0.93 * white  # partial volume with dark fluid


@pytest.mark.parametrize(
    "kind, low, high", [("small", 0.25, 12), ("medium", 3.5, 33), ("large", 19, 51)]
)
def test_lesion_volumes(brain: SimulatedBrain, kind, low: float, high: float) -> None:
    for seed in range(3):
        lesion = simulate_lesions(np.random.default_rng(seed), brain, kind)
        assert low < lesion.share.sum() * VOXEL_ML < high
        assert lesion.share[~brain.mask].max() == 0
        water = lesion.water[lesion.share > 0.5]
        assert water.min() >= 0.25 and water.max() <= 0.6


@pytest.mark.parametrize(
    "weighting, brighter", [("t1_prepared", False), ("t2", True), ("flair", True)]
)
def test_lesions_look_wet(brain: SimulatedBrain, weighting, brighter: bool) -> None:
    rng = np.random.default_rng(3)
    lesion = simulate_lesions(rng, brain, "large")
    scan = render_scan(rng, brain, weighting, lesion)
    white = medians(scan, brain, lesion.share < 0.01)[2]
    sick = float(np.median(scan[(lesion.share > 0.5) & (brain.maps[2] > 0.5)]))
    assert sick > 1.15 * white if brighter else sick < 0.9 * white


def test_large_lesions_have_a_wetter_core(brain: SimulatedBrain) -> None:
    lesion = simulate_lesions(np.random.default_rng(0), brain, "large")
    depth = ndimage.distance_transform_edt(lesion.share > 0.05)
    inner, outer = depth > 0.7 * depth.max(), (depth > 0) & (depth < 0.3 * depth.max())
    assert lesion.water[inner].mean() > lesion.water[outer].mean() + 0.05
