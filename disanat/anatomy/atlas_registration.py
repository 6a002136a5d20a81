"""Linear registration of the atlas to a scan of any contrast, by mutual information (SimpleITK).

Images here are canonical arrays (axes S, P, L) put into space with their centre at the origin and
their axes along the patient's, so that a transform speaks of millimetres and not of files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import SimpleITK as sitk

from disanat.errors import ImageError

__all__ = ["align", "centred_image", "coarse", "moments_transform", "warp"]

_BINS = 32
_SEED = 1
Linear = TypeVar("Linear", sitk.AffineTransform, sitk.Similarity3DTransform)


def centred_image(array: np.ndarray, spacing: Sequence[float]) -> sitk.Image:
    """A canonical array as an image with its centre at (0, 0, 0) mm."""
    kind = np.uint8 if array.dtype == bool else array.dtype
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, kind))
    steps = [float(s) for s in reversed(tuple(spacing))]
    image.SetSpacing(steps)
    image.SetOrigin([-(n - 1) * s / 2 for n, s in zip(image.GetSize(), steps)])
    return image


def coarse(image: sitk.Image, spacing_mm: float, interpolator: int = sitk.sitkLinear) -> sitk.Image:
    """The image on a grid with voxels of at least `spacing_mm`, smoothed accordingly."""
    old = image.GetSpacing()
    new = [max(s, spacing_mm) for s in old]
    size = [max(1, round(n * s / t)) for n, s, t in zip(image.GetSize(), old, new)]
    sigmas = [max(0.35 * (t * t - s * s) ** 0.5, 1e-3) for s, t in zip(old, new)]
    smooth = image
    if interpolator == sitk.sitkLinear and max(sigmas) > 0.01:
        smooth = sitk.DiscreteGaussian(
            sitk.Cast(image, sitk.sitkFloat32), [s * s for s in sigmas], 16
        )
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing(new)
    grid.SetOrigin([-(n - 1) * s / 2 for n, s in zip(size, new)])
    return sitk.Resample(smooth, grid, sitk.Transform(), interpolator, 0.0)


def moments_transform(
    fixed_mask: np.ndarray, fixed: sitk.Image, moving_mask: np.ndarray, moving: sitk.Image
) -> sitk.AffineTransform:
    """Shift and one scale per axis that bring one mask's box onto the other's (fixed -> moving)."""
    centre, extent = _box(fixed_mask, fixed)
    target, target_extent = _box(moving_mask, moving)
    scale = np.clip(target_extent / extent, 0.75, 1.33)
    transform = sitk.AffineTransform(3)
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(np.diag(scale).ravel().tolist())
    transform.SetTranslation((target - centre).tolist())
    return transform


def _box(mask: np.ndarray, image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Centre of gravity and extent (2nd to 98th percentile) of a mask, in mm, axes x, y, z."""
    index = np.argwhere(mask)[:, ::-1]
    low, high = np.percentile(index, (2, 98), axis=0)
    spacing = np.array(image.GetSpacing())
    centre = index.mean(axis=0) * spacing + np.array(image.GetOrigin())
    return centre, np.maximum((high - low) * spacing, 20.0)


def align(
    fixed: sitk.Image,
    fixed_mask: sitk.Image,
    moving: sitk.Image,
    initial: Linear,
    iterations: int = 60,
    shrink: Sequence[int] = (1,),
) -> tuple[Linear, float]:
    """Refine a linear transform from the fixed to the moving image, within the fixed mask.

    Mattes mutual information on a regular third of the voxels (so that two runs agree). A mask on
    the moving image would reward shrinking, hence none.

    Returns:
        the transform and the metric's final value (lower is better).

    Raises:
        ImageError: the two cannot be brought together.
    """
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.34, _SEED)  # places within the grid are jittered
    method.SetMetricFixedMask(fixed_mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.02, numberOfIterations=iterations, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(shrink))
    method.SetSmoothingSigmasPerLevel([0.0] * len(shrink))
    transform = type(initial)(initial)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(sitk.Cast(fixed, sitk.sitkFloat32), sitk.Cast(moving, sitk.sitkFloat32))
    except RuntimeError as cause:
        raise ImageError(
            "The scan could not be registered to the atlas: check its orientation and that it "
            "shows a whole brain, or give label maps in priorsTr."
        ) from cause
    return transform, float(method.GetMetricValue())


def warp(
    moving: sitk.Image, grid: sitk.Image, transform: sitk.Transform, interpolator: int
) -> np.ndarray:
    """An atlas image on a scan's grid, as an array (axes S, P, L); 0 outside the atlas."""
    return sitk.GetArrayFromImage(sitk.Resample(moving, grid, transform, interpolator, 0.0))
