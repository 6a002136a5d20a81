"""Method `ddpm`: a diffusion model sees a scan through noise and says what was below it.

`pddpm` and `cddpm` build on it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from disanat.methods.interface import Batch
from disanat.methods.reconstruction import Reconstruction, brain_error, shown
from disanat.networks.diffusion import DiffusionUnet
from disanat.networks.simplex import simplex_noise
from disanat.plans import Configuration, Plans

__all__ = ["STEPS", "UNITS", "Diffusion", "noised", "share_left"]

STEPS = 1000
_FIRST, _LAST = 1e-4, 0.02
UNITS = 2.0
"""Standardised units in one of the diffusion, in which images of -1 to 1 have brains of SD 0.5."""


def share_left(steps: Tensor) -> Tensor:
    """alpha-bar: the share of an image's variance that is left at each step, 0 to 999.

    The product of 1 - beta up to the step, where beta grows linearly from 1e-4 to 0.02 (Ho, Jain,
    Abbeel, NeurIPS 2020).
    """
    betas = torch.linspace(_FIRST, _LAST, STEPS, dtype=torch.float64)
    return (1 - betas).cumprod(0).float().to(steps.device)[steps]


def noised(images: Tensor, steps: Tensor, noise: Tensor) -> Tensor:
    """x_t = sqrt(alpha-bar_t) x_0 + sqrt(1 - alpha-bar_t) noise.

    All are (batch, 1, ...), steps (batch,).
    """
    left = share_left(steps).reshape(-1, *(1,) * (images.ndim - 1))
    return left.sqrt() * images + (1 - left).sqrt() * noise


class Diffusion(Reconstruction):
    """Method `ddpm` (Wyatt et al., CVPR workshops 2022): simplex noise on a scan, taken away.

    The network is told the time step and says the image without noise, with the absolute error
    inside the brain as its loss. The pseudo-healthy image is what it says of step 500, in one go,
    as in Behrendt et al. (MIDL 2023). Simplex noise has waves of the size of lesions.
    """

    name = "ddpm"
    published_features = 128
    rebuilt_from: tuple[int, ...] = (500,)
    """Time steps whose images are averaged."""

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        self.unet: nn.Module = DiffusionUnet(configuration.encoder, configuration.dimension)

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"unet": self.unet})

    def parts(self, images: Tensor) -> Tensor:
        """Where noise is put, a part at a time: (parts, 1, ...), boolean, disjoint, all voxels."""
        return torch.ones(1, *images.shape[1:], dtype=torch.bool, device=images.device)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images, brain = shown(batch)
        count, device = len(images), images.device
        parts = self.parts(images)
        part = parts[torch.randint(len(parts), (count,), device=device)]
        steps = torch.randint(STEPS, (count,), device=device)
        restored = self.restored(images, steps, self.noise(images), part)
        return {"denoising": brain_error(restored, images, brain & part)}

    def rebuilt(self, images: Tensor) -> Tensor:
        total = torch.zeros_like(images)
        for step in self.rebuilt_from:
            steps = torch.full((len(images),), step, device=images.device)
            noise = self.noise(images)
            for part in self.parts(images):
                total += self.restored(images, steps, noise, part) * part
        return total / len(self.rebuilt_from)

    def noise(self, images: Tensor) -> Tensor:
        """Simplex noise for every image."""
        return simplex_noise(len(images), images.shape[2:], images.device)

    def restored(self, images: Tensor, steps: Tensor, noise: Tensor, part: Tensor) -> Tensor:
        """What the network says of images, standardised, with noise in a part of them."""
        scaled = images / UNITS
        seen = torch.where(part, noised(scaled, steps, noise), scaled)
        return UNITS * self.denoised(seen, steps, scaled)

    def denoised(self, seen: Tensor, steps: Tensor, scaled: Tensor) -> Tensor:
        """The network's answer to noisy images; `scaled` are the same without noise."""
        return self.run(self.unet, seen, steps)
