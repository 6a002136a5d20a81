"""What holds for every method that rebuilds scans: it learns, finds, repeats itself, fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from disanat.methods.interface import PreparedChannel
from disanat.methods.reconstruction import Reconstruction, brain_error, shown
from disanat.methods.registry import get_method, method_names
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale

NAMES = [name for name in method_names() if issubclass(get_method(name), Reconstruction)]
SPACING = (4.0, 4.0, 4.0)


def channel(brain: Any, finer: bool = False) -> PreparedChannel:
    inside = brain.labels > 0
    image = intensity_scale(brain.image[inside]).standardise(brain.image, inside)
    native, native_inside, spacing = image, inside, SPACING
    if finer:
        native = np.repeat(image, 2, axis=0)
        native_inside, spacing = np.repeat(inside, 2, axis=0), (2.0, 4.0, 4.0)
    return PreparedChannel(image, inside, SPACING, native, native_inside, spacing)


def test_there_are_such_methods() -> None:
    rivals = {"ae", "vae", "dae", "hf", "arepas", "ddpm", "pddpm", "cddpm"}
    assert rivals <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_learns_from_healthy_brains_and_finds_a_lesion(
    name: str, lesson: Callable[..., Any], miniature: Any
) -> None:
    taught = lesson(name)
    assert taught.after["error"] < 0.7 * taught.before["error"]
    brain = miniature.brain(11, lesion=True)
    result = taught.method.predict([channel(brain)])[0]
    inside = brain.labels > 0
    truth = brain.lesion[inside]
    chance = truth.mean()
    assert average_precision_score(truth, result.score[inside]) > 3 * chance
    assert np.abs(result.phi - channel(brain).image)[inside].mean() < 1.0


@pytest.mark.parametrize("name", NAMES)
def test_says_the_same_twice_on_the_scans_own_grid(
    name: str, lesson: Callable[..., Any], miniature: Any
) -> None:
    method, scan = lesson(name).method, channel(miniature.brain(12), finer=True)
    state = torch.get_rng_state()
    first, second = (method.predict([scan])[0] for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(first.score, second.score)
    np.testing.assert_array_equal(first.phi, second.phi)
    assert first.score.shape == first.phi.shape == scan.native.shape
    assert first.score.dtype == first.phi.dtype == np.float32
    assert (first.phi[~scan.native_brain] == OUTSIDE).all()
    assert np.isfinite(first.score).all() and (first.score[scan.native_brain] >= 0).all()
    for further in first.further.values():
        assert further.shape == scan.native.shape and np.isfinite(further).all()
    assert first.contrast == "any" and first.anatomy is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dimension", [2, 3])
def test_serves_slices_and_volumes_of_other_sizes(
    name: str, dimension: int, mini_plans: Plans, mini_configuration: Configuration
) -> None:
    networks = replace(
        mini_configuration.encoder,
        features=(4, 6),
        strides=((1,) * dimension, (2,) * dimension),
        kernel_sizes=((3,) * dimension,) * 2,
    )
    configuration = replace(
        mini_configuration, dimension=dimension, patch_size=(24, 32, 24)[:dimension],
        encoder=networks, restorer=networks, comparator=networks,
    )  # fmt: skip
    method = get_method(name)(mini_plans, configuration)
    method.networks().eval()
    generator = np.random.default_rng(0)
    for shape in ((20, 26, 22), (12, 40, 30)):
        image = generator.normal(size=shape).astype(np.float32)
        inside = np.ones(shape, bool)
        scan = PreparedChannel(image, inside, SPACING, image, inside, SPACING)
        result = method.predict([scan])[0]
        assert result.score.shape == shape and np.isfinite(result.score).all()
    size = (2, 1, *configuration.patch_size)
    batch = {
        "image": torch.randn(size),
        "labels": torch.ones(size[0], *size[2:], dtype=torch.int64),
    }
    assert all(torch.isfinite(loss) for loss in method.losses(batch).values())


def test_the_error_counts_the_brain_alone() -> None:
    rebuilt, target = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 3.0], [100.0, 100.0]]]])
    brain = torch.tensor([[[[True, True], [False, False]]]])
    assert float(brain_error(rebuilt, target, brain)) == 2.0
    assert float(brain_error(rebuilt, target, torch.zeros_like(brain))) == 0.0


def test_the_middle_slice_is_shown() -> None:
    image = torch.arange(5.0).reshape(1, 5, 1, 1).expand(2, 5, 4, 4)
    labels = torch.zeros(2, 4, 4, dtype=torch.int64)
    labels[:, 1] = 2
    images, brain = shown({"image": image, "labels": labels})
    assert images.shape == brain.shape == (2, 1, 4, 4)
    assert (images == 2).all() and brain.sum() == 2 * 4
