"""Networks as plans describe them, from dynamic-network-architectures' blocks."""

from __future__ import annotations

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from dynamic_network_architectures.initialization.weight_init import InitWeights_He
from torch import Tensor, nn

from disanat.plans import NetworkPlan, Norm

__all__ = ["EdgeRestorer", "FilmDecoder", "build_unet"]

_CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_INSTANCE: dict[int, type[nn.Module]] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
_MOST_GROUPS = 8
_SLOPE = 1e-2


class _GroupNorm(nn.GroupNorm):
    """Normalises in 8 groups, or in as many below 8 as divide the features."""

    def __init__(self, features: int, eps: float, affine: bool) -> None:
        groups = max(n for n in range(1, _MOST_GROUPS + 1) if features % n == 0)
        super().__init__(groups, features, eps, affine)


class _LayerNorm(nn.GroupNorm):
    """Normalises all features together, over all places."""

    def __init__(self, features: int, eps: float, affine: bool) -> None:
        super().__init__(1, features, eps, affine)


def _norm(norm: Norm, dimension: int) -> type[nn.Module]:
    return {"instance": _INSTANCE[dimension], "group": _GroupNorm, "layer": _LayerNorm}[norm]


def build_unet(
    plan: NetworkPlan,
    dimension: int,
    channels_in: int,
    channels_out: int,
    norm: Norm = "instance",
) -> nn.Module:
    """A plain U-Net; logits at full resolution. Its weights have the same names with any norm."""
    stages = len(plan.features)
    network = PlainConvUNet(
        channels_in,
        stages,
        plan.features,
        _CONVOLUTIONS[dimension],
        plan.kernel_sizes,
        plan.strides,
        plan.convs_per_stage,
        channels_out,
        1,
        conv_bias=True,
        norm_op=_norm(norm, dimension),
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True, "negative_slope": _SLOPE},
    )
    network.apply(InitWeights_He(_SLOPE))
    return network


class EdgeRestorer(nn.Module):
    """From edges to the whole anatomy: a U-Net beside a direct path.

    The direct path, one weight per pair of classes, starts from "a rim of a class is of that
    class"; the U-Net fills the insides and learns which rims to disbelieve. Without it small
    classes were not learned at all in a short training.
    """

    def __init__(
        self, plan: NetworkPlan, dimension: int, maps: int, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        self.body = build_unet(plan, dimension, maps, maps, norm)
        self.direct = _CONVOLUTIONS[dimension](maps, maps, 1, bias=False)
        start = 2.0 * torch.eye(maps).reshape(maps, maps, *(1,) * dimension)
        self.direct.weight = nn.Parameter(start)

    def forward(self, edges: Tensor) -> Tensor:
        """Logits from edges, both (batch, classes + 1, ...)."""
        logits: Tensor = self.body(edges) + self.direct(edges)
        return logits


class FilmDecoder(nn.Module):
    """Paints an anatomy in a given contrast: features scaled and shifted by the imaging code.

    The painting starts from the flat picture in which every class has its own intensity from
    `theta`; three convolutions, modulated by `theta` (FiLM: Perez et al., AAAI 2018), add what a
    flat picture lacks: partial volume, the slice profile, differences within a class. `theta` is
    global, so nothing about a place can pass through it.

    Args:
        dimension: 2 or 3.
        classes: tissue classes without background.
        features: channels of the hidden layers.
    """

    def __init__(self, dimension: int, classes: int, features: int) -> None:
        super().__init__()
        convolution = _CONVOLUTIONS[dimension]
        self.dimension = dimension
        self.first = convolution(classes + 2, features, 3, padding=1)
        self.second = convolution(features, features, 3, padding=1)
        self.last = convolution(features, 1, 3, padding=1)
        self.film = nn.Sequential(
            nn.Linear(classes, 64), nn.LeakyReLU(_SLOPE), nn.Linear(64, 4 * features)
        )
        self.activation = nn.LeakyReLU(_SLOPE, inplace=True)
        self.apply(InitWeights_He(_SLOPE))
        self.last.weight = nn.Parameter(torch.zeros_like(self.last.weight))

    def forward(self, anatomy: Tensor, theta: Tensor, outside: float) -> Tensor:
        """Paint.

        Args:
            anatomy: shape (batch, classes + 1, ...), summing to 1 (one-hot or soft).
            theta: standardised intensity of each class, shape (batch, classes).
            outside: standardised intensity of the background.

        Returns:
            Standardised image, shape (batch, 1, ...).
        """
        trailing = (1,) * self.dimension
        levels = torch.cat([torch.full_like(theta[:, :1], outside), theta], 1)
        flat = (anatomy * levels.reshape(*levels.shape, *trailing)).sum(1, keepdim=True)
        gains = self.film(theta).reshape(len(theta), 4, -1, *trailing)
        hidden = self.first(torch.cat([anatomy, flat], 1))
        hidden = self.activation(hidden * (1 + gains[:, 0]) + gains[:, 1])
        hidden = self.second(hidden)
        hidden = self.activation(hidden * (1 + gains[:, 2]) + gains[:, 3])
        painted: Tensor = flat + self.last(hidden)
        return painted
