"""Contrastive learning of codes: two views of every image, and how well their codes find another.

Views are changed as scans differ that show the same brain in the same contrast: moved, mirrored,
noisier, with a part hidden. A code that still finds its other view knows the whole of the scan, its
contrast and brightness too, and little of any one place.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ProjectionHead", "contrastive_loss", "share_nearer", "view"]

_TURN, _SCALE, _SHIFT = math.radians(5), 0.04, 0.02
_NOISE = 0.1
_HIDDEN = (0.1, 0.25)
"""Side of the hidden box, as a share of the image's."""


class ProjectionHead(nn.Sequential):
    """From codes to where they are compared (Chen et al., ICML 2020): it is not used afterwards."""

    def __init__(self, code: int, compared: int = 64) -> None:
        super().__init__(nn.Linear(code, code), nn.SiLU(), nn.Linear(code, compared))


def contrastive_loss(
    first: Tensor, second: Tensor, scans: Tensor, temperature: float = 0.1
) -> Tensor:
    """Normalised temperature-scaled cross-entropy (NT-Xent, Chen et al., ICML 2020).

    Row i of both is of the same image and is told from the rows of all other scans.

    Args:
        first: (images, length).
        second: the same of the other views.
        scans: number of the scan that each image is of, (images,); at least two scans.
        temperature: of the softmax over cosines.
    """
    count, device = len(first), first.device
    codes = functional.normalize(torch.cat([first, second]).float(), dim=1)
    own = torch.arange(2 * count, device=device).roll(count)
    of = scans.repeat(2)
    left_out = of[:, None] == of
    left_out[torch.arange(2 * count, device=device), own] = False
    alike = (codes @ codes.T / temperature).masked_fill(left_out, -torch.inf)
    return functional.cross_entropy(alike, own)


def share_nearer(first: Tensor, second: Tensor) -> float:
    """How often a first view lies nearer to the second of its own image than to that of another.

    Both are (images, length), at least two images; chance is 0.5.
    """
    alike = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T
    own = alike.diagonal()[:, None]
    nearer = (own > alike).float() + 0.5 * (own == alike).float()
    others = ~torch.eye(len(first), dtype=torch.bool, device=alike.device)
    return float(nearer[others].mean())


def view(images: Tensor, outside: float) -> Tensor:
    """Each image changed at random, by torch's generator.

    Args:
        images: (batch, 1, ...), standardised, two or three axes of space.
        outside: value outside the brain, which stays as it is.
    """
    inside = (images > outside).to(images.dtype)
    sums, share = _moved(torch.cat([images * inside, inside], 1)).chunk(2, 1)
    brain = share > 0.5
    moved = sums / share.clamp_min(0.5)
    each = (len(images), *(1,) * (images.ndim - 1))
    noise = _NOISE * torch.rand(each, device=images.device) * torch.randn_like(moved)
    shown = torch.where(_hidden(images), 0.0, moved + noise)
    return torch.where(brain, shown, outside)


def _moved(images: Tensor) -> Tensor:
    """Turned about every pair of axes, scaled, shifted, half of them mirrored left to right."""
    count, dimension, device = len(images), images.ndim - 2, images.device
    linear = torch.eye(dimension, device=device).repeat(count, 1, 1)
    for one in range(dimension):
        for other in range(one + 1, dimension):
            angle = _TURN * (2 * torch.rand(count, device=device) - 1)
            turn = torch.eye(dimension, device=device).repeat(count, 1, 1)
            turn[:, one, one] = turn[:, other, other] = angle.cos()
            turn[:, one, other], turn[:, other, one] = -angle.sin(), angle.sin()
            linear = linear @ turn
    linear = linear * (1 + _SCALE * (2 * torch.rand(count, 1, 1, device=device) - 1))
    # The first coordinate of a sampling grid is the last axis, which runs from right to left.
    linear[:, 0] = linear[:, 0] * torch.where(torch.rand(count, 1, device=device) < 0.5, -1.0, 1.0)
    shift = _SHIFT * 2 * (2 * torch.rand(count, dimension, 1, device=device) - 1)
    theta = torch.cat([linear, shift], 2).to(images.dtype)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _hidden(images: Tensor) -> Tensor:
    """A box at a random place in each image; bool, (batch, 1, ...)."""
    least, most = _HIDDEN
    hidden = torch.ones_like(images, dtype=torch.bool)
    for axis in range(2, images.ndim):
        size = images.shape[axis]
        side = size * (least + (most - least) * torch.rand(len(images), device=images.device))
        start = (size - side) * torch.rand(len(images), device=images.device)
        along = torch.arange(size, device=images.device)
        within = (along >= start[:, None]) & (along < (start + side)[:, None])
        shape = [len(images), 1, *(size if a == axis else 1 for a in range(2, images.ndim))]
        hidden = hidden & within.reshape(shape)
    return hidden
