"""The estimate's arithmetic agrees with the networks it speaks of."""

from __future__ import annotations

from math import prod

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from planning.memory import GB, default_memory, unet_cost
from planning.topology import network_plan, plan_topology


@pytest.mark.parametrize(
    ("patch", "spacing"), [((96, 80), (2.0, 2.0)), ((24, 96, 80), (4.0, 1.0, 1.0))]
)
def test_counts_are_those_of_the_network(
    patch: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    topology = plan_topology(patch, spacing, 5)
    plan = network_plan(topology, 8, 64)
    cost = unet_cost(plan, 5, 10, topology.patch_size)
    conv, norm = (
        (nn.Conv2d, nn.InstanceNorm2d) if len(patch) == 2 else (nn.Conv3d, nn.InstanceNorm3d)
    )
    with torch.device("meta"):
        network = PlainConvUNet(
            5,
            len(plan.features),
            plan.features,
            conv,
            plan.kernel_sizes,
            plan.strides,
            plan.convs_per_stage,
            10,
            1,
            conv_bias=True,
            norm_op=norm,
            norm_op_kwargs={"eps": 1e-5, "affine": True},
            nonlin=nn.LeakyReLU,
            nonlin_kwargs={"inplace": True},
        )
        sizes: list[int] = []
        for module in network.modules():
            if isinstance(module, conv | norm | nn.ConvTranspose2d | nn.ConvTranspose3d):
                module.register_forward_hook(lambda m, i, o: sizes.append(prod(o.shape)))
        network(torch.empty(1, 5, *topology.patch_size))
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    skips = sum(
        2 * features * prod(e // s for e, s in zip(topology.patch_size, steps, strict=True))
        for features, steps in zip(plan.features[:-1], _cumulative(plan.strides), strict=False)
    )
    assert cost.activations == sum(sizes) + skips


def _cumulative(strides: tuple[tuple[int, ...], ...]) -> list[tuple[int, ...]]:
    return [
        tuple(prod(axis) for axis in zip(*strides[: stage + 1], strict=True))
        for stage in range(len(strides))
    ]


def test_this_machine_has_memory() -> None:
    device, memory = default_memory()
    assert device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert 1 <= memory < 10_000 and memory == int(memory)


def test_a_container_limit_wins_over_what_the_machine_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("pathlib.Path.read_text", lambda *a, **k: f"{1 * GB}\n")
    assert default_memory() == ("cpu", 1.0)
    monkeypatch.setattr("pathlib.Path.read_text", lambda *a, **k: "max\n")
    assert default_memory()[1] >= 1.0
