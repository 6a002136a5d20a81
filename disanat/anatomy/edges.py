"""Edges of an anatomical image: all that the restoration network gets to see."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

__all__ = ["anatomy_edges", "on_edge"]


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


def on_edge(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Which voxels lie in the inner rim of their class: `anatomy_edges` of class numbers.

    Args:
        labels: whole numbers, any shape.
        width: width of the rim in voxels.

    Returns:
        bool array, same shape.
    """
    size = 2 * width + 1
    highest = ndimage.maximum_filter(labels, size, mode="nearest")
    return np.asarray(highest != ndimage.minimum_filter(labels, size, mode="nearest"))
