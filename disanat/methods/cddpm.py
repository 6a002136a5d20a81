"""Method `cddpm`: a diffusion model that knows a code of the scan without noise."""

from __future__ import annotations

from torch import Tensor, nn

from disanat.methods.ddpm import Diffusion
from disanat.networks.diffusion import DiffusionUnet, ScanEncoder
from disanat.plans import Configuration, Plans

__all__ = ["CODE", "ConditionedDiffusion"]

CODE = 128


class ConditionedDiffusion(Diffusion):
    """Method `cddpm` (Behrendt et al., arXiv 2312.04215): a code of the scan restores its contrast.

    An encoder turns the scan into 128 numbers. Beside the time step they scale and shift the
    U-Net's features, so that the image need not be guessed from what noise leaves of it. The
    pseudo-healthy image is the mean over three time steps. The encoder learns with the U-Net.
    """

    name = "cddpm"
    rebuilt_from = (250, 500, 750)

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        plan, dimension = configuration.encoder, configuration.dimension
        self.encoder: nn.Module = ScanEncoder(plan, dimension, CODE)
        self.unet = DiffusionUnet(plan, dimension, CODE)

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"encoder": self.encoder, "unet": self.unet})

    def denoised(self, seen: Tensor, steps: Tensor, scaled: Tensor) -> Tensor:
        return self.run(
            lambda noisy, clean: self.unet(noisy, steps, self.encoder(clean)), seen, scaled
        )
