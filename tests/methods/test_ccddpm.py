"""The contrastive encoder: it tells scans apart that it never saw, and its code is worth something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from disanat.methods.ccddpm import ContrastivelyConditionedDiffusion
from disanat.methods.ddpm import UNITS
from disanat.networks.contrastive import share_found, view
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale


def slices(miniature: Any, seeds: range) -> Tensor:
    """The middle slices of brains that nothing was trained on, standardised; (seeds, 1, P, L)."""
    shown = []
    for seed in seeds:
        brain = miniature.brain(seed)
        inside = brain.labels > 0
        image = intensity_scale(brain.image[inside]).standardise(brain.image, inside)
        shown.append(image[len(image) // 2])
    return torch.from_numpy(np.stack(shown))[:, None]


def nearness(encoder: torch.nn.Module, images: Tensor) -> tuple[float, float, float]:
    """Cosine of two views of one scan and of two scans, means, and the share that is found."""
    torch.manual_seed(0)
    own, other, found = [], [], []
    with torch.inference_mode():
        for _ in range(10):
            first, second = (encoder(view(images, OUTSIDE) / UNITS) for _ in range(2))
            alike = functional.normalize(first) @ functional.normalize(second).T
            own.append(float(alike.diagonal().mean()))
            other.append(float(alike[~torch.eye(len(alike), dtype=torch.bool)].mean()))
            found.append(share_found(first, second))
    return float(np.mean(own)), float(np.mean(other)), float(np.mean(found))


def test_two_views_of_an_unseen_scan_lie_closer_than_two_scans(
    lesson: Callable[..., Any],
    mini_plans: Plans,
    mini_configuration: Configuration,
    miniature: Any,
) -> None:
    images = slices(miniature, range(40, 56))
    own, other, found = nearness(lesson("ccddpm").method.encoder, images)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        untrained = ContrastivelyConditionedDiffusion(mini_plans, mini_configuration)
    random_own, random_other, random_found = nearness(untrained.encoder, images)
    print(own, other, found, random_own, random_other, random_found)
    assert own > other + 0.1 > random_own - random_other + 0.1
    assert found > 1.5 * random_found


def test_what_the_unet_wants_does_not_reach_the_encoder(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    torch.manual_seed(0)
    method = ContrastivelyConditionedDiffusion(mini_plans, mini_configuration)
    batch = {
        "image": torch.randn(4, 1, 24, 28),
        "labels": torch.ones(4, 24, 28, dtype=torch.int64),
    }
    method.losses(batch)["denoising"].backward()
    assert all(p.grad is None for p in (*method.encoder.parameters(), *method.head.parameters()))
    assert all(p.grad is not None for p in method.unet.parameters())
    method.unet.zero_grad()
    method.losses(batch)["contrast"].backward()
    assert all(p.grad is not None for p in method.encoder.parameters())
    assert all(p.grad is None or not p.grad.any() for p in method.unet.parameters())


def test_validation_says_how_many_scans_are_told_apart(
    lesson: Callable[..., Any],
) -> None:
    assert 0 <= lesson("ccddpm").after["told_apart"] <= 1


def test_the_code_is_the_same_whatever_the_noise(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    method = ContrastivelyConditionedDiffusion(mini_plans, mini_configuration)
    known = []

    class Spy(torch.nn.Module):
        def forward(self, images: Tensor, steps: Tensor, code: Tensor) -> Tensor:
            known.append(code)
            return images

    method.unet = Spy()
    method.rebuilt(torch.randn(2, 1, 24, 28))
    assert len(known) == 3 and known[0].shape == (2, 128)
    assert torch.equal(known[0], known[1]) and torch.equal(known[0], known[2])
    assert not known[0].requires_grad


