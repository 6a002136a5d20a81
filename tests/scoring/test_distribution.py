"""Figures that tell scans of another kind, on simulated brains with a known anatomy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale
from disanat.scoring.distribution import case_figures, figure_bounds, unlike_training
from disanat.tissues import THREE_CLASSES

SPACING = (4.0, 4.0, 4.0)


def figures(
    image: np.ndarray,
    labels: np.ndarray,
    observed: np.ndarray | None = None,
    sure: float = 0.95,
    shown: np.ndarray | None = None,
    bias: np.ndarray | float = 0.0,
) -> dict[str, float]:
    """Of a scan whose restored anatomy is `labels`, painted from the medians of `image`.

    `shown` is the scan that is judged, `image` what the medians come from; the same by default.
    `bias`, in standard deviations, is the field that was found in it.
    """
    brain = labels > 0
    scale = intensity_scale(image[brain])
    shown = scale.standardise(image if shown is None else shown, brain)
    phi = np.full(labels.shape, OUTSIDE, np.float32)
    for k in np.unique(labels[brain]):
        phi[labels == k] = np.median(scale.standardise(image[labels == k]))

    def likely(named: np.ndarray, p: float) -> np.ndarray:
        return np.stack([np.where(named == k, p, (1 - p) / 3) for k in range(4)])

    named = labels if observed is None else observed
    field = np.broadcast_to(np.asarray(bias, np.float32), labels.shape)
    return case_figures(
        shown,
        brain,
        SPACING,
        likely(named, sure),
        likely(labels, 0.95),
        phi + field,
        field,
        THREE_CLASSES,
    )


@pytest.fixture(scope="module")
def healthy(miniature: Any) -> list[Mapping[str, float]]:
    looks = ("t1", "flair")
    brains = [miniature.brain(seed, look, noise=4.0) for seed in range(6) for look in looks]
    return [figures(b.image, b.labels) for b in brains]


@pytest.fixture(scope="module")
def bounds(healthy: list[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    return figure_bounds(healthy)


def test_figures_have_their_meaning(miniature: Any) -> None:
    brain = miniature.brain(3, noise=0.0, bias=0.0)
    wrong = np.where(brain.labels == 2, 3, brain.labels)
    found = figures(brain.image, brain.labels, wrong, 0.7)
    inside = (brain.labels > 0).sum()
    assert found["brain_volume_ml"] == pytest.approx(inside * 0.064)
    for k, name in enumerate(("csf", "grey", "white"), start=1):
        assert found[name] == pytest.approx((brain.labels == k).sum() / inside)
    assert found["disagreement"] == pytest.approx(found["grey"])
    assert found["uncertainty"] == pytest.approx(0.3)
    assert found["residual"] == 0 and found["noise"] == pytest.approx(0, abs=0.02)
    assert found["clipped"] == pytest.approx(found["white"])
    assert found["misfit"] == pytest.approx(0, abs=1e-3) and found["bias"] == 0
    classes = [np.ones((4, *brain.labels.shape))] * 2
    images = [brain.image] * 2
    nothing = brain.labels < 0
    assert case_figures(images[0], nothing, SPACING, *classes, *images, THREE_CLASSES) == {}


@pytest.mark.parametrize("noise", [6.0, 12.0, 25.0])
def test_noise_is_measured_in_standard_deviations_of_the_brain(
    miniature: Any, noise: float
) -> None:
    brain = miniature.brain(4, noise=noise, bias=0.0)
    sd = intensity_scale(brain.image[brain.labels > 0]).std
    assert figures(brain.image, brain.labels)["noise"] == pytest.approx(noise / sd, rel=0.3)


def test_noise_of_a_finer_grid_does_not_hide(miniature: Any) -> None:
    """Averaged to the plan's grid, noise has a small standard deviation and is noise still."""
    labels = miniature.brain(4).labels
    image = np.random.default_rng(0).normal(0, 0.3, labels.shape).astype(np.float32)
    image[labels == 0] = OUTSIDE
    likely = np.stack([np.where(labels == k, 0.95, 0.02) for k in range(4)])
    flat = np.zeros(labels.shape)
    found = case_figures(image, labels > 0, SPACING, likely, likely, flat, flat, THREE_CLASSES)
    assert found["noise"] == pytest.approx(1, rel=0.1)
    assert found["residual"] == pytest.approx(0.67, rel=0.1) and found["misfit"] == 1


