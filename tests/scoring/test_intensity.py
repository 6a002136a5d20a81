"""The imaging code and the bias of a scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from disanat.scoring.intensity import (
    Imaging,
    contrast_kind,
    contrast_weights,
    fit_imaging,
    with_sulci,
)
from disanat.tissues import EIGHT_CLASSES, THREE_CLASSES, TWELVE_CLASSES

SPACING = (4.0, 4.0, 4.0)


def onehot(labels: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.eye(4, dtype=np.float32)[labels], -1, 0)


def painted(labels: np.ndarray, medians: tuple[float, ...], noise: float = 0.15) -> np.ndarray:
    scatter = np.random.default_rng(0).normal(0, noise, labels.shape)
    return (np.array([-4.0, *medians])[labels] + scatter * (labels > 0)).astype(np.float32)


def test_medians_and_scales_without_bias(miniature: Any) -> None:
    labels = miniature.brain(0).labels
    q = onehot(labels)
    fit = fit_imaging(painted(labels, (-1.5, 0.0, 1.0)), q, q, SPACING, THREE_CLASSES)
    np.testing.assert_allclose(fit.median, [-1.5, 0.0, 1.0], atol=0.03)
    np.testing.assert_allclose(fit.scale, 0.15, rtol=0.15)
    assert np.abs(fit.bias[labels > 0]).max() < 0.1


def test_a_lesion_that_fills_a_tenth_pulls_nothing(miniature: Any) -> None:
    labels = miniature.brain(0).labels
    image, q = painted(labels, (-1.5, 0.0, 1.0)), onehot(labels)
    place = np.argwhere(labels == 3)
    far = np.linalg.norm(place - place[0], axis=1)
    lesion = place[far <= np.quantile(far, 0.1 * (labels > 0).sum() / len(place))]
    image[tuple(lesion.T)] = 4.5
    assert len(lesion) / (labels > 0).sum() == pytest.approx(0.1, abs=0.02)
    fit = fit_imaging(image, q, q, SPACING, THREE_CLASSES)
    np.testing.assert_allclose(fit.median, [-1.5, 0.0, 1.0], atol=0.15)
    # Where observed and restored anatomy differ, nothing is learned: no pull at all.
    observed = labels.copy()
    observed[tuple(lesion.T)] = 1
    fit = fit_imaging(image, onehot(observed), q, SPACING, THREE_CLASSES)
    np.testing.assert_allclose(fit.median, [-1.5, 0.0, 1.0], atol=0.03)
    assert np.abs(fit.bias[labels > 0]).max() < 0.12


def test_a_smooth_bias_is_recovered(miniature: Any) -> None:
    labels = miniature.brain(0).labels
    q, inside = onehot(labels), labels > 0
    ramps = np.meshgrid(*[np.linspace(-1, 1, n) for n in labels.shape], indexing="ij")
    bias = 0.7 * ramps[0] - 0.5 * ramps[1]
    image = painted(labels, (-1.5, 0.0, 1.0)) + (bias * inside).astype(np.float32)
    fit = fit_imaging(image, q, q, SPACING, THREE_CLASSES)
    assert np.corrcoef(fit.bias[inside], bias[inside])[0, 1] > 0.97
    left = (bias - fit.bias)[inside]
    assert left.std() < 0.45 * bias[inside].std()
    np.testing.assert_allclose(fit.median, [-1.5, 0.0, 1.0], atol=0.12)


def test_a_class_that_is_not_there_takes_its_kinds_values(miniature: Any) -> None:
    """Eight classes, of which only outer fluid, cortex and white matter occur."""
    labels = np.array([0, 1, 3, 4])[miniature.brain(0).labels]
    q = np.moveaxis(np.eye(9, dtype=np.float32)[labels], -1, 0)
    image = painted(miniature.brain(0).labels, (-1.5, 0.0, 1.0))
    fit = fit_imaging(image, q, q, SPACING, EIGHT_CLASSES)
    expected = [-1.5, -1.5, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    np.testing.assert_allclose(fit.median, expected, atol=0.05)


@pytest.mark.parametrize(("fluid", "grey"), [(3.0, 0.2), (-2.0, 0.5)])
def test_sulci_that_are_never_sure_lie_between_cortex_and_fluid(
    miniature: Any, fluid: float, grey: float
) -> None:
    """They took the values of cortex, and PHIs were painted without sulci."""
    labels = np.array([0, 1, 3, 4])[miniature.brain(0).labels]
    q = np.moveaxis(np.eye(13, dtype=np.float32)[labels], -1, 0)
    number = {c.name: k for k, c in enumerate(TWELVE_CLASSES)}
    cortex = labels == 3
    q[number["sulci"] + 1][cortex], q[3][cortex] = 0.3, 0.7
    image = painted(miniature.brain(0).labels, (fluid, grey, -0.4))
    fit = fit_imaging(image, q, q, SPACING, TWELVE_CLASSES)
    mended = with_sulci(fit, TWELVE_CLASSES)
    expected = grey + 0.8 * (fluid - grey)
    assert abs(fit.median[number["sulci"]] - grey) < 0.1
    assert mended.median[number["sulci"]] == pytest.approx(expected, abs=0.1)
    others = [k for name, k in number.items() if name not in ("sulci", "cerebellar_fissures")]
    np.testing.assert_array_equal(mended.median[others], fit.median[others])
    np.testing.assert_array_equal(mended.bias, fit.bias)


def test_schemes_without_partial_volume_stay_as_they_are() -> None:
    for scheme in (THREE_CLASSES, EIGHT_CLASSES):
        medians = np.linspace(-1, 1, len(scheme))
        imaging = Imaging(medians, np.full(len(scheme), 0.1), np.zeros((2, 2, 2)), (-1.0, 0.0))
        np.testing.assert_array_equal(with_sulci(imaging, scheme).median, medians)


def test_no_brain_gives_finite_values() -> None:
    q = np.zeros((4, 6, 6, 6), np.float32)
    q[0] = 1
    fit = fit_imaging(np.full((6, 6, 6), -4, np.float32), q, q, SPACING, THREE_CLASSES)
    assert np.isfinite(fit.median).all() and np.isfinite(fit.bias).all() and (fit.scale > 0).all()


@pytest.mark.parametrize(
    ("median", "kind"),
    [
        ((-2.0, 0.0, 1.0), "t1"),
        ((-1.4, -0.1, 0.65), "t1"),
        ((2.5, 0.3, -0.4), "t2"),
        ((1.5, -0.2, 0.3), "t2"),
        ((-2.0, 0.6, 0.2), "flair"),
        ((-1.5, 0.8, -0.2), "flair"),
        ((-2.0, 0.15, 0.5), "flair"),
        ((-0.6, -0.05, 0.7), "t1"),
        ((0.1, 0.4, 0.1), "flair"),
    ],
)
def test_kind_of_contrast(median: tuple[float, ...], kind: str) -> None:
    csf, grey, white = median
    eight = (csf, csf, grey, white, grey, grey, white, white)
    for medians, scheme in ((median, THREE_CLASSES), (eight, EIGHT_CLASSES)):
        scale, bias = np.full(len(medians), 0.1), np.zeros((2, 2, 2))
        imaging = Imaging(np.array(medians), scale, bias, (csf - 0.1, csf + 0.1))
        assert contrast_kind(imaging, scheme) == kind
        weights = contrast_weights(imaging, scheme)
        assert sum(weights.values()) == pytest.approx(1) and max(weights, key=weights.get) == kind


def test_between_t1_and_flair_both_are_possible() -> None:
    def t1(grey: float, white: float) -> float:
        medians = np.array([-1.8, grey, white])
        imaging = Imaging(medians, np.full(3, 0.1), np.zeros((2, 2, 2)), (-2.0, -1.5))
        return contrast_weights(imaging, THREE_CLASSES)["t1"]

    assert t1(-0.35, 0.9) > 0.99 and t1(0.3, 0.3) < 0.02
    assert 0.3 < t1(-0.05, 0.5) < 0.7
    assert t1(0.24, 0.94) > 0.5  # spin echo with a coil: white far above grey, both above the mean
    rising = [t1(grey, 0.5) for grey in np.linspace(0.4, -0.6, 20)]
    assert (np.diff(rising) > 0).all()


def test_diluted_fluid_is_judged_by_its_quartiles() -> None:
    """In T2 half of what is named fluid may be sulci with grey matter in them."""
    imaging = Imaging(np.array([0.2, 0.4, -0.5]), np.full(3, 0.1), np.zeros((2, 2, 2)), (-0.3, 2.5))
    assert contrast_kind(imaging, THREE_CLASSES) == "t2"


def test_bright_vessels_among_the_fluid_make_no_t2() -> None:
    """T1 with contrast agent: the ventricles are dark, a quarter of what is named fluid bright."""
    scale, bias = np.full(8, 0.1), np.zeros((2, 2, 2))
    medians = np.array([1.1, -1.65, -0.33, 0.4, 0.5, -0.7, 0.0, 0.2])
    imaging = Imaging(medians, scale, bias, (-1.1, 1.62))
    assert contrast_weights(imaging, EIGHT_CLASSES)["t1"] > 0.9
