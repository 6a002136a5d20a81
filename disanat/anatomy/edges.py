"""Edges of an anatomical image: all that the restoration network gets to see."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["anatomy_edges"]


def anatomy_edges(anatomy: Tensor, width: int = 1) -> Tensor:
    """The inner rim of every class: each class less its own erosion.

    Deep inside a region all channels are zero; on a boundary each side keeps its class. Built from
    pooling, so gradients pass. Voxels beyond the image's border count as of the same class.

    Args:
        anatomy: one-hot or soft, shape (batch, classes, ...) with two or three spatial axes.
        width: width of the rim in voxels.

    Returns:
        Tensor of the same shape, in [0, 1].
    """
    size = 2 * width + 1
    if anatomy.ndim == 5:
        eroded = -functional.max_pool3d(-anatomy, size, stride=1, padding=width)
    else:
        eroded = -functional.max_pool2d(-anatomy, size, stride=1, padding=width)
    return anatomy - eroded
