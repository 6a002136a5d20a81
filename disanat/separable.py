"""Filters that act along each axis on its own, as products with matrices.

Arrays of a brain have some hundred voxels along an axis. A product with a matrix then costs less
than a filter that walks along the rows, the more so the wider the kernel, and uses all cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["along_axes", "gaussian_matrix", "gaussian_smooth"]


def along_axes(array: np.ndarray, matrices: Sequence[np.ndarray | None]) -> np.ndarray:
    """Multiply each of the last three axes with a matrix.

    Args:
        array: float32, shape (..., S, P, L).
        matrices: one for each axis, (wanted voxels, given voxels); None leaves an axis as it is.

    Returns:
        float32, of the shape that the matrices' rows say.
    """
    shrinking = {
        axis: matrix.shape[0] / matrix.shape[1]
        for axis, matrix in enumerate(matrices)
        if matrix is not None
    }
    for axis in sorted(shrinking, key=shrinking.__getitem__):  # then less is left for the others
        matrix = np.asarray(matrices[axis], np.float32)
        if axis == 0:
            *before, s, p, l = array.shape
            flat = np.matmul(matrix, array.reshape(*before, s, p * l))
            array = flat.reshape(*before, len(matrix), p, l)
        elif axis == 1:
            array = np.matmul(matrix, array)
        else:
            array = array @ matrix.T
    return array


def gaussian_matrix(size: int, sigma: float, truncate: float = 4.0) -> np.ndarray:
    """A Gaussian along one axis, mirrored at the borders; float32, (size, size).

    Args:
        size: voxels along the axis.
        sigma: standard deviation in voxels, above 0.
        truncate: half the kernel's width in standard deviations.
    """
    radius = int(truncate * sigma + 0.5)
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    kernel /= kernel.sum()
    matrix, rows = np.zeros((size, size)), np.arange(size)
    for step, weight in zip(steps, kernel, strict=True):
        beyond = (rows + step) % (2 * size)
        np.add.at(matrix, (rows, np.minimum(beyond, 2 * size - 1 - beyond)), weight)
    return matrix.astype(np.float32)


def gaussian_smooth(
    array: np.ndarray, sigma: float | Sequence[float], truncate: float = 4.0
) -> np.ndarray:
    """Smooth a volume; equals `scipy.ndimage.gaussian_filter` to the last digits of float32.

    Args:
        array: shape (..., S, P, L).
        sigma: standard deviation in voxels, one or one for each axis; 0 leaves an axis as it is.
        truncate: half the kernel's width in standard deviations.

    Returns:
        float32, same shape.
    """
    each = np.broadcast_to(np.asarray(sigma, float), 3)
    matrices = [
        gaussian_matrix(n, float(s), truncate) if s > 0 else None
        for n, s in zip(array.shape[-3:], each, strict=True)
    ]
    return along_axes(np.asarray(array, np.float32), matrices)
