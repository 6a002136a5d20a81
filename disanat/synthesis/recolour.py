"""A healthy scan in another contrast: its own detail, the intensities of a signal equation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disanat.tissues import TissueClass, class_kinds

__all__ = ["recoloured"]

_APART = 0.2
_FEWEST = 20


def recoloured(
    image: np.ndarray,
    labels: np.ndarray,
    sample_values: np.ndarray,
    sample_labels: np.ndarray,
    table: np.ndarray,
    scheme: Sequence[TissueClass],
) -> np.ndarray:
    """Give each tissue of a scan the intensity that a table says, and keep what lies between.

    Inside each class the scan's intensities are mapped along straight lines through fluid, the
    class itself and white matter, each from its median in the scan to its entry in the table: so a
    voxel that is half fluid in the scan is half fluid in the new contrast, too. Noise and texture
    come along. Labels without enough voxels in the sample take the table's entry.

    Args:
        image: standardised scan, any shape.
        labels: of the same voxels.
        sample_values: standardised intensities drawn from the whole case.
        sample_labels: their labels.
        table: intensity by label.
        scheme: the tissue classes.

    Returns:
        float32 array of the image's shape, in units of the table.
    """
    new = table[labels].astype(np.float32)
    fluid, white = class_kinds(scheme, "csf")[0], class_kinds(scheme, "white")[0]
    levels = {}
    for k in range(1, len(scheme) + 1):
        values = sample_values[sample_labels == k]
        if values.size >= _FEWEST:
            levels[k] = float(np.median(values))
    for k in levels:
        knots = {j: levels[j] for j in (k, fluid, white) if j in levels}
        where = labels == k
        new[where] = _along(image[where], knots, table, k)
    return new


def _along(
    values: np.ndarray, knots: dict[int, float], table: np.ndarray, own: int
) -> np.ndarray:
    """Piecewise linear through the knots; beyond the last ones on with half the slope, at most."""
    apart = {
        j: at for j, at in knots.items() if j == own or abs(at - knots[own]) > _APART
    }
    order = sorted(apart, key=lambda j: apart[j])
    xs = np.array([apart[j] for j in order])
    ys = np.array([float(table[j]) for j in order])
    if len(xs) == 1:
        return np.full(values.shape, ys[0], np.float32)
    slopes = np.diff(ys) / np.diff(xs)
    mapped = np.interp(values, xs, ys)
    mapped += 0.5 * slopes[0] * np.clip(values - xs[0], -1, 0)
    mapped += 0.5 * slopes[-1] * np.clip(values - xs[-1], 0, 1)
    return np.maximum(mapped, 0).astype(np.float32)
