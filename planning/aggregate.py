"""From the fingerprints of all cases to that of the dataset: medians and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from disanat.io.dataset import RawDataset
from disanat.plans import CaseFingerprint, ChannelFingerprint, Fingerprint, IntTriple, Triple

__all__ = ["aggregate", "triple"]


def aggregate(
    dataset: RawDataset, cases: Sequence[CaseFingerprint], maps: Sequence[Triple] = ()
) -> Fingerprint:
    """What a dataset looks like as a whole.

    Args:
        dataset: as declared.
        cases: at least one.
        maps: voxel sizes in mm of its label maps without scans.
    """
    shape = np.median([case.shape_after_crop for case in cases], axis=0)
    labels = Counter(number for case in cases for number in case.prior_labels)
    orientations = Counter(case.orientation for case in cases)
    return Fingerprint(
        dataset=dataset.name,
        channel_names=dataset.channel_names,
        cases=tuple(cases),
        median_spacing=_median([case.spacing for case in cases]),
        median_shape=triple([round(float(value)) for value in shape]),
        skull_stripped=all(case.skull_stripped for case in cases),
        prior_available=bool(dataset.label_mapping),
        channels=tuple(
            _channel(name, number, cases) for number, name in enumerate(dataset.channel_names)
        ),
        median_brain_volume_ml=round(float(np.median([c.brain_volume_ml for c in cases])), 3),
        orientations=dict(sorted(orientations.items())),
        label_maps=len(maps),
        label_map_spacing=_median(maps) if maps else None,
        prior_labels={str(number): labels[number] for number in sorted(labels)},
    )


def triple(values: Sequence[int]) -> IntTriple:
    """Three whole numbers, for S, P and L."""
    s, p, l_ = (int(value) for value in values)
    return s, p, l_


def _median(values: Sequence[Triple]) -> Triple:
    s, p, l_ = (float(value) for value in np.median(values, axis=0))
    return s, p, l_


def _channel(name: str, number: int, cases: Sequence[CaseFingerprint]) -> ChannelFingerprint:
    having = [(case, case.channels.index(number)) for case in cases if number in case.channels]
    if not having:
        return ChannelFingerprint(name, 0, (), None, None, None, None, None, False)
    percentiles = np.median([case.intensity_percentiles[at] for case, at in having], axis=0)
    noise = [case.noise[at] for case, at in having]
    bias = [case.bias[at] for case, at in having]
    s, p, l_ = _median([case.resolution[at] for case, at in having])
    return ChannelFingerprint(
        name=name,
        cases=len(having),
        intensity_percentiles=tuple(float(f"{value:.6g}") for value in percentiles),
        noise_median=round(float(np.median(noise)), 4),
        noise_90th=round(float(np.percentile(noise, 90)), 4),
        bias_median=round(float(np.median(bias)), 4),
        bias_90th=round(float(np.percentile(bias, 90)), 4),
        resolution=(round(s, 3), round(p, 3), round(l_, 3)),
        background_differs=any(case.background[at] != 0 for case, at in having),
    )
