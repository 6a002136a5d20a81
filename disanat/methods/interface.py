"""What a method has to offer so that planning, training, prediction and evaluation can serve it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from disanat.methods.pictures import Picture
from disanat.networks.inherit import Channels
from disanat.networks.volume import FAST, THOROUGH, Tiling
from disanat.plans import Configuration, Plans
from disanat.tissues import scheme_by_names

__all__ = ["Batch", "ChannelResult", "Detector", "Method", "PreparedChannel"]

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class PreparedChannel:
    """One channel of one case at the plan's spacing, ready for the networks.

    `image` is standardised, (S, P, L), with `normalisation.OUTSIDE` outside `brain`; `native` is
    the same scan, standardised alike, on its own grid inside the crop, with its own brain mask
    and spacing in mm.
    """

    image: np.ndarray
    brain: np.ndarray
    spacing: tuple[float, float, float]
    native: np.ndarray
    native_brain: np.ndarray
    native_spacing: tuple[float, float, float]


@dataclass(frozen=True)
class ChannelResult:
    """What a method says about one channel.

    `score` lies on the channel's native grid: higher is more anomalous, before calibration. `phi`
    is the pseudo-healthy image on the native grid in standardised intensities; `anatomy` and
    `edges` are label maps on the native grid (None where the method has none). `contrast` names
    the kind of contrast that was seen, for which the calibration keeps tables of their own.
    """

    score: np.ndarray
    phi: np.ndarray
    contrast: str
    anatomy: np.ndarray | None = None
    edges: np.ndarray | None = None
    further: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By name, further scores on the same voxels; calibration decides how much of each is added."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """By name, what tells a scan unlike those trained on; compared with healthy scans' figures."""

    def joined(self, shares: Mapping[str, float]) -> np.ndarray:
        """The score with a share of each further one added."""
        added = (np.float32(shares.get(name, 0)) * one for name, one in self.further.items())
        return np.asarray(sum(added, start=self.score))


class Detector(ABC):
    """What calibration and prediction need: something that scores the channels of a case."""

    name: str
    learned_scores: tuple[str, ...] = ()
    """Names of the further scores that are learned from training's synthetic lesions."""
    alongside: bool = False
    """Whether `predict` may run in two threads at a time, its networks taking turns: it draws no
    random numbers and keeps nothing."""
    tiling: Tiling = THOROUGH
    """How often its networks look at a voxel at prediction."""

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        self.plans = plans
        self.configuration = configuration
        self.scheme = scheme_by_names(plans.classes)

    def faster(self) -> Detector:
        """One with the same networks that looks at each voxel as seldom, and as fast, as it can."""
        other = copy(self)
        other.tiling = FAST
        return other

    def anatomy(self, image: np.ndarray) -> np.ndarray | None:
        """Probabilities of background and tissues as seen, not restored; None if it has none.

        Args:
            image: one channel, standardised, (S, P, L) at plan spacing, `OUTSIDE` outside the
                brain.

        Returns:
            Shape (classes + 1, S, P, L), summing to 1 over the first axis.
        """
        return None

    @abstractmethod
    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        """Results of all channels of one case, in the same order."""


class Method(Detector):
    """One way to find anomalies, trained on healthy scans alone."""

    trainable: bool = True
    synthetic_lesions: bool = True
    """Whether its training samples have synthetic lesions; else all are healthy."""
    published_features: int | None = None
    """Channels of the first stage of its authors' network; None: nothing to compare with."""

    @abstractmethod
    def networks(self) -> nn.ModuleDict:
        """The method's networks, by name; empty for a method without training."""

    def class_channels(self) -> tuple[Channels, ...]:
        """The layers of its networks whose inputs or outputs are tissue classes."""
        return ()

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Named losses of one batch, already weighted; their sum is minimised."""

    @abstractmethod
    def validate(self, batch: Batch) -> dict[str, float]:
        """Figures of one batch of held-out cases; `error` among them is to become small."""

    def pictures(self, batch: Batch) -> dict[str, Picture]:
        """By title, what to look at of a batch of held-out cases; empty: there is nothing."""
        return {}
