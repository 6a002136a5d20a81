"""U-Nets and the decoder."""

from __future__ import annotations

import pytest
import torch

from disanat.networks.builders import FilmDecoder, build_unet
from disanat.plans import NetworkPlan


@pytest.mark.parametrize("dimension", [2, 3])
def test_unet_has_the_planned_features_and_gives_logits_at_full_resolution(dimension: int) -> None:
    plan = NetworkPlan((4, 6), ((1,) * dimension, (2,) * dimension), ((3,) * dimension,) * 2, 1)
    network = build_unet(plan, dimension, 3, 5)
    output = network(torch.randn(2, 3, *(8,) * dimension))
    assert output.shape == (2, 5, *(8,) * dimension)
    convolutions = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}[dimension]
    widths = [m.out_channels for m in network.modules() if isinstance(m, convolutions)]
    assert widths[0] == 4 and max(widths) == 6 and 5 in widths


@pytest.mark.parametrize("dimension", [2, 3])
def test_decoder_paints_flat_at_first(dimension: int) -> None:
    torch.manual_seed(0)
    decoder = FilmDecoder(dimension, 3, 6)
    anatomy = torch.rand(2, 4, *(7,) * dimension).softmax(1)
    theta = torch.tensor([[-1.0, 0.5, 2.0], [3.0, 0.0, 1.0]])
    painted = decoder(anatomy, theta, -4.0)
    levels = torch.cat([torch.full((2, 1), -4.0), theta], 1)
    flat = torch.einsum("bc...,bc->b...", anatomy, levels)[:, None]
    torch.testing.assert_close(painted, flat + decoder.last.bias.item())
    assert decoder.last.bias.item() == pytest.approx(0, abs=1e-12)


def test_decoder_learns_from_theta_and_anatomy() -> None:
    torch.manual_seed(0)
    decoder = FilmDecoder(2, 3, 6)
    torch.nn.init.normal_(decoder.last.weight)
    anatomy = torch.rand(2, 4, 6, 6).softmax(1).requires_grad_()
    theta = torch.randn(2, 3, requires_grad=True)
    decoder(anatomy, theta, -4.0).square().sum().backward()
    for tensor in (
        anatomy.grad,
        theta.grad,
        decoder.film[0].weight.grad,
        decoder.first.weight.grad,
    ):
        assert tensor is not None and float(tensor.abs().sum()) > 0


def test_decoder_knows_no_place() -> None:
    """Away from the border, a shifted anatomy gives the shifted painting."""
    torch.manual_seed(0)
    decoder = FilmDecoder(2, 3, 6)
    torch.nn.init.normal_(decoder.last.weight)
    anatomy, theta = torch.rand(1, 4, 16, 16).softmax(1), torch.randn(1, 3)
    painted = decoder(anatomy, theta, -4.0)
    shifted = decoder(anatomy.roll(2, -1), theta, -4.0)
    torch.testing.assert_close(
        shifted.roll(-2, -1)[..., 4:-4, 4:-6], painted[..., 4:-4, 4:-6], atol=1e-4, rtol=1e-4
    )
