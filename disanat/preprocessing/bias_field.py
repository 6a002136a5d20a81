"""The smooth field that coils lay over a scan: estimated in the brain by N4, taken out, put back.

N4: Tustison et al., IEEE Transactions on Medical Imaging 29(6):1310-1320, 2010; SimpleITK's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

__all__ = ["BiasField", "fit_bias_field"]

_FITTED_AT_MM = 5.0
_ITERATIONS = (50, 50, 30)
_DARKEST = 0.02
"""Intensities count from this share of their range below the brain's darkest: N4 takes logs."""


@dataclass(frozen=True)
class BiasField:
    """`field`, (S, P, L), multiplies a scan's intensities, counted from `zero`.

    In the brain its logarithm is 0 on average.
    """

    field: np.ndarray
    zero: float

    def remove(self, array: np.ndarray) -> np.ndarray:
        """The scan without its field (float32)."""
        return np.asarray((array - self.zero) / self.field + self.zero, np.float32)

    def restore(self, array: np.ndarray) -> np.ndarray:
        """A scan without field, with it again (float32)."""
        return np.asarray((array - self.zero) * self.field + self.zero, np.float32)


def fit_bias_field(array: np.ndarray, brain: np.ndarray, spacing: Sequence[float]) -> BiasField:
    """Fit the field of a scan on voxels of about 5 mm.

    Args:
        array: the scan, (S, P, L), in any units.
        brain: bool, same shape: only these voxels are looked at. Beyond them the field stays
            within the range it has in them.
        spacing: voxel size in mm, axes S, P, L.
    """
    low, high = (float(array[brain].min()), float(array[brain].max()))
    zero = min(0.0, low - _DARKEST * (high - low))
    image = _image(array.astype(np.float32) - np.float32(zero), spacing)
    mask = _image(brain.astype(np.uint8), spacing)
    factors = [max(1, round(_FITTED_AT_MM / s)) for s in reversed(list(spacing))]
    fitting = sitk.N4BiasFieldCorrectionImageFilter()
    fitting.SetMaximumNumberOfIterations(_ITERATIONS)
    fitting.Execute(sitk.Shrink(image, factors), sitk.Shrink(mask, factors))
    logarithm = sitk.GetArrayFromImage(fitting.GetLogBiasFieldAsImage(image))
    inside = logarithm[brain]
    logarithm = np.clip(logarithm, inside.min(), inside.max()) - inside.mean()
    return BiasField(np.exp(logarithm).astype(np.float32), zero)


def _image(array: np.ndarray, spacing: Sequence[float]) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(s) for s in reversed(list(spacing))])
    return image
