"""Where to look in a case: the box around the brain, the most anomalous place, the colours' end."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["brain_box", "brightest", "most_anomalous"]

_FOCUS_MM = 4.0
_MARGIN_MM = 6.0


def brain_box(region: np.ndarray, spacing: tuple[float, float, float]) -> tuple[slice, ...]:
    """The bounding box of a region with a margin of 6 mm; everything where the region is empty."""
    found = ndimage.find_objects(region.astype(np.uint8))
    if not found:
        return (slice(None),) * 3
    margins = [round(_MARGIN_MM / mm) for mm in spacing]
    return tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(found[0], margins))


def brightest(threshold: float, anomaly: np.ndarray) -> float:
    """Upper end of the map's colours: twice the threshold, so that all cases have the same."""
    if threshold > 0:
        return 2 * threshold
    return float(max(np.percentile(anomaly, 99.8), 1e-6))


def most_anomalous(
    strength: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[int, int, int]:
    """The voxel where a map is strongest when it is blurred by 4 mm.

    Args:
        strength: axes S, P, L.
        spacing: of these, in mm.
    """
    sigma = [_FOCUS_MM / mm for mm in spacing]
    blurred = ndimage.gaussian_filter(strength.astype(np.float32), sigma)
    s, p, left = np.unravel_index(int(np.argmax(blurred)), blurred.shape)
    return int(s), int(p), int(left)
