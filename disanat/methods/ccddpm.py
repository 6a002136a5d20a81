"""Method `ccddpm`: `cddpm` whose code is learned by telling scans apart, not by restoring them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from disanat.methods.cddpm import CODE, ConditionedDiffusion
from disanat.methods.ddpm import UNITS
from disanat.methods.interface import Batch
from disanat.methods.reconstruction import same_draws, shown
from disanat.networks.contrastive import ProjectionHead, contrastive_loss, share_nearer, view
from disanat.networks.diffusion import ScanEncoder
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE

_PARTS = 4
"""Scans differ in where things lie; the mean of the whole tells few apart."""

__all__ = ["ContrastivelyConditionedDiffusion"]


class ContrastivelyConditionedDiffusion(ConditionedDiffusion):
    """Method `ccddpm`, after "Unsupervised contrastive analysis for anomaly detection in brain MRIs
    via conditional diffusion models" (2024): a self-supervised contrastive encoder conditions.

    Everything is `cddpm`'s but the encoder's training: two views of one healthy scan shall have
    codes nearer to each other than to those of other scans, and what the U-Net wants of the code
    does not reach the encoder. Both learn side by side, each from its own loss. The encoder keeps
    the means of 4 parts an axis instead of one mean. Of the ablation `random_encoder` the encoder
    learns nothing.
    """

    name = "ccddpm"

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        plan, dimension = configuration.encoder, configuration.dimension
        self.encoder = ScanEncoder(plan, dimension, CODE, _PARTS)
        self.head: nn.Module = ProjectionHead(CODE)

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"encoder": self.encoder, "head": self.head, "unet": self.unet})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        if "random_encoder" in self.configuration.ablations:
            return super().losses(batch)
        images, _ = shown(batch)
        first, second = (self.head(self._code_of_view(images)) for _ in range(2))
        # A batch holds each brain twice: in two contrasts, and the U-Net has to know in which.
        looks = 2 if "t1_only" in self.configuration.ablations else 1
        scans = torch.arange(len(images), device=images.device) // looks
        return {**super().losses(batch), "contrast": contrastive_loss(first, second, scans)}

    def denoised(self, seen: Tensor, steps: Tensor, scaled: Tensor) -> Tensor:
        with torch.no_grad():
            code = self.run(self.encoder, scaled)
        return self.run(lambda noisy, known: self.unet(noisy, steps, known), seen, code)

    def validate(self, batch: Batch) -> dict[str, float]:
        images, _ = shown(batch)
        with same_draws(images.device):
            first, second = (self._code_of_view(images) for _ in range(2))
        return {**super().validate(batch), "told_apart": share_nearer(first, second)}

    def _code_of_view(self, images: Tensor) -> Tensor:
        return self.run(self.encoder, view(images, OUTSIDE) / UNITS)
