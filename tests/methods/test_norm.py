"""The norm of the plan reaches every U-Net of a method."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from disanat.methods.registry import get_method
from disanat.plans import Configuration, Norm, Plans
from disanat.training.footprint import random_batch

INSTANCE = (nn.InstanceNorm2d, nn.InstanceNorm3d)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("name", ["dal", "dae", "hf", "arepas"])
def test_it_does(
    name: str, norm: Norm, mini_plans: Plans, mini_configuration: Configuration
) -> None:
    torch.manual_seed(0)
    usual = get_method(name)(mini_plans, replace(mini_configuration, ablations=())).networks()
    made = replace(mini_configuration, norm=norm, ablations=())
    method = get_method(name)(mini_plans, made)
    modules = list(method.networks().modules())
    assert not any(isinstance(m, INSTANCE) for m in modules)
    there = sum(isinstance(m, INSTANCE) for m in usual.modules())
    assert sum(isinstance(m, nn.GroupNorm) for m in modules) == there > 0
    total = torch.stack(list(method.losses(random_batch(method, made)).values())).sum()
    total.backward()
    assert all(
        p.grad is not None and bool(p.grad.isfinite().all())
        for m in modules
        if isinstance(m, nn.GroupNorm)
        for p in m.parameters(recurse=False)
    )


def test_weights_from_before_there_was_a_choice_load(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    kind = get_method("dal")
    old = kind(mini_plans, mini_configuration).networks().state_dict()
    assert all("norm" not in k or k.endswith(("weight", "bias")) for k in old)
    kind(mini_plans, replace(mini_configuration, norm="instance")).networks().load_state_dict(old)
