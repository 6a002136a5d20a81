"""Whether a label map of a healthy brain can be one, by the share that each tissue has in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from disanat.tissues import TissueClass, whole_numbers

__all__ = ["implausible_share"]

_FLUID = "outer_csf"
# DLMUSE maps of 80 IXI scans (20 to 82 years) and 12 of people of 69 to 96 years, closed by 6 mm:
# half the smallest to twice the largest share; for the two large tissues a factor of 1.5.
_BOUNDS: dict[str, tuple[float, float]] = {
    _FLUID: (0.028, 0.44),
    "ventricles": (0.0028, 0.22),
    "cortical_grey": (0.24, 0.70),
    "white": (0.23, 0.66),
    "deep_grey": (0.018, 0.094),
    "cerebellar_grey": (0.037, 0.23),
    "cerebellar_white": (0.0089, 0.061),
    "brainstem": (0.0066, 0.039),
}


def implausible_share(labels: np.ndarray, scheme: Sequence[TissueClass]) -> str | None:
    """What cannot be right about the anatomy of a healthy brain, in words; None if nothing is.

    The outer fluid is measured against the whole brain, all else against the brain without it, so
    that a wide brain mask makes no tissue look small. Where the classes are not the usual eight, no
    bounds are known: they must only be there. Partial-volume classes count for what they are part
    of, and need not be there.

    Args:
        labels: class numbers, any shape; 0 outside the brain.
        scheme: the classes, in the order of their numbers.
    """
    named = whole_numbers(scheme)[labels.ravel()]
    scheme = [tissue for tissue in scheme if not tissue.part_of]
    counts = np.bincount(named, minlength=len(scheme) + 1)[1 : len(scheme) + 1]
    brain = int(counts.sum())
    fluid = sum(int(n) for tissue, n in zip(scheme, counts) if tissue.name == _FLUID)
    known = {tissue.name for tissue in scheme} == set(_BOUNDS)
    for tissue, count in zip(scheme, counts, strict=True):
        if not count:
            return f"{tissue.name} is missing"
        whole = brain if tissue.name == _FLUID else brain - fluid
        low, high = _BOUNDS[tissue.name] if known else (0.0, 1.0)
        share = int(count) / whole
        if not low <= share <= high:
            return (
                f"{tissue.name} is {100 * share:.1f}% of the brain, but {100 * low:.1f} to "
                f"{100 * high:.0f}% is usual"
            )
    return None
