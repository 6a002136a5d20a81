"""The contrastive encoder: it tells scans apart that it never saw; only its own loss teaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from disanat.ablations import Ablation
from disanat.methods.ccddpm import ContrastivelyConditionedDiffusion
from disanat.methods.ddpm import UNITS
from disanat.networks.contrastive import contrastive_loss, share_nearer, view
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale
from disanat.training.loaders import Renderer, to_tensors

_LESSONS = 250


def slices(miniature: Any, seeds: range) -> Tensor:
    """Slices, at any height, of brains that nothing was trained on; (seeds, 1, P, L)."""
    shown, rng = [], np.random.default_rng(0)
    for seed in seeds:
        brain = miniature.brain(seed)
        inside = brain.labels > 0
        image = intensity_scale(brain.image[inside]).standardise(brain.image, inside)
        heights = np.flatnonzero(inside.any((1, 2)))
        shown.append(image[rng.choice(heights[len(heights) // 8 : -len(heights) // 8])])
    return torch.from_numpy(np.stack(shown))[:, None]


def told_apart(encoder: torch.nn.Module, images: Tensor) -> tuple[float, float]:
    """How often two views of a scan lie closer than two scans, and by how much (cosines)."""
    torch.manual_seed(0)
    shares, gaps = [], []
    with torch.inference_mode():
        for _ in range(10):
            first, second = (encoder(view(images, OUTSIDE) / UNITS) for _ in range(2))
            alike = functional.normalize(first) @ functional.normalize(second).T
            others = ~torch.eye(len(alike), dtype=torch.bool)
            gaps.append(float(alike.diagonal().mean() - alike[others].mean()))
            shares.append(share_nearer(first, second))
    return float(np.mean(shares)), float(np.mean(gaps))


@pytest.fixture(scope="module")
def taught(
    planned_home: Path, mini_plans: Plans, mini_configuration: Configuration
) -> ContrastivelyConditionedDiffusion:
    """Its encoder has told rendered scans apart for some steps, eight in a batch."""
    cases = planned_home / "preprocessed" / "Dataset005_Mini" / "2d"
    configuration = replace(mini_configuration, ablations=(), batch_size=8)
    draw = (mini_plans, configuration, 0)
    source = Renderer(cases, ("h0", "h1", "h2", "h3"), *draw, lesions=False)
    drawn = np.random.get_state()
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        method = ContrastivelyConditionedDiffusion(mini_plans, configuration)
        rate = torch.optim.AdamW([*method.encoder.parameters(), *method.head.parameters()], 2e-3)
        for number in range(_LESSONS):
            batch = to_tensors(source.batch(number), torch.device("cpu"))
            rate.zero_grad()
            method.losses(batch)["contrast"].backward()
            rate.step()
    np.random.set_state(drawn)
    method.networks().eval()
    return method


def test_two_views_of_an_unseen_scan_lie_closer_than_two_scans(
    taught: ContrastivelyConditionedDiffusion,
    mini_plans: Plans,
    mini_configuration: Configuration,
    miniature: Any,
) -> None:
    images = slices(miniature, range(40, 60))
    share, gap = told_apart(taught.encoder, images)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        untrained = ContrastivelyConditionedDiffusion(mini_plans, mini_configuration)
    random_share, random_gap = told_apart(untrained.encoder, images)
    assert 1 - share < 0.6 * (1 - random_share)
    assert gap > 2 * random_gap > 0


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
    taught = lesson("ccddpm")
    assert taught.after["told_apart"] > max(0.6, taught.before["told_apart"])


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




@pytest.mark.parametrize(("ablations", "scans"), [((), [0, 1, 2, 3]), (("t1_only",), [0, 0, 1, 1])])
def test_two_contrasts_of_one_brain_are_two_scans_and_two_looks_at_a_t1_are_one(
    mini_plans: Plans,
    mini_configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    ablations: tuple[Ablation, ...],
    scans: list[int],
) -> None:
    told = []

    def spy(first: Tensor, second: Tensor, of: Tensor) -> Tensor:
        told.append(of.tolist())
        return contrastive_loss(first, second, of)

    monkeypatch.setattr("disanat.methods.ccddpm.contrastive_loss", spy)
    configuration = replace(mini_configuration, ablations=ablations)
    method = ContrastivelyConditionedDiffusion(mini_plans, configuration)
    labels = torch.ones(4, 24, 28, dtype=torch.int64)
    method.losses({"image": torch.randn(4, 1, 24, 28), "labels": labels})
    assert told == [scans]


def test_a_random_encoder_is_taught_nothing(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    ablated = replace(mini_configuration, ablations=("random_encoder",))
    method = ContrastivelyConditionedDiffusion(mini_plans, ablated)
    batch = {"image": torch.randn(4, 1, 24, 28), "labels": torch.ones(4, 24, 28, dtype=torch.int64)}
    losses = method.losses(batch)
    assert set(losses) == {"denoising"}
    losses["denoising"].backward()
    assert all(p.grad is None for p in (*method.encoder.parameters(), *method.head.parameters()))
