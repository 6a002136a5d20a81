"""How far training data are worsened, from how good the dataset's own scans are."""

from __future__ import annotations

from disanat.plans import Augmentation, Decision, Fingerprint, Triple

__all__ = ["plan_augmentation"]

_LEAST_NOISE, _MOST_NOISE = 0.2, 0.5
_LEAST_BIAS, _MOST_BIAS = 0.2, 0.5
_LEAST_BLUR = 1.2
_FACTOR, _BLUR_FACTOR = 2.0, 1.5
_SD_PER_WIDTH = 1 / 2.355
"""Standard deviation of a Gaussian of full width 1 at half its height."""


def plan_augmentation(fingerprint: Fingerprint, spacing: Triple) -> tuple[Augmentation, Decision]:
    """Ranges of noise, bias field and blur, and why.

    Scans of other scanners will be worse than the healthy ones: twice the 90th percentile of noise
    and field of the worst channel, and one and a half times the effective resolution, but never
    less than what has been good for good scans.

    Args:
        fingerprint: of the dataset.
        spacing: target voxel size in mm.
    """
    noise = max((c.noise_90th or 0.0 for c in fingerprint.channels), default=0.0)
    bias = max((c.bias_90th or 0.0 for c in fingerprint.channels), default=0.0)
    finest = min(spacing)
    fine = max((min(c.resolution) for c in fingerprint.channels if c.resolution), default=finest)
    made = Augmentation(
        noise=round(min(_MOST_NOISE, max(_LEAST_NOISE, _FACTOR * noise)), 3),
        bias=round(min(_MOST_BIAS, max(_LEAST_BIAS, _FACTOR * bias)), 3),
        blur_mm=round(max(_LEAST_BLUR * finest, _BLUR_FACTOR * fine * _SD_PER_WIDTH), 3),
    )
    return made, Decision(
        "augmentation",
        f"noise to {made.noise:g} SD, bias field to {made.bias:g}, blur to {made.blur_mm:g} mm",
        f"Nine of ten scans have a noise below {noise:.2g} SD of the brain and a bias field below "
        f"{bias:.2g}, and the finest effective resolution is {fine:.3g} mm; other scanners are "
        f"given up to twice the noise and field, at least {_LEAST_NOISE:g} and {_LEAST_BIAS:g}, "
        f"and a blur of up to {_BLUR_FACTOR:g} times the resolution.",
    )
