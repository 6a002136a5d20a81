"""What the networks saw in a scan, made into scores on the scan's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from disanat.anatomy.edges import on_edge
from disanat.methods.dal.ablation import Steps
from disanat.methods.interface import ChannelResult, PreparedChannel
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.preprocessing.resampling import resample
from disanat.scoring.distribution import case_figures
from disanat.scoring.intensity import Imaging, contrast_kind, contrast_weights
from disanat.scoring.likelihood import lesion_log_ratio, place_log_prior, smooth_inside
from disanat.scoring.residual import residual_score
from disanat.tissues import TissueClass, whole_labels, whole_numbers

__all__ = ["Look", "Scoring"]


@dataclass(frozen=True)
class Look:
    """One channel as the networks saw it, at the plan's spacing."""

    imaging: Imaging
    lesion: np.ndarray
    """The comparator's logit, (S, P, L)."""
    phi: np.ndarray
    """Standardised, with the scan's bias field, (S, P, L)."""


@dataclass(frozen=True)
class Scoring:
    """Makes a channel's scores; `scheme` are the tissue classes, `edge_width` in voxels."""

    steps: Steps
    scheme: Sequence[TissueClass]
    edge_width: int

    def result(
        self, channel: PreparedChannel, observed: np.ndarray, healthy: np.ndarray, look: Look
    ) -> ChannelResult:
        """What the method says of a channel.

        Args:
            channel: the scan.
            observed, healthy: class probabilities as seen and as restored, (classes + 1, S, P, L)
                at the plan's spacing.
            look: what the networks made of the channel.
        """
        shape, brain = channel.native.shape, channel.native_brain
        ratio = self._ratio(channel, (observed + healthy) / 2, look.imaging)
        native_phi = resample(look.phi, shape)
        residual = residual_score(channel.native, native_phi, brain)
        score, further = self.steps.scores(
            channel,
            native_phi,
            (observed, healthy),
            smooth_inside(ratio, brain),
            {
                "comparator": smooth_inside(resample(look.lesion, shape), brain),
                "residual": smooth_inside(residual, brain),
            },
        )
        return ChannelResult(
            score=score,
            phi=np.where(brain, native_phi, OUTSIDE),
            contrast=contrast_kind(look.imaging, self.scheme),
            anatomy=resample(whole_labels(healthy, self.scheme), shape, order=0),
            edges=self._edge_labels(healthy, shape),
            further=further,
            figures=case_figures(
                channel.image,
                channel.brain,
                channel.spacing,
                observed,
                healthy,
                look.phi,
                look.imaging.bias,
                self.scheme,
            ),
        )

    def _ratio(
        self, channel: PreparedChannel, anatomy: np.ndarray, imaging: Imaging
    ) -> np.ndarray:
        """Likelihood ratio and place, on the native grid."""
        shape = channel.native.shape
        fine = resample(anatomy, shape)
        fine_imaging = replace(imaging, bias=resample(imaging.bias, shape))
        weights = contrast_weights(imaging, self.scheme)
        ratio = lesion_log_ratio(channel.native, fine, fine_imaging, weights, self.scheme)
        ratio += place_log_prior(fine, channel.native_spacing, self.scheme)
        return ratio

    def _edge_labels(self, healthy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        named = healthy.argmax(0).astype(np.uint8)
        labels = on_edge(named, self.edge_width) * whole_numbers(self.scheme)[named]
        return resample(labels.astype(np.uint8), shape, order=0)
