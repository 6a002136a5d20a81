"""Which steps of preparation a plan takes."""

from __future__ import annotations

import numpy as np

from disanat.errors import PlanError
from disanat.plans import Fingerprint
from disanat.preparation import Preparation

__all__ = ["plan_preparation"]

_QUARTILES_APART = 1.349
"""Of a normal distribution, in standard deviations."""


def plan_preparation(
    fingerprint: Fingerprint, bias_correction: bool, one_scale: bool, resampling: bool
) -> Preparation:
    """The steps, as the user wants them.

    Args:
        fingerprint: of the dataset.
        bias_correction: take the bias field out by N4.
        one_scale: standardise all scans by one mean and deviation: those of the dataset's channels
            (median of the brains' medians, and of what lies between their quartiles).
        resampling: bring all scans to the plan's voxel size.

    Raises:
        PlanError: one scale is wanted, but the intensities of the dataset have no spread.
    """
    if not one_scale:
        return Preparation(bias_correction, None, resampling)
    seen = [c.intensity_percentiles for c in fingerprint.channels if c.cases]
    low, middle, high = np.median([p[1:4] for p in seen], axis=0) if seen else (0.0, 0.0, 0.0)
    if not high > low:
        raise PlanError(
            f"The intensities of {fingerprint.dataset} have no spread, so that they give no scale: "
            "plan without --standardisation dataset."
        )
    scale = (float(middle), float(high - low) / _QUARTILES_APART)
    return Preparation(bias_correction, scale, resampling)
