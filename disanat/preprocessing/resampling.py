"""Changing voxel sizes of arrays in canonical orientation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

__all__ = ["new_shape", "resample"]

_ORDERS = {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline}


def new_shape(
    shape: Sequence[int], spacing: Sequence[float], target: Sequence[float]
) -> tuple[int, int, int]:
    """Voxels along each axis once the voxel size goes from `spacing` to `target` (mm)."""
    s, p, l = (max(1, round(n * a / b)) for n, a, b in zip(shape, spacing, target, strict=True))
    return s, p, l


def resample(array: np.ndarray, shape: Sequence[int], order: int = 1) -> np.ndarray:
    """Resample to `shape`, both grids covering the same field of view (edges aligned).

    Finer arrays are smoothed first where they are thinned out by more than 1.5, so that no signal
    is lost between samples.

    Args:
        array: shape (S, P, L); float for orders 1 and 3, any type for order 0.
        shape: wanted shape.
        order: 0 nearest neighbour, 1 linear, 3 cubic B-spline.

    Returns:
        Array of the wanted shape; float32 unless `order` is 0, which keeps the type.
    """
    wanted = tuple(int(n) for n in shape)
    if array.shape == wanted:
        return array if order == 0 else array.astype(np.float32, copy=False)
    factors = [n / m for n, m in zip(array.shape, wanted, strict=True)]
    image = sitk.GetImageFromArray(array if order == 0 else array.astype(np.float32, copy=False))
    if order > 0 and max(factors) > 1.5:
        sigmas = [max(0.35 * f, 1e-3) if f > 1.5 else 1e-3 for f in reversed(factors)]
        image = sitk.DiscreteGaussian(image, [s * s for s in sigmas], 32, 0.01, False)
    step = list(reversed(factors))
    reference = sitk.Image(list(reversed(wanted)), image.GetPixelID())
    reference.SetSpacing(step)
    reference.SetOrigin([(f - 1) / 2 for f in step])
    edge = sitk.ResampleImageFilter()
    edge.SetReferenceImage(reference)
    edge.SetInterpolator(_ORDERS[order])
    edge.SetUseNearestNeighborExtrapolator(True)
    return np.asarray(sitk.GetArrayFromImage(edge.Execute(image)))
