"""The diffusion models: their noise, their boxes, their code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from disanat.methods.cddpm import ConditionedDiffusion
from disanat.methods.ddpm import STEPS, Diffusion, noised, share_left
from disanat.methods.pddpm import PatchedDiffusion
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import intensity_scale

UNITS = 2.0


class Spy(torch.nn.Module):
    """Stands for the U-Net; keeps what it sees and answers with the number of the call."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, images: Tensor, steps: Tensor, code: Tensor | None = None) -> Tensor:
        self.seen.append((images.clone(), steps.clone()))
        return torch.full_like(images, float(len(self.seen)))


def test_the_image_fades_as_published() -> None:
    left = share_left(torch.arange(STEPS))
    assert float(left[0]) == pytest.approx(1 - 1e-4)
    assert (left[1:] < left[:-1]).all()
    assert float(left[500]) == pytest.approx(0.0778, abs=0.002)
    assert 0 < float(left[-1]) < 1e-4


@pytest.mark.parametrize("step", [0, 100, 500, 999])
def test_noise_has_the_mean_and_variance_of_its_step(step: int) -> None:
    torch.manual_seed(0)
    images = torch.full((200, 1, 20, 20), 1.5)
    steps = torch.full((200,), step)
    seen = noised(images, steps, torch.randn_like(images))
    left = float(share_left(steps)[0])
    assert float(seen.mean()) == pytest.approx(1.5 * left**0.5, abs=0.02)
    assert float(seen.var()) == pytest.approx(1 - left, rel=0.03)


def test_the_image_follows_from_the_true_noise() -> None:
    torch.manual_seed(0)
    images, noise = torch.randn(3, 1, 8, 9), torch.randn(3, 1, 8, 9)
    steps = torch.tensor([10, 250, 750])
    left = share_left(steps).reshape(3, 1, 1, 1)
    back = (noised(images, steps, noise) - (1 - left).sqrt() * noise) / left.sqrt()
    assert torch.allclose(back, images, atol=1e-4)


@pytest.mark.parametrize("shape", [(12, 10), (13, 11), (5, 12, 9)])
def test_boxes_are_the_image_each_voxel_once(
    shape: tuple[int, ...], mini_plans: Plans, mini_configuration: Configuration
) -> None:
    method = PatchedDiffusion(mini_plans, mini_configuration)
    parts = method.parts(torch.zeros(2, 1, *shape))
    assert parts.shape == (4, 1, *shape)
    assert (parts.sum(0) == 1).all()
    whole = Diffusion(mini_plans, mini_configuration).parts(torch.zeros(2, 1, *shape))
    assert whole.shape == (1, 1, *shape) and whole.all()


def test_outside_its_box_the_scan_is_seen_as_it_is_and_each_box_is_of_its_own_pass(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    method, spy = PatchedDiffusion(mini_plans, mini_configuration), Spy()
    method.unet = spy
    images = torch.randn(2, 1, 12, 10)
    rebuilt = method.rebuilt(images)
    parts = method.parts(images)
    assert len(spy.seen) == 4
    for number, ((seen, steps), part) in enumerate(zip(spy.seen, parts), start=1):
        inside = part.expand_as(images)
        assert torch.equal(seen[~inside], images[~inside] / UNITS)
        assert not (seen[inside] == images[inside] / UNITS).any()
        assert (steps == 500).all()
        assert (rebuilt[inside] == UNITS * number).all()


def test_training_noises_one_box_of_each_image_and_learns_from_it_alone(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    torch.manual_seed(0)
    method, spy = PatchedDiffusion(mini_plans, mini_configuration), Spy()
    method.unet = spy
    images = torch.zeros(40, 1, 12, 10)
    images[..., :6, :] = 1.0
    labels = torch.zeros(40, 12, 10, dtype=torch.int64)
    labels[:, :6] = 1
    loss = method.losses({"image": images, "labels": labels})["denoising"]
    boxes = spy.seen[0][0] != images / UNITS
    parts = method.parts(images)
    chosen = [[torch.equal(box, part) for part in parts].index(True) for box in boxes]
    assert set(chosen) == {0, 1, 2, 3}
    assert float(loss) == pytest.approx(UNITS - 1.0)


def test_the_image_is_the_mean_over_the_published_steps(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    for kind, steps in ((Diffusion, [500]), (ConditionedDiffusion, [250, 500, 750])):
        method, spy = kind(mini_plans, mini_configuration), Spy()
        method.unet = spy
        rebuilt = method.rebuilt(torch.randn(2, 1, 12, 12))
        assert [int(step[0]) for _, step in spy.seen] == steps
        mean = sum(range(1, len(steps) + 1)) / len(steps)
        assert torch.allclose(rebuilt, torch.full_like(rebuilt, UNITS * mean))


def test_the_code_of_the_scan_matters(lesson: Callable[..., Any], miniature: Any) -> None:
    """Through noise that hides all, slices are painted better with their own code."""
    method = lesson("cddpm").method
    brain = miniature.brain(21)
    whole = brain.labels > 0
    image = intensity_scale(brain.image[whole]).standardise(brain.image, whole)
    places = whole.sum((1, 2)).nonzero()[0]
    chosen = places[[len(places) // 8, len(places) // 4, len(places) // 2, -len(places) // 8]]
    scans, inside = (torch.from_numpy(one[chosen])[:, None] for one in (image, whole))
    torch.manual_seed(0)
    steps = torch.full((len(scans),), 900)
    scaled = scans / UNITS
    seen = noised(scaled, steps, method.noise(scans))
    with torch.inference_mode():
        own = method.denoised(seen, steps, scaled)
        other = method.denoised(seen, steps, scaled.roll(1, 0))
    error, mixed_up = (float((one - scaled)[inside].abs().mean()) for one in (own, other))
    assert error < 0.97 * mixed_up


@pytest.mark.parametrize("kind", [Diffusion, PatchedDiffusion, ConditionedDiffusion])
def test_says_float32_whatever_it_calculates_in(
    kind: type[Diffusion], mini_plans: Plans, mini_configuration: Configuration
) -> None:
    method = kind(replace(mini_plans, number_format="bfloat16"), mini_configuration)
    images = torch.randn(2, 1, 14, 15)
    batch = {"image": images, "labels": torch.ones(2, 14, 15, dtype=torch.int64)}
    loss = method.losses(batch)["denoising"]
    loss.backward()
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
    with torch.inference_mode():
        assert method.rebuilt(images).dtype == torch.float32
