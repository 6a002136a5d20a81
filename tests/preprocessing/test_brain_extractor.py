"""The brain extractor: geometry with small random weights, and what the shipped weights find."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from disanat.errors import ModelError
from disanat.networks.shared_weights import SharedWeights, save_shared
from disanat.preprocessing.brain_extractor import (
    BrainExtractor,
    ExtractedBrain,
    ExtractorDescription,
    extract_brain,
    shipped_extractor,
    standardise_head,
)

TINY = ExtractorDescription(8.0, (4, 6, 8))


@pytest.fixture(scope="module")
def tiny() -> BrainExtractor:
    torch.manual_seed(0)
    return BrainExtractor(TINY, TINY.build().state_dict())


def make_head(shape: tuple[int, int, int], spacing: tuple[float, float, float], look: str):
    """Ellipsoids: scalp, dark bone, fluid, folded grey and white matter; and the brain's mask."""
    rng = np.random.default_rng(0)
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing)]
    s, p, l = np.meshgrid(*axes, indexing="ij")
    radius = np.sqrt((s / 62) ** 2 + (p / 82) ** 2 + (l / 66) ** 2)
    fold = radius + 0.03 * np.sin(s / 5) * np.sin(p / 5) * np.sin(l / 5)
    neck = (s < -30) & ((p - 10) ** 2 + l**2 < 55**2)
    levels = {"t1": (10, 60, 25, 70, 100, 15, 110), "t2": (10, 70, 255, 130, 90, 20, 100)}[look]
    air, muscle, fluid, grey, white, bone, scalp = levels
    image = np.where(neck, float(muscle), float(air))
    for limit, level in ((1.22, scalp), (1.12, bone)):
        image[radius < limit] = level
    image[radius < 1] = fluid
    image[fold < 0.93] = grey
    image[fold < 0.8] = white
    image[(s / 14) ** 2 + (p / 30) ** 2 + (l / 12) ** 2 < 1] = fluid
    noisy = np.abs(image + rng.normal(0, 4, shape)).astype(np.float32)
    return noisy, radius < 1


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((40, 50, 44), (4.0, 4.0, 4.0)),
        ((23, 201, 187), (7.0, 0.9, 1.1)),
        ((1, 64, 64), (5.0, 3.0, 3.0)),
        ((3, 5, 2), (1.0, 1.0, 1.0)),
    ],
)
def test_mask_and_logits_lie_on_the_images_grid(
    tiny: BrainExtractor, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    brain = tiny.extract(image, spacing)
    assert brain.mask.shape == shape and brain.mask.dtype == bool
    assert brain.volume_ml == pytest.approx(brain.mask.sum() * np.prod(spacing) / 1000)
    assert tiny.logits(image, spacing).shape == shape


def test_a_constant_image_is_no_error(tiny: BrainExtractor) -> None:
    assert np.isfinite(tiny.logits(np.full((20, 20, 20), 3.0, np.float32), (4, 4, 4))).all()


def test_the_same_image_gives_the_same_mask_and_its_mirror_image_the_mirrored(
    tiny: BrainExtractor,
) -> None:
    # Even multiples of the working grid: what is padded is padded on one side only.
    image = np.random.default_rng(1).random((32, 32, 32), np.float32)
    first, again, mirrored = (
        tiny.logits(x, (8.0, 8.0, 8.0)) for x in (image, image, image[..., ::-1].copy())
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, mirrored[..., ::-1], atol=1e-5)


def test_scale_and_offset_of_the_scanner_do_not_matter(tiny: BrainExtractor) -> None:
    image = np.random.default_rng(2).random((20, 24, 20), np.float32)
    first, second = (tiny.logits(x, (8.0, 8.0, 8.0)) for x in (image, 500 * image - 1000))
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_standardised_between_percentiles_of_what_is_seen() -> None:
    array = np.linspace(0, 1000, 1001).astype(np.float32)
    scaled = standardise_head(array)
    assert scaled.min() == 0 and scaled.max() == 1 and scaled[500] == pytest.approx(0.5, abs=1e-3)
    seen = array < 500
    half = standardise_head(array, seen)
    assert half[250] == pytest.approx(0.5, abs=5e-3) and (half[~seen] == 0).all()


def test_round_trip_on_disk(tiny: BrainExtractor, tmp_path: Path) -> None:
    tiny.save(tmp_path / "x.safetensors")
    again = BrainExtractor.load(tmp_path / "x.safetensors")
    assert again.description == TINY
    image = np.random.default_rng(3).random((16, 16, 16), np.float32)
    np.testing.assert_array_equal(again.logits(image, (8, 8, 8)), tiny.logits(image, (8, 8, 8)))


def test_weights_of_another_network_are_refused() -> None:
    weights = replace(TINY, features=(4, 6, 10)).build().state_dict()
    with pytest.raises(ModelError, match=r"do not fit its description \(features 4, 6, 8\): "):
        BrainExtractor(TINY, weights)


@pytest.mark.parametrize("about", [{}, {"features": [4, 8], "colour": "red"}])
def test_a_file_that_describes_no_extractor_is_refused(tmp_path: Path, about: dict) -> None:
    save_shared(SharedWeights(TINY.build().state_dict(), about), tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=r"x\.safetensors does not describe a brain extractor: "):
        BrainExtractor.load(tmp_path / "x.safetensors")


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"x\.safetensors does not exist: install disanat again"):
        BrainExtractor.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize(("volume", "plausible"), [(0, False), (1400, True), (3000, False)])
def test_plausible_volumes(volume: float, plausible: bool) -> None:
    assert ExtractedBrain(np.zeros((1, 1, 1), bool), volume).plausible == plausible


@pytest.mark.parametrize("look", ["t1", "t2"])
@pytest.mark.parametrize(
    ("shape", "spacing"), [((60, 64, 52), (4.0, 4.0, 4.0)), ((33, 160, 130), (6.5, 1.5, 1.6))]
)
def test_the_shipped_weights_find_a_drawn_brain(
    look: str, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    image, truth = make_head(shape, spacing, look)
    mask = extract_brain(image, spacing)
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.8


def test_the_shipped_file_is_small_and_described() -> None:
    description = shipped_extractor().description
    assert description.trained_steps > 0 and description.trained_on
    assert shipped_extractor() is shipped_extractor()
