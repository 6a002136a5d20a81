"""What one healthy case measures, once its files were read and found in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from disanat.anatomy.plausible import brain_ml
from disanat.io.dataset import RawDataset, mapping_scheme
from disanat.io.images import Scan
from disanat.plans import BrainMaskTool, CaseFingerprint, Triple
from disanat.preprocessing.boxes import bounding_box
from disanat.preprocessing.brain_search import find_brain
from disanat.tissues import remap_labels
from planning.aggregate import triple
from planning.measures import bias_level, effective_resolution, noise_level

__all__ = ["measure_case"]

_PERCENTILES = (0.5, 25, 50, 75, 99.5)


def measure_case(
    dataset: RawDataset,
    case: str,
    scans: dict[int, Scan],
    labels: np.ndarray | None,
    content: str,
    tool: BrainMaskTool,
) -> CaseFingerprint:
    """Find the brain of a case and measure what is in it.

    Args:
        dataset: that the case belongs to.
        case: its name.
        scans: channel number -> scan, all on one grid.
        labels: its label map on that grid, in the dataset's own numbers.
        content: what it was measured from (`planning.content`).
        tool: what finds the brain in whole heads.

    Raises:
        ImageError: no plausible brain was found, or the user's mask cannot be used.
    """
    first = next(iter(scans.values()))
    prior = None
    if labels is not None:
        scheme = mapping_scheme(dataset.label_mapping) or ()
        prior = remap_labels(labels, dataset.label_mapping, scheme)
    found = find_brain(scans, tool, dataset.brain_mask_path(case), prior)
    mask = found.mask
    channels = [_measure_channel(s, mask, found.backgrounds[c]) for c, s in scans.items()]
    numbers = [] if labels is None else np.unique(labels[labels > 0]).tolist()
    return CaseFingerprint(
        case=case,
        channels=tuple(scans),
        spacing=first.spacing,
        shape=triple(first.array.shape),
        shape_after_crop=triple([box.stop - box.start for box in bounding_box(mask)]),
        orientation=first.geometry.orientation,
        skull_stripped=found.stripped,
        background=tuple(channel.background for channel in channels),
        brain_volume_ml=round(brain_ml(mask, first.spacing), 3),
        intensity_percentiles=tuple(channel.percentiles for channel in channels),
        prior_labels=tuple(int(number) for number in numbers),
        noise=tuple(channel.noise for channel in channels),
        bias=tuple(channel.bias for channel in channels),
        resolution=tuple(channel.resolution for channel in channels),
        slice_thickness=max(channels[0].resolution),
        content=content,
        brain_from=found.source,
    )


@dataclass(frozen=True)
class _Channel:
    """Of one scan, what `CaseFingerprint` holds per channel."""

    background: float
    percentiles: tuple[float, ...]
    noise: float
    bias: float
    resolution: Triple


def _measure_channel(scan: Scan, mask: np.ndarray, around: float | None) -> _Channel:
    percentiles = np.percentile(scan.array[mask], _PERCENTILES)
    # A field multiplies what is counted from zero. In a standardised scan that zero has become
    # the background's value.
    dark = around is not None and around < percentiles[1]
    s, p, l_ = effective_resolution(scan.array, mask, scan.spacing)
    return _Channel(
        background=float(scan.array.min()) if around is None else around,
        percentiles=tuple(float(f"{value:.6g}") for value in percentiles),
        noise=round(noise_level(scan.array, mask), 4),
        bias=round(bias_level(scan.array - around if dark else scan.array, mask, scan.spacing), 4),
        resolution=(round(s, 3), round(p, 3), round(l_, 3)),
    )
