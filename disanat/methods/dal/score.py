"""The scores of one channel, from what the networks made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from disanat.methods.interface import PreparedChannel
from disanat.preprocessing.resampling import resample
from disanat.scoring.deviation import deviation_score, expected_spread
from disanat.scoring.intensity import Imaging, contrast_weights
from disanat.scoring.likelihood import lesion_log_ratio, place_log_prior, smooth_inside
from disanat.tissues import TissueClass

__all__ = ["channel_scores", "smooth_score", "steadied"]

_STEADY_VOXELS = 0.6
_SMOOTH_MM = 1.4


def steadied(anatomy: np.ndarray) -> np.ndarray:
    """Class probabilities of a volume, (classes + 1, S, P, L), smoothed by 0.6 voxels.

    Slices are restored one by one and differ more than the brain does; and of a border that lies
    a voxel off, half is then still expected.
    """
    return np.stack([ndimage.gaussian_filter(q, _STEADY_VOXELS, truncate=3) for q in anatomy])


def smooth_score(score: np.ndarray, channel: PreparedChannel) -> np.ndarray:
    """A score on the native grid, smoothed by 1.4 mm over the brain alone."""
    sigma = [_SMOOTH_MM / s for s in channel.native_spacing]
    return smooth_inside(score, channel.native_brain, sigma)


def channel_scores(
    channel: PreparedChannel,
    anatomy: np.ndarray,
    imaging: Imaging,
    phi: np.ndarray,
    logits: Mapping[str, np.ndarray],
    scheme: Sequence[TissueClass],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The likelihood ratio with the place, and the further scores; all on the native grid.

    Args:
        channel: the scan.
        anatomy: steadied restored class probabilities at the plan's spacing.
        imaging: of the scan, at the plan's spacing.
        phi: the PHI on the native grid, standardised.
        logits: by name, lesion logits of networks at the plan's spacing, (S, P, L).
        scheme: the tissue classes.
    """
    shape = channel.native.shape
    fine = np.stack([resample(q, shape) for q in anatomy])
    native = replace(imaging, bias=resample(imaging.bias, shape))
    weights = contrast_weights(imaging, scheme)
    ratio = lesion_log_ratio(channel.native, fine, native, weights, scheme)
    ratio += place_log_prior(fine, channel.native_spacing, scheme)
    deviation = deviation_score(
        channel.native,
        phi,
        expected_spread(fine, native),
        channel.native_brain,
        channel.native_spacing,
    )
    further = {name: resample(logit, shape) for name, logit in logits.items()}
    further["residual"] = deviation
    return smooth_score(ratio, channel), {
        name: smooth_score(one, channel) for name, one in further.items()
    }
