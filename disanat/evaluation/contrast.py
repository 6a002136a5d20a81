"""How a lesion stands out from the brain around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

__all__ = ["SHELL_MM", "lesion_contrasts"]

SHELL_MM = 5.0
"""How far the brain around a lesion reaches; one voxel at least."""
_TO_SD = 1.4826
"""From a median absolute deviation to the standard deviation of a normal distribution."""


def lesion_contrasts(
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    count: int,
    brain: np.ndarray,
    spacing: Sequence[float],
) -> list[float | None]:
    """Median in each lesion minus median in the shell of brain around it, in SDs of the brain.

    The SD is robust (of the median absolute deviation) and is taken over the brain without
    lesions. Other lesions are no part of a shell.

    Args:
        images: channels of one scan, axes S, P, L; of several the contrast furthest from 0 counts.
        labels: int, same shape: 0 outside the lesions, their numbers from 1 on.
        count: the highest number.
        brain: bool, same shape.
        spacing: voxel sizes of the axes in mm.

    Returns:
        One for each lesion. None without an image, for a lesion wholly outside the brain, and for
        one with no brain around it.
    """
    healthy = brain & (labels == 0)
    scaled = [image / spread for image in images if (spread := _spread(image[healthy]))]
    if not scaled:
        return [None] * count
    reach = max(SHELL_MM, min(spacing))
    margins = [int(np.ceil(reach / mm)) for mm in spacing]
    found: list[float | None] = []
    for number, box in enumerate(ndimage.find_objects(labels, count), start=1):
        around = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(box, margins))
        whole = labels[around] == number
        distance = ndimage.distance_transform_edt(~whole, sampling=spacing)
        inside, shell = whole & brain[around], healthy[around] & (distance <= reach)
        if not inside.any() or not shell.any():
            found.append(None)
            continue
        gaps = [np.median(one[around][inside]) - np.median(one[around][shell]) for one in scaled]
        found.append(float(max(gaps, key=abs)))
    return found


def _spread(values: np.ndarray) -> float:
    """Robust standard deviation; 0 without voxels."""
    if values.size == 0:
        return 0.0
    return float(_TO_SD * np.median(np.abs(values - np.median(values))))
