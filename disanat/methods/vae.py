"""Method `vae`: an autoencoder whose code is a distribution, and how far its codes are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from disanat.methods.interface import Batch, PreparedChannel
from disanat.methods.reconstruction import Reconstruction, brain_error, shown
from disanat.networks.autoencoder import (
    DenseDecoder,
    DenseEncoder,
    at_patch_size,
    sizes_of_levels,
)
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE

__all__ = ["VariationalAutoencoder", "divergence", "features_for"]

_FEATURES = (16, 32, 64, 128, 256, 512)
_CODE = 512
_DIVERGENCE = 1e-3
_LOG_VARIANCE = (-8.0, 4.0)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of a normal distribution from the standard one, in nats.

    `KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1 - log s^2) / 2`, summed over the code's numbers,
    which are independent (Kingma & Welling, arXiv 1312.6114, appendix B).

    Args:
        mean: shape (batch, code).
        log_variance: `log s^2`, same shape.

    Returns:
        Shape (batch,), never negative.
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


def features_for(patch_size: Sequence[int]) -> tuple[int, ...]:
    """Channels of the levels: as many levels, up to six, as still halve an axis."""
    sizes = sizes_of_levels(patch_size, len(_FEATURES))
    halving = sum(before != after for before, after in zip(sizes, sizes[1:]))
    return _FEATURES[: max(1, halving)]


class VariationalAutoencoder(Reconstruction):
    """Method `vae`: up to six strided convolutions, a code of 512 normal distributions, and back.

    Six levels, a code of 512 and the weight of the divergence are published values; the widths of
    the levels and what the divergence is summed and averaged over are ours.
    A code is drawn in training; the PHI is painted from its mean. The loss is the absolute error
    inside the brain, averaged over its voxels, and 0.001 times the divergence, summed over the
    code and averaged over the batch.

    The further score `latent` says how far the code of a slice (3D: a patch) moved when the scan
    was replaced by its PHI, in units of the code's own deviations. It is the same for all voxels of
    a slice: it says which slices are ill, the difference where.
    """

    name = "vae"

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        patch = configuration.patch_size
        features = features_for(patch)
        self.encoder = DenseEncoder(features, patch, 1, 2 * _CODE)
        self.decoder = DenseDecoder(features, patch, _CODE)

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"encoder": self.encoder, "decoder": self.decoder})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images, brain = shown(batch)
        mean, log_variance = self.encoded(images)
        codes = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return {
            "rebuilding": brain_error(self.run(self.decoder, codes), images, brain),
            "divergence": _DIVERGENCE * divergence(mean, log_variance).mean(),
        }

    def rebuilt(self, images: Tensor) -> Tensor:
        return at_patch_size(self._rebuilt, self.configuration.patch_size, OUTSIDE)(images)

    def further(self, channel: PreparedChannel, phi: np.ndarray) -> Mapping[str, np.ndarray]:
        moved = at_patch_size(self._moved, self.configuration.patch_size, OUTSIDE)
        distance = self.compared(moved, channel, phi)
        return {"latent": np.where(channel.native_brain, distance, np.float32(0))}

    def encoded(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means and logarithms of the variances, both (batch, code), of (batch, 1, *patch size)."""
        mean, log_variance = self.run(self.encoder, images).chunk(2, 1)
        return mean, log_variance.clamp(*_LOG_VARIANCE)

    def _rebuilt(self, images: Tensor) -> Tensor:
        return self.run(self.decoder, self.encoded(images)[0])

    def _moved(self, both: Tensor) -> Tensor:
        """From scan and PHI, (batch, 2, ...), the distance of their codes at every voxel."""
        seen, log_variance = self.encoded(both[:, :1])
        painted, _ = self.encoded(both[:, 1:])
        squares = (seen - painted).square() / log_variance.exp()
        distance = squares.mean(1).sqrt().reshape(-1, 1, *(1,) * (both.ndim - 2))
        return distance.expand_as(both[:, :1])
