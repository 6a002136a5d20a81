"""U-Nets and the decoder."""

from __future__ import annotations

import pytest
import torch

from disanat.networks.builders import EdgeRestorer, FilmDecoder, build_unet
from disanat.plans import NORMS, NetworkPlan, Norm


@pytest.mark.parametrize("dimension", [2, 3])
def test_unet_has_the_planned_features_and_gives_logits_at_full_resolution(dimension: int) -> None:
    plan = NetworkPlan((4, 6), ((1,) * dimension, (2,) * dimension), ((3,) * dimension,) * 2, 1)
    network = build_unet(plan, dimension, 3, 5)
    output = network(torch.randn(2, 3, *(8,) * dimension))
    assert output.shape == (2, 5, *(8,) * dimension)
    convolutions = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}[dimension]
    widths = [m.out_channels for m in network.modules() if isinstance(m, convolutions)]
    assert widths[0] == 4 and max(widths) == 6 and 5 in widths


def two_stages(dimension: int, *features: int) -> NetworkPlan:
    return NetworkPlan(features, ((1,) * dimension, (2,) * dimension), ((3,) * dimension,) * 2, 1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dimension", [2, 3])
def test_each_norm_learns_a_step(norm: Norm, dimension: int) -> None:
    torch.manual_seed(0)
    network = EdgeRestorer(two_stages(dimension, 8, 12), dimension, 3, norm)
    optimiser = torch.optim.SGD(network.parameters(), 0.05)
    given = torch.randn(2, 3, *(16,) * dimension)
    wanted = torch.randint(0, 3, (2, *(16,) * dimension))
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(network(given), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("dimension", [2, 3])
def test_every_norm_is_where_the_plan_has_it(dimension: int) -> None:
    plan = two_stages(dimension, 12, 16)
    kinds = {2: torch.nn.InstanceNorm2d, 3: torch.nn.InstanceNorm3d}
    for norm, groups in (("instance", None), ("group", {6, 8}), ("layer", {1})):
        modules = list(build_unet(plan, dimension, 1, 2, norm).modules())  # type: ignore[arg-type]
        grouped = [m for m in modules if isinstance(m, torch.nn.GroupNorm)]
        assert any(isinstance(m, kinds[dimension]) for m in modules) == (norm == "instance")
        assert {m.num_groups for m in grouped} == (groups or set())
        assert all(m.num_channels in (12, 16) and m.eps == 1e-5 for m in grouped)


def test_group_norm_keeps_what_instance_norm_takes_away() -> None:
    """A feature that is brighter than its neighbours in the group stays so."""
    torch.manual_seed(0)
    given = torch.randn(1, 16, 8, 8) + torch.arange(16.0).reshape(1, 16, 1, 1)
    made = {}
    for norm in NORMS:
        network = build_unet(two_stages(2, 16, 16), 2, 1, 1, norm)
        kinds = (torch.nn.GroupNorm, torch.nn.InstanceNorm2d)
        first = next(m for m in network.modules() if isinstance(m, kinds))
        made[norm] = first(given).detach().mean((0, 2, 3))
    assert float(made["instance"].abs().max()) < 1e-5
    assert float(made["group"].std()) > 0.1 and float(made["layer"].std()) > 0.5


def test_instance_norm_is_the_default_and_names_do_not_depend_on_the_norm() -> None:
    plan = two_stages(2, 8, 12)
    usual = build_unet(plan, 2, 1, 2).state_dict()
    for norm in NORMS:
        state = build_unet(plan, 2, 1, 2, norm).state_dict()
        assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in usual.items()}
    torch.manual_seed(0)
    network, image = build_unet(plan, 2, 1, 2), torch.randn(1, 1, 8, 8)
    network.load_state_dict(usual)
    instance = build_unet(plan, 2, 1, 2, "instance")
    instance.load_state_dict(usual)
    torch.testing.assert_close(network(image), instance(image), rtol=0, atol=0)


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