def test_new_healthy_brains_are_not_flagged(
    miniature: Any, bounds: dict[str, tuple[float, float]]
) -> None:
    flags = [
        unlike_training([figures(b.image, b.labels)], bounds)
        for b in (miniature.brain(s, look) for s in range(30, 40) for look in ("t1", "flair"))
    ]
    assert not any(flags)


@pytest.mark.parametrize("look", ["t1", "flair"])
def test_a_lesion_alone_is_not_flagged(
    miniature: Any, bounds: dict[str, tuple[float, float]], look: str
) -> None:
    """Nor are ventricles half as large again, as in the old."""
    brain = miniature.brain(50, look, lesion=True)
    seen = np.where(brain.lesion, 1, brain.labels)
    assert unlike_training([figures(brain.image, brain.labels, seen)], bounds) == ()
    inner = ndimage.distance_transform_edt(brain.labels != 1) < 1.5
    atrophied = np.where(inner & (brain.labels == 3), 1, brain.labels)
    image = np.where(atrophied != brain.labels, np.median(brain.image[brain.labels == 1]), 0)
    image = np.where(image > 0, image, brain.image)
    assert unlike_training([figures(image, atrophied)], bounds) == ()


def ruined(kind: str, brain: Any) -> dict[str, float]:
    rng = np.random.default_rng(0)
    labels, image, inside = brain.labels, brain.image, brain.labels > 0
    if kind == "noise":
        return figures(np.where(inside, rng.normal(100, 20, image.shape), 0), labels)
    if kind == "clipped":
        return figures(np.minimum(image, np.percentile(image[inside], 50)), labels)
    if kind == "residual":
        ghost = np.where(inside, image + np.roll(image, 24, 1), 0)
        return figures(image, labels, shown=ghost - np.median(ghost[inside]) + image[inside].mean())
    if kind == "bias":
        return figures(image, labels, bias=np.sin(np.arange(40) / 6) * np.ones(labels.shape))
    if kind == "misfit":
        return figures(image, labels, shown=np.roll(image, 14, 2) * inside)
    if kind == "disagreement":
        return figures(image, labels, np.where(inside, rng.integers(1, 4, image.shape), 0))
    if kind == "uncertainty":
        return figures(image, labels, sure=0.4)
    if kind == "white":
        return figures(image, np.where(labels == 3, 2, labels))
    if kind == "asymmetry":
        half = np.where(np.arange(40) < 20, 2, 3) * inside
        return figures(image, half)
    assert kind == "brain_volume_ml"
    return figures(image, labels * (np.indices(labels.shape)[1] < 20))


@pytest.mark.parametrize(
    "kind",
    ["noise", "clipped", "residual", "bias", "misfit", "disagreement", "uncertainty", "white",
     "asymmetry", "brain_volume_ml"],
)  # fmt: skip
def test_what_is_no_brain_scan_is_flagged_by_name(
    miniature: Any, bounds: dict[str, tuple[float, float]], kind: str
) -> None:
    found = ruined(kind, miniature.brain(60))
    assert f"unlike_training:{kind}" in unlike_training([found], bounds)


def test_bounds_are_wide_where_healthy_scans_differ() -> None:
    alike = figure_bounds([{"noise": 0.1, "own": 0.1}] * 5)
    assert alike["noise"][1] > 0.2 and alike["own"][1] > 0.1
    spread = figure_bounds([{"noise": v} for v in (0.1, 0.5, 0.9, 1.3, 1.7)])
    assert spread["noise"][1] > 3 and spread["noise"][0] < -1
    assert figure_bounds([]) == {} and figure_bounds([{"noise": 1.0}, {}]) == {}


def test_every_channel_counts_and_a_flag_stands_once() -> None:
    bounds = {"noise": (0.0, 1.0), "residual": (0.0, 1.0)}
    good, bad = {"noise": 0.5, "residual": 0.5}, {"noise": 2.0, "residual": 0.5}
    assert unlike_training([good, bad, bad], bounds) == ("unlike_training:noise",)
    assert unlike_training([{"noise": float("nan")}], bounds) == ("unlike_training:noise",)
    assert unlike_training([bad], {}) == () and unlike_training([{}], bounds) == ()
