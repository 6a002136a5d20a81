"""The baseline without training: a voxel is as anomalous as its intensity is high."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from disanat.methods.interface import Batch, ChannelResult, Method, PreparedChannel

__all__ = ["IntensityThreshold"]


class IntensityThreshold(Method):
    """Method `threshold`: histogram equalisation inside the brain of each volume.

    The score of a voxel is its rank among the brain's intensities, from 0 to 1 (Meissen et al.,
    arXiv 2109.06023, found this hard to beat on FLAIR). It rebuilds nothing: its pseudo-healthy
    image is the brain's median everywhere.
    """

    name = "threshold"
    trainable = False

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {}

    def validate(self, batch: Batch) -> dict[str, float]:
        return {}

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        return [self._channel(channel) for channel in channels]

    @staticmethod
    def _channel(channel: PreparedChannel) -> ChannelResult:
        inside = channel.native[channel.native_brain]
        ordered = np.sort(inside)
        rank = np.searchsorted(ordered, channel.native) / max(ordered.size, 1)
        phi = np.where(channel.native_brain, np.median(inside), channel.native)
        return ChannelResult(rank.astype(np.float32), phi.astype(np.float32), "any")
