"""Networks of diffusion models: they know the time step, and the code where they have one."""

from __future__ import annotations

import pytest
import torch

from disanat.networks.diffusion import DiffusionUnet, ScanEncoder, time_embedding
from disanat.plans import NetworkPlan


def plan(dimension: int) -> NetworkPlan:
    return NetworkPlan(
        (4, 6, 8), ((1,) * dimension, (2,) * dimension, (2,) * dimension), ((3,) * dimension,) * 3
    )


def test_every_step_has_its_embedding() -> None:
    embedded = time_embedding(torch.arange(1000))
    assert embedded.shape == (1000, 64) and float(embedded.abs().max()) <= 1
    distances = torch.cdist(embedded, embedded) + 9 * torch.eye(1000)
    assert float(distances.min()) > 0.3
    assert float(distances[500, 501]) < 0.5 * float(distances[500, 750])


@pytest.mark.parametrize("shape", [(16, 20), (13, 22), (8, 12, 12), (7, 9, 11)])
def test_any_size_goes_through(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    images, dimension = torch.randn(2, 1, *shape), len(shape)
    answer = DiffusionUnet(plan(dimension), dimension)(images, torch.tensor([3, 700]))
    assert answer.shape == images.shape and torch.isfinite(answer).all()
    assert ScanEncoder(plan(dimension), dimension, 5)(images).shape == (2, 5)


def test_padding_is_cut_off_where_it_was_put() -> None:
    torch.manual_seed(0)
    unet, steps = DiffusionUnet(plan(2), 2).eval(), torch.tensor([10])
    images = torch.randn(1, 1, 16, 18)
    padded = torch.nn.functional.pad(images, (0, 2, 0, 0), mode="replicate")
    assert torch.allclose(unet(images, steps), unet(padded, steps)[..., :18], atol=1e-6)


def test_step_and_code_change_the_answer_of_each_image_alone() -> None:
    torch.manual_seed(0)
    unet = DiffusionUnet(plan(2), 2, 5)
    images, code = torch.randn(1, 1, 16, 16).expand(3, -1, -1, -1), torch.randn(1, 5)
    codes = torch.cat([code, code, -code])
    answers = unet(images, torch.tensor([100, 900, 100]), codes).detach()
    assert float((answers[0] - answers[1]).abs().mean()) > 1e-3
    assert float((answers[0] - answers[2]).abs().mean()) > 1e-3
    alone = unet(images[:1], torch.tensor([100]), codes[:1])
    assert torch.allclose(alone[0], answers[0], atol=1e-5)


def test_calculates_in_bfloat16() -> None:
    unet = DiffusionUnet(plan(2), 2, 5)
    with torch.autocast("cpu", torch.bfloat16):
        answer = unet(torch.randn(2, 1, 15, 16), torch.tensor([1, 2]), torch.randn(2, 5))
        assert ScanEncoder(plan(2), 2, 5)(torch.randn(2, 1, 15, 16)).shape == (2, 5)
    answer.float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in unet.parameters() if p.grad is not None)
