"""Is a scan of the kind that was trained on? A few robust figures against those of healthy scans.

A wrong body part, a phantom or a ruined scan still gets an anatomy and an anomaly map. What gives
it away is how the pieces fit: the anatomy is unsure, its parts have odd sizes, the painted image
is far from the scan, there is more noise than tissue. A lesion must not do so on its own, hence
wide bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from disanat.tissues import TissueClass

__all__ = ["UNLIKE", "case_figures", "figure_bounds", "unlike_training"]

UNLIKE = "unlike_training"
"""What a flag begins with; the figure's name follows after a colon."""
_SD_OF_MAD = 0.6745  # median absolute deviation of a normal distribution with SD 1
_SPREADS = 6.0
_LEAST_SPREAD = 1e-3
_NEAREST = 0.8
_LEAST = {
    "brain_volume_ml": 500.0,
    "disagreement": 0.10,
    "uncertainty": 0.12,
    "residual": 0.25,
    "noise": 0.25,
    "bias": 0.25,
    "misfit": 0.40,
    "clipped": 0.05,
    "asymmetry": 0.15,
}
"""Nothing nearer to the healthy median than this is odd, however alike the healthy scans are."""
_LEAST_SHARE = 0.12


def case_figures(
    image: np.ndarray,
    brain: np.ndarray,
    spacing: Sequence[float],
    observed: np.ndarray,
    restored: np.ndarray,
    phi: np.ndarray,
    bias: np.ndarray,
    scheme: Sequence[TissueClass],
) -> dict[str, float]:
    """Figures of one channel, none of which depends on the voxel size by definition.

    Args:
        image: standardised scan, (S, P, L).
        brain: bool, same shape.
        spacing: voxel size in mm.
        observed: class probabilities as observed, (classes + 1, S, P, L).
        restored: the same after restoration.
        phi: painted pseudo-healthy image, standardised, (S, P, L).
        bias: the bias field in it, same shape.
        scheme: the tissue classes.

    Returns:
        `brain_volume_ml`; of each class its share of the restored brain; of the brain's voxels the
        shares whose observed and restored class differ (`disagreement`) and that have the scan's
        highest intensity (`clipped`), and the mean doubt about the observed class
        (`uncertainty`); `residual`, the median of |scan - phi|, `noise` and the SD of the `bias`
        field, in standard deviations of the brain on this grid; `misfit`, 1 - the correlation of
        scan and phi, both freed from bias, over the four fifths of the brain where they are
        nearest; and `asymmetry`. Empty where the brain is empty.
    """
    if not brain.any():
        return {}
    named, healthy = observed.argmax(0), restored.argmax(0)
    counts = np.bincount(healthy[brain], minlength=len(scheme) + 1)
    inside = max(int(counts[1:].sum()), 1)
    values = image[brain]
    # Fine noise of a fine scan is averaged away on this grid: then little is left of the scan.
    spread = max(float(values.std()), _LEAST_SPREAD)
    return {
        "brain_volume_ml": float(brain.sum() * np.prod(spacing) / 1000),
        **{c.name: float(counts[k] / inside) for k, c in enumerate(scheme, start=1)},
        "disagreement": float(np.mean((named != healthy)[brain])),
        "uncertainty": float(1 - observed.max(0)[brain].mean()),
        "residual": float(np.median(np.abs(values - phi[brain]))) / spread,
        "noise": _noise(image, brain) / spread,
        "bias": float(bias[brain].std()) / spread,
        "misfit": _misfit((image - bias)[brain], (phi - bias)[brain]),
        "clipped": float(np.mean(values > values.max() - 0.01 * spread)),
        "asymmetry": _asymmetry(healthy * brain),
    }


def _noise(image: np.ndarray, brain: np.ndarray) -> float:
    """SD of the noise by the finest diagonal wavelet coefficients (Donoho 1995)."""
    detail, core = image, ndimage.binary_erosion(brain, iterations=2)
    for axis in range(3):
        detail = np.diff(detail, axis=axis)
    core = core[:-1, :-1, :-1]
    if not core.any():
        return 0.0
    return float(np.median(np.abs(detail[core])) / np.sqrt(8) / _SD_OF_MAD)


def _misfit(scan: np.ndarray, painted: np.ndarray) -> float:
    """1 - correlation; without the farthest fifth, or else a large bright tumour would decide."""
    difference = scan - painted
    distance = np.abs(difference - np.median(difference))
    near = distance <= np.quantile(distance, _NEAREST)
    a, b = scan[near], painted[near]
    product = float(a.std() * b.std())
    if product == 0:
        return 1.0
    return 1 - float(np.mean((a - a.mean()) * (b - b.mean()))) / product


def _asymmetry(labels: np.ndarray) -> float:
    """1 - Dice of all classes with their mirror image, left to right about the brain's middle."""
    where = ndimage.find_objects((labels > 0).astype(np.uint8))
    if not where:
        return 1.0
    cut = labels[where[0]]
    mirrored = cut[..., ::-1]
    return 1 - 2 * float(np.sum((cut == mirrored) & (cut > 0))) / float(
        np.count_nonzero(cut) + np.count_nonzero(mirrored)
    )


def figure_bounds(healthy: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value that is not odd, of each figure that all healthy scans have.

    The median, more or less six times the robust standard deviation, but at least a distance that
    no healthy or ill brain ought to exceed.
    """
    names = set.intersection(*(set(f) for f in healthy)) if healthy else set()
    bounds = {}
    for name in sorted(names):
        values = np.array([f[name] for f in healthy])
        middle = float(np.median(values))
        spread = float(np.median(np.abs(values - middle))) / _SD_OF_MAD
        reach = max(_SPREADS * spread, _LEAST.get(name, _LEAST_SHARE))
        bounds[name] = (middle - reach, middle + reach)
    return bounds


def unlike_training(
    channels: Sequence[Mapping[str, float]], bounds: Mapping[str, Sequence[float]]
) -> tuple[str, ...]:
    """Flags such as `unlike_training:noise` for what is out of bounds in any channel of a case."""
    odd = {
        name: None
        for figures in channels
        for name, value in figures.items()
        if name in bounds and not bounds[name][0] <= value <= bounds[name][1]
    }
    return tuple(f"{UNLIKE}:{name}" for name in odd)
