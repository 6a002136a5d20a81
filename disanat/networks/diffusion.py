"""Networks of diffusion models: a U-Net that is told the time step, and an encoder of scans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from disanat.plans import NetworkPlan

__all__ = ["DiffusionUnet", "ScanEncoder", "time_embedding"]

_CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_ENLARGERS: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_AVERAGES: dict[int, type[nn.Module]] = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
_GROUPS = 8
_TIME = 64
_CONDITION = 128
_LONGEST = 10_000


def time_embedding(steps: Tensor, length: int = _TIME) -> Tensor:
    """Cosines and sines of time steps, (batch,), at geometric frequencies; (batch, length)."""
    places = torch.arange(length // 2, device=steps.device) / (length // 2)
    angles = steps[:, None] * torch.exp(-math.log(_LONGEST) * places)
    return torch.cat([angles.cos(), angles.sin()], 1)


class _Layer(nn.Module):
    """Convolution, group norm, scale and shift from the condition, activation."""

    def __init__(
        self, dimension: int, seen: int, made: int, kernel: Sequence[int], stride: Sequence[int]
    ) -> None:
        super().__init__()
        padding = tuple(k // 2 for k in kernel)
        self.convolution = _CONVOLUTIONS[dimension](
            seen, made, tuple(kernel), tuple(stride), padding  # type: ignore[arg-type]
        )
        self.norm = nn.GroupNorm(math.gcd(_GROUPS, made), made)
        self.modulation = nn.Linear(_CONDITION, 2 * made)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        features = self.norm(self.convolution(features))
        gains = self.modulation(condition)
        scale, shift = gains.reshape(*gains.shape, *(1,) * (features.ndim - 2)).chunk(2, 1)
        return functional.silu(features * (1 + scale) + shift)


class _Stage(nn.Module):
    """Layers of one resolution; the first may shrink."""

    def __init__(
        self, dimension: int, seen: int, made: int, kernel: Sequence[int], count: int,
        stride: Sequence[int],
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = nn.ModuleList(
            _Layer(
                dimension, made if index else seen, made, kernel,
                (1,) * dimension if index else stride,
            )
            for index in range(count)
        )  # fmt: skip

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        for layer in self.layers:
            features = layer(features, condition)
        return features


class DiffusionUnet(nn.Module):
    """A U-Net whose layers are all scaled and shifted by the time step and, where given, a code.

    Args:
        plan: features, strides, kernels and layers of each stage.
        dimension: 2 or 3.
        code: length of the code; 0: without one.
    """

    def __init__(self, plan: NetworkPlan, dimension: int, code: int = 0) -> None:
        super().__init__()
        widths = plan.features
        self.divisor = [math.prod(s[axis] for s in plan.strides) for axis in range(dimension)]
        self.condition = nn.Sequential(
            nn.Linear(_TIME + code, _CONDITION),
            nn.SiLU(),
            nn.Linear(_CONDITION, _CONDITION),
            nn.SiLU(),
        )
        stages = zip(pairwise((1, *widths)), plan.kernel_sizes, plan.strides, strict=True)
        self.down = nn.ModuleList(
            _Stage(dimension, seen, made, kernel, plan.convs_per_stage, stride)
            for (seen, made), kernel, stride in stages
        )
        above = list(zip(pairwise(widths), plan.kernel_sizes, plan.strides[1:]))[::-1]
        self.enlarge = nn.ModuleList(
            _ENLARGERS[dimension](deep, made, stride, stride) for (made, deep), _, stride in above
        )
        self.up = nn.ModuleList(
            _Stage(dimension, 2 * made, made, kernel, plan.convs_per_stage, (1,) * dimension)
            for (made, _), kernel, _ in above
        )
        self.last = _CONVOLUTIONS[dimension](widths[0], 1, 1)

    def forward(self, images: Tensor, steps: Tensor, code: Tensor | None = None) -> Tensor:
        """Images of noisy images, both (batch, 1, ...) of any size.

        Args:
            images: noisy.
            steps: how noisy, (batch,).
            code: what else is known, (batch, code).
        """
        embedded = time_embedding(steps)
        known = embedded if code is None else torch.cat([embedded, code.to(embedded.dtype)], 1)
        condition = self.condition(known)
        shape = images.shape[2:]
        missing = [-n % d for n, d in zip(shape, self.divisor, strict=True)]
        padding = [side for m in reversed(missing) for side in (0, m)]
        features = functional.pad(images, padding, mode="replicate") if any(missing) else images
        kept = []
        for stage in self.down:
            features = stage(features, condition)
            kept.append(features)
        for enlarge, stage, beside in zip(self.enlarge, self.up, kept[-2::-1], strict=True):
            features = stage(torch.cat([enlarge(features), beside], 1), condition)
        painted: Tensor = self.last(features)
        return painted[(slice(None), slice(None), *(slice(n) for n in shape))]


class ScanEncoder(nn.Module):
    """Scans of any size to codes: the plan's strided convolutions, their means, a dense layer.

    Args:
        plan: features, strides and kernels of each stage.
        dimension: 2 or 3.
        code: length of the code.
        parts: in how many parts each axis is cut; the mean of each part is kept. 1: the whole.
    """

    def __init__(self, plan: NetworkPlan, dimension: int, code: int, parts: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        stages = zip(pairwise((1, *plan.features)), plan.kernel_sizes, plan.strides, strict=True)
        for (seen, made), kernel, stride in stages:
            padding = tuple(k // 2 for k in kernel)
            layers += [
                _CONVOLUTIONS[dimension](
                    seen, made, tuple(kernel), tuple(stride), padding  # type: ignore[arg-type]
                ),
                nn.GroupNorm(math.gcd(_GROUPS, made), made),
                nn.SiLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.average = _AVERAGES[dimension]((parts,) * dimension)
        self.dense = nn.Linear(plan.features[-1] * parts**dimension, code)

    def forward(self, images: Tensor) -> Tensor:
        """Codes, (batch, code), of images, (batch, 1, ...)."""
        codes: Tensor = self.dense(self.average(self.body(images)).flatten(1))
        return codes
