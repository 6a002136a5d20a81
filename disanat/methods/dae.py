"""Method `dae`: a U-Net that removes coarse noise, and with it what looks like a lesion."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from disanat.methods.interface import Batch
from disanat.methods.reconstruction import Reconstruction, shown
from disanat.networks.builders import build_unet
from disanat.networks.whole_batch import over_batch
from disanat.plans import Configuration, Plans

__all__ = ["DenoisingAutoencoder", "coarse_noise"]

_COARSE = 16
_STRENGTH = 0.2
_RANGE = 5.0
"""The published noise is of images between 0 and 1; a standardised brain spans about 5."""
_MODES = {2: "bilinear", 3: "trilinear"}


def coarse_noise(images: Tensor) -> Tensor:
    """Gaussian noise drawn on a grid of 16 points an axis, enlarged linearly; like `images`."""
    dimension = images.ndim - 2
    drawn = torch.randn(len(images), 1, *(_COARSE,) * dimension, device=images.device)
    return functional.interpolate(drawn, images.shape[2:], mode=_MODES[dimension])


class DenoisingAutoencoder(Reconstruction):
    """Method `dae` (Kascenas, Pugeault, O'Neil, MIDL 2022): coarse noise on the brain, taken away.

    The noise has the size of lesions, so that the network learns to smooth away what has it; the
    scan itself is given without noise. The loss is the mean squared error inside the brain.
    """

    name = "dae"
    published_features = 64

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        self.unet = build_unet(
            configuration.encoder, configuration.dimension, 1, 1, configuration.norm
        )

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"unet": self.unet})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images, brain = shown(batch)
        inside = brain.to(images.dtype)
        noisy = images + _STRENGTH * _RANGE * coarse_noise(images) * inside
        error = (self.run(self.unet, noisy) - images).square() * inside
        total, voxels = over_batch(torch.stack([error.sum(), inside.sum()]))
        return {"denoising": total / voxels.clamp_min(1)}

    def rebuilt(self, images: Tensor) -> Tensor:
        return self.run(self.unet, images)
