"""Rendered looks of a labelled brain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from disanat.plans import Augmentation
from disanat.synthesis.lesions import Compartment, Lesion
from disanat.synthesis.render import EXTRACEREBRAL, CaseSample, Look, _thick, _uneven, render
from disanat.tissues import THREE_CLASSES

SPACING = (4.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def brain(miniature: Any) -> Any:
    return miniature.brain(0, bias=0.0)


def standardised(brain: Any) -> np.ndarray:
    inside = brain.image[brain.labels > 0]
    return np.where(brain.labels > 0, (brain.image - inside.mean()) / inside.std(), -4).astype(
        np.float32
    )


def look(brain: Any, seed: int, lesion: Lesion | None = None, **how: Any) -> Look:
    real, labels = standardised(brain), how.pop("labels", brain.labels)
    chosen = np.flatnonzero(labels)[::5]
    sample = CaseSample(real.ravel()[chosen], labels.ravel()[chosen])
    how = {"augmentation": Augmentation(), "contrast": "any"} | how
    rng = np.random.default_rng(seed)
    return render(rng, labels, real, sample, lesion, THREE_CLASSES, SPACING, **how)


def wet_ball(brain: Any, water: float = 0.4, t1_factor: float = 1.0) -> Lesion:
    axes = [np.arange(n) - c for n, c in zip(brain.labels.shape, (23, 18, 27))]
    distance = np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))
    mask = (distance < 4) & (brain.labels == 3)
    return Lesion((Compartment(mask.astype(np.float32), water, t1_factor),), mask)


def effect(brain: Any, seed: int, lesion: Lesion, contrast: str) -> float:
    """Median change by the lesion: the same seed draws the same look without it."""
    with_it, without = (look(brain, seed, given, contrast=contrast) for given in (lesion, None))
    far = ~lesion.mask & (lesion.compartments[0].weight == 0)
    assert np.median(np.abs(with_it.image - without.image)[far]) < 1e-5
    np.testing.assert_array_equal(with_it.healthy, without.healthy)
    return float(np.median((with_it.image - without.image)[lesion.mask]))


@pytest.mark.parametrize(
    ("contrast", "water", "sign"),
    [("t2", 0.4, 1), ("flair", 0.3, 1), ("t1_prepared", 0.4, -1), ("t1", 0.85, -1)],
)
def test_water_is_bright_in_t2_and_dark_in_t1(
    brain: Any, contrast: str, water: float, sign: int
) -> None:
    lesion = wet_ball(brain, water)
    changes = [sign * effect(brain, seed, lesion, contrast) for seed in range(8)]
    assert min(changes) > 0.1 and np.median(changes) > 0.5, changes


def test_contrast_agent_is_bright_in_t1(brain: Any) -> None:
    lesion = wet_ball(brain, water=0.05, t1_factor=0.3)
    assert min(effect(brain, seed, lesion, "t1") for seed in range(6)) > 0.5


def test_a_lesion_in_the_real_t1_scan_is_dark(brain: Any) -> None:
    assert effect(brain, 0, wet_ball(brain), "real") < -0.5


@pytest.mark.parametrize("contrast", ["any", "real", "free", "t2"])
def test_the_same_seed_gives_the_same_look(brain: Any, contrast: str) -> None:
    first, second = (look(brain, 7, contrast=contrast) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.theta, second.theta)
    assert np.abs(first.image - look(brain, 8, contrast=contrast).image).max() > 0.05


def test_free_contrasts_put_the_tissues_in_any_order(brain: Any) -> None:
    orders = {
        tuple(np.argsort(look(brain, seed, contrast="free").theta)) for seed in range(30)
    }
    assert len(orders) >= 5


def test_without_physics_any_contrast_is_free_or_the_real_scan(
    brain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("rendered by a signal equation")

    monkeypatch.setattr("disanat.synthesis.render.physics_table", refuse)
    looks = [look(brain, seed, physics=False) for seed in range(12)]
    assert all(np.isfinite(made.image).all() for made in looks)
    assert len({tuple(np.argsort(made.theta)) for made in looks}) >= 3
    with pytest.raises(AssertionError, match="signal equation"):
        for seed in range(12):
            look(brain, seed)


@pytest.mark.parametrize("contrast", ["real", "t1", "t2", "flair"])
def test_without_a_lesion_only_bias_noise_and_blur_part_image_and_healthy(
    brain: Any, contrast: str
) -> None:
    for seed in range(5):
        made = look(brain, seed, contrast=contrast)
        shown = (brain.labels > 0) & (made.image > -4)
        image, healthy = made.image[shown], made.healthy[shown]
        assert np.corrcoef(image, healthy)[0, 1] > 0.6
        assert np.median(np.abs(image - healthy - np.median(image - healthy))) < 0.7


def test_theta_holds_the_medians_of_the_tissues(brain: Any) -> None:
    for seed in range(4):
        made = look(brain, seed, contrast="t2")
        seen = [np.median(made.healthy[brain.labels == k]) for k in (1, 2, 3)]
        np.testing.assert_allclose(made.theta[1:], seen[1:], atol=0.35)
        assert made.theta[0] == made.theta.max()


def test_looks_are_standardised_and_clipped(brain: Any) -> None:
    for seed in range(10):
        made = look(brain, seed)
        inside = made.image[(brain.labels > 0) & (made.image > -4)]
        assert abs(inside.mean()) < 0.6 and 0.5 < inside.std() < 1.7
        assert made.image.min() == -4 and made.image.max() <= 6
        assert made.image.dtype == made.healthy.dtype == np.float32
        assert np.isfinite(made.image).all() and np.isfinite(made.theta).all()


def test_the_head_around_the_brain_is_hidden_but_for_a_rim(brain: Any) -> None:
    labels = np.where(brain.labels == 0, EXTRACEREBRAL + 2, brain.labels)
    distance = ndimage.distance_transform_edt(brain.labels == 0, SPACING)
    rims = []
    for seed in range(12):
        made = look(brain, seed, labels=labels, contrast="t1")
        assert (made.image[distance > 12] == -4).all()
        assert (made.healthy[brain.labels == 0] == -4).all()
        rims.append((made.image[(distance > 0) & (distance <= 4)] > -4).mean())
    assert min(rims) == 0 and max(rims) > 0.3


def test_thick_slices_mix_their_neighbours(brain: Any) -> None:
    image = np.zeros((12, 4, 4), np.float32)
    image[6] = 1
    thick = _thick(image, 3 * 4.0, 4.0)
    np.testing.assert_allclose(thick[:, 0, 0], np.eye(12)[[5, 6, 7]].sum(0) / 3, atol=1e-6)
    np.testing.assert_array_equal(_thick(image, 1.0, 4.0), image)


def bright_rim(brain: Any) -> np.ndarray:
    near = ndimage.binary_dilation(brain.labels > 0) & (brain.labels == 0)
    return near.astype(np.float32)


def shows_vessels(brain: Any, seed: int) -> bool:
    vessels = bright_rim(brain)
    seen = look(brain, seed, contrast="t2", vessels=vessels).image[vessels > 0]
    return bool((seen > -4).mean() > 0.5)


def test_vessels_are_painted_beyond_the_brain_in_some_looks_alone(brain: Any) -> None:
    shown = [shows_vessels(brain, seed) for seed in range(12)]
    assert any(shown) and not all(shown)


def test_vessels_have_no_part_in_what_is_healthy_tissue(brain: Any) -> None:
    fluid = (brain.labels == 1).astype(np.float32)
    changed = 0
    for seed in range(8):
        with_them = look(brain, seed, contrast="real", vessels=fluid)
        without = look(brain, seed, contrast="real", vessels=np.zeros_like(fluid))
        np.testing.assert_array_equal(with_them.healthy, without.healthy)
        np.testing.assert_array_equal(with_them.theta, without.theta)
        change = np.abs(with_them.image - without.image)
        assert np.median(change[brain.labels == 3]) < 0.2
        changed += np.median(change[brain.labels == 1]) > 0.5
    assert 2 <= changed <= 7


@pytest.mark.parametrize(("contrast", "t1_like"), [("real", True), ("t2", False), ("flair", False)])
def test_vessels_are_drawn_for_the_contrast_at_hand(
    brain: Any, contrast: str, t1_like: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(_rng: np.random.Generator, like: bool) -> None:
        asked.append(like)

    monkeypatch.setattr("disanat.synthesis.render.draw_level", spy)
    for seed in range(12):
        look(brain, seed, contrast=contrast, vessels=bright_rim(brain))
    # A sequence drawn for one weighting may look like another, now and then.
    assert len(asked) == 12 and asked.count(t1_like) >= 10


def test_uneven_slices_differ_by_one_factor_each() -> None:
    image = np.random.default_rng(0).uniform(1, 2, (40, 6, 7))
    gain = _uneven(np.random.default_rng(1), image) / image
    np.testing.assert_allclose(gain, np.broadcast_to(gain[:, :1, :1], gain.shape), rtol=1e-6)
    assert 0.01 < np.log(gain[:, 0, 0]).std() < 0.12


def test_a_fifth_of_the_looks_has_uneven_slices(
    brain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def spy(_rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        calls.append(image.shape)
        return image

    monkeypatch.setattr("disanat.synthesis.render._uneven", spy)
    for seed in range(60):
        look(brain, seed, contrast="t2")
    assert 4 <= len(calls) <= 24
