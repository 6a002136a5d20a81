"""Likelihood ratios: how they order voxels, not what they amount to."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.scoring.intensity import Imaging
from disanat.scoring.likelihood import lesion_log_ratio, place_log_prior, smooth_inside
from disanat.tissues import THREE_CLASSES

MEDIANS = {"t1": (-2.0, 0.0, 1.0), "t2": (3.0, 0.2, -0.5), "flair": (-2.0, 0.6, 0.2)}


def ratio(
    contrast: str,
    intensities: np.ndarray,
    tissue: int,
    bias: float = 0.0,
    contrasts: dict[str, float] | None = None,
) -> np.ndarray:
    """Of voxels with these intensities where the restored anatomy is one tissue."""
    weights = contrasts or {contrast: 1.0}
    x = np.asarray(intensities, np.float32).reshape(-1, 1, 1)
    restored = np.zeros((4, *x.shape), np.float32)
    restored[tissue] = 1
    imaging = Imaging(
        np.array(MEDIANS[contrast]),
        np.full(3, 0.3),
        np.full(x.shape, bias, np.float32),
        (MEDIANS[contrast][0] - 0.1, MEDIANS[contrast][0] + 0.1),
    )
    return lesion_log_ratio(x + bias, restored, imaging, weights, THREE_CLASSES).ravel()


@pytest.mark.parametrize(("contrast", "lesion"), [("t1", -0.8), ("t2", 1.6), ("flair", 2.5)])
@pytest.mark.parametrize("bias", [0.0, 1.3])
def test_wet_white_matter_is_likelier_a_lesion(contrast: str, lesion: float, bias: float) -> None:
    white = MEDIANS[contrast][2]
    abnormal, normal = ratio(contrast, np.array([lesion, white]), 3, bias)
    assert abnormal > 2 > 0 > normal
    np.testing.assert_allclose(
        ratio(contrast, np.array([lesion, white]), 3), [abnormal, normal], atol=1e-4
    )


@pytest.mark.parametrize("contrast", ["t1", "t2", "flair"])
def test_what_belongs_to_the_tissue_is_healthy(contrast: str) -> None:
    for tissue in (1, 2, 3):
        median = MEDIANS[contrast][tissue - 1]
        assert ratio(contrast, np.array([median]), tissue)[0] < 0.5


def test_the_same_intensity_counts_where_it_does_not_belong() -> None:
    """As dark as fluid is healthy in a ventricle and not in white matter."""
    fluid = MEDIANS["t1"][0]
    inside_white, inside_fluid = (ratio("t1", np.array([fluid]), k)[0] for k in (3, 1))
    assert inside_white > inside_fluid + 3


def test_the_ratio_grows_on_the_way_out_of_the_tissue() -> None:
    values = ratio("flair", np.linspace(0.3, 2.0, 12), 3)
    assert (np.diff(values) > 0).all()


def test_where_the_contrast_is_unsure_lesions_of_both_kinds_count() -> None:
    dark, bright = np.array([-0.8]), np.array([2.5])
    unsure = {"t1": 0.3, "flair": 0.7}
    for lesion, sure in ((dark, "t1"), (bright, "flair")):
        alone = ratio("t1", lesion, 3, contrasts={sure: 1.0})[0]
        both = ratio("t1", lesion, 3, contrasts=unsure)[0]
        other = ratio("t1", lesion, 3, contrasts={"t1" if sure == "flair" else "flair": 1.0})[0]
        assert other + 2 < both < alone
        assert both == pytest.approx(alone + np.log(unsure[sure]), abs=0.3)


def test_all_is_finite() -> None:
    extremes = np.array([-4.0, 6.0, 0.0])
    for contrast in MEDIANS:
        for tissue in range(4):
            assert np.isfinite(ratio(contrast, extremes, tissue)).all()


def test_places_deep_in_white_matter_come_first() -> None:
    restored = np.zeros((4, 24, 24, 24), np.float32)
    restored[0] = 1
    restored[:, 4:20, 4:20, 4:20] = np.reshape([0, 0, 1, 0], (4, 1, 1, 1))
    restored[:, 8:16, 8:16, 8:16] = np.reshape([0, 0, 0, 1], (4, 1, 1, 1))
    prior = place_log_prior(restored, (2.0, 2.0, 2.0), THREE_CLASSES)
    assert prior[12, 12, 12] > prior[7, 12, 12] > prior[1, 12, 12]
    assert prior.max() <= 0 and prior.dtype == np.float32 and np.isfinite(prior).all()


def test_smoothing_lets_nothing_in_from_outside() -> None:
    brain = np.zeros((12, 12, 12), bool)
    brain[3:9, 3:9, 3:9] = True
    flat = smooth_inside(np.where(brain, 2.0, 1000.0), brain)
    np.testing.assert_allclose(flat[brain], 2.0, atol=1e-4)
    assert (flat[~brain] == flat[brain].min()).all()
    spot = np.zeros(brain.shape)
    spot[5, 5, 5] = 1
    smooth = smooth_inside(spot, brain)
    assert smooth.argmax() == spot.argmax() and 0.01 < smooth.max() < 0.3
