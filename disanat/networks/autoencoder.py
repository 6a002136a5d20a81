"""Autoencoders whose code is a vector, and what lets networks of a fixed size see any slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["DenseDecoder", "DenseEncoder", "at_patch_size", "sizes_of_levels"]

_CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_MODES = {2: "bilinear", 3: "trilinear"}
_SLOPE = 1e-2
_SMALLEST = 4


def sizes_of_levels(patch_size: Sequence[int], levels: int) -> tuple[tuple[int, ...], ...]:
    """Sizes of a patch halved again and again, axes of 4 voxels or fewer kept: `levels` + 1."""
    sizes = [tuple(patch_size)]
    for _ in range(levels):
        sizes.append(tuple(-(-n // 2) if n > _SMALLEST else n for n in sizes[-1]))
    return tuple(sizes)


class DenseEncoder(nn.Module):
    """Strided convolutions, then one dense layer: images to vectors.

    Args:
        features: channels of each level; a level halves every axis longer than 4 voxels.
        patch_size: of the images, two axes or three.
        channels: of the images.
        code: length of the vectors.
        dropout: probability with which a feature before the dense layer is left out in training.
    """

    def __init__(
        self,
        features: Sequence[int],
        patch_size: Sequence[int],
        channels: int,
        code: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        convolution = _CONVOLUTIONS[len(patch_size)]
        sizes = sizes_of_levels(patch_size, len(features))
        layers: list[nn.Module] = []
        widths = [channels, *features]
        for (seen, made), (before, after) in zip(pairwise(widths), pairwise(sizes), strict=True):
            stride = tuple(2 if a < b else 1 for a, b in zip(after, before, strict=True))
            layers += [
                convolution(seen, made, 5, stride, 2),  # type: ignore[arg-type]
                nn.GroupNorm(1, made),
                nn.LeakyReLU(_SLOPE, inplace=True),
            ]
        self.body = nn.Sequential(*layers)
        left = features[-1] * int(np.prod(sizes[-1]))
        self.dense = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(left, code))

    def forward(self, images: Tensor) -> Tensor:
        """Codes, (batch, code), of images, (batch, channels, *patch size)."""
        codes: Tensor = self.dense(self.body(images))
        return codes


class DenseDecoder(nn.Module):
    """The mirror of a `DenseEncoder`: vectors to images of one channel."""

    def __init__(
        self, features: Sequence[int], patch_size: Sequence[int], code: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        dimension = len(patch_size)
        convolution = _CONVOLUTIONS[dimension]
        self.mode = _MODES[dimension]
        self.sizes = sizes_of_levels(patch_size, len(features))[::-1]
        widths = tuple(reversed(features))
        self.start = widths[0]
        self.dense = nn.Sequential(
            nn.Linear(code, self.start * int(np.prod(self.sizes[0]))), nn.Dropout(dropout)
        )
        self.body = nn.ModuleList(
            nn.Sequential(
                convolution(seen, made, 3, padding=1),
                nn.GroupNorm(1, made),
                nn.LeakyReLU(_SLOPE, inplace=True),
            )
            for seen, made in pairwise((*widths, widths[-1]))
        )
        self.last = convolution(widths[-1], 1, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """Images, (batch, 1, *patch size), of codes, (batch, code)."""
        images = self.dense(codes).reshape(len(codes), self.start, *self.sizes[0])
        for size, layers in zip(self.sizes[1:], self.body, strict=True):
            images = layers(functional.interpolate(images, size, mode=self.mode))
        painted: Tensor = self.last(images)
        return painted


def at_patch_size(
    network: Callable[[Tensor], Tensor], patch_size: Sequence[int], fill: float
) -> Callable[[Tensor], Tensor]:
    """A network for images of any size from one that wants its patch size.

    A smaller image is padded; of a larger one every axis that is too long is shrunk, and what the
    network gives is enlarged again, so that no voxel is left without an answer.

    Args:
        network: maps (batch, channels, *patch size) to (batch, channels out, *patch size).
        patch_size: what it wants.
        fill: value of the padding.
    """
    mode = _MODES[len(patch_size)]

    def fitted(images: Tensor) -> Tensor:
        shape = tuple(images.shape[2:])
        small = tuple(min(n, p) for n, p in zip(shape, patch_size, strict=True))
        shown = images if small == shape else functional.interpolate(images, small, mode=mode)
        before = [(p - n) // 2 for n, p in zip(small, patch_size, strict=True)]
        after = [p - n - b for n, p, b in zip(small, patch_size, before, strict=True)]
        pairs = zip(reversed(before), reversed(after), strict=True)
        padding = [side for pair in pairs for side in pair]
        answer = network(functional.pad(shown, padding, value=fill))
        inside = tuple(slice(b, b + n) for b, n in zip(before, small, strict=True))
        answer = answer[(slice(None), slice(None), *inside)]
        return answer if small == shape else functional.interpolate(answer, shape, mode=mode)

    return fitted
