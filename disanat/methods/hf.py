"""Method `hf`: restoration from the phase image, in which only fine structure is left."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from disanat.methods.interface import Batch
from disanat.methods.reconstruction import Reconstruction, brain_error, shown, shown_spacing
from disanat.networks.builders import build_unet
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE

__all__ = ["PhaseRestoration", "frequencies", "phase_image"]

_RADIUS = 1 / 16
"""Cycles per mm: the published 15 steps of frequency on a grid of 240 voxels of 1 mm."""
_SMALL = 1e-6


def phase_image(
    images: Tensor, radius: float, spacing: Sequence[float], inside: Tensor | None = None
) -> Tensor:
    """Images of whose coarse structure only the phase is left.

    The Fourier transform of an image of unit deviation, unnormalised, so that its magnitudes grow
    with the number of voxels, gets the magnitude 1, next to nothing, wherever the frequency is
    below `radius`. All phases, and the magnitudes of the fine structure, are kept. The radius is
    in cycles per mm: it means the same in patches, and with voxels, of any size. The result has
    unit deviation again, so that an image's scale does not matter.

    Args:
        images: (batch, 1, ...) in two dimensions or three.
        radius: in cycles per mm; 0 keeps everything.
        spacing: in mm, of the images' axes.
        inside: bool, like `images`: where the head is, whose deviation counts. The result is 0
            elsewhere. None: everywhere.

    Returns:
        float32, like `images`.
    """
    head = torch.ones_like(images, dtype=torch.bool) if inside is None else inside
    # In float32 whatever the networks calculate in: there is no transform of bfloat16.
    level = images.float() / _deviation(images.float(), head)
    axes = tuple(range(2, images.ndim))
    spectrum = torch.fft.fftn(level, dim=axes)
    coarse = frequencies(images.shape[2:], spacing).to(images.device) < radius
    phase = torch.polar(torch.ones_like(level), spectrum.angle())
    fine = torch.fft.ifftn(torch.where(coarse, phase, spectrum), dim=axes).real
    return torch.where(head, fine / _deviation(fine, head), 0)


def frequencies(shape: Sequence[int], spacing: Sequence[float]) -> Tensor:
    """Cycles per mm at each point of the Fourier transform of an image of that shape."""
    axes = [torch.fft.fftfreq(n, s) for n, s in zip(shape, spacing, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()


def _deviation(images: Tensor, inside: Tensor) -> Tensor:
    """Standard deviation inside, (batch, 1, 1, ...); 1 where there is nothing or no change."""
    axes = tuple(range(1, images.ndim))
    count = inside.sum(axes, keepdim=True).clamp_min(1)
    mean = torch.where(inside, images, 0).sum(axes, keepdim=True) / count
    spread = torch.where(inside, images - mean, 0).square().sum(axes, keepdim=True) / count
    deviation = spread.sqrt()
    return torch.where(deviation > _SMALL, deviation, 1)


class PhaseRestoration(Reconstruction):
    """Method `hf`: a U-Net paints the scan from its phase image.

    This is the first stage of IterMask2: the intensities of a lesion are of low frequency, so that
    the network has to guess them from the edges of healthy tissue. The second stage, which refines
    a mask of the lesion round by round, is left out. What is outside the head is transformed as it
    is: with the head's mean in its place, which makes the rim fainter, lesions of simulated brains
    came back whole. The loss is the absolute error inside the brain.
    """

    name = "hf"

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        self.unet = build_unet(
            configuration.encoder, configuration.dimension, 1, 1, configuration.norm
        )
        self.spacing = shown_spacing(configuration)

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"unet": self.unet})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images, brain = shown(batch)
        return {"restoration": brain_error(self.rebuilt(images), images, brain)}

    def rebuilt(self, images: Tensor) -> Tensor:
        fine = phase_image(images, _RADIUS, self.spacing, images > OUTSIDE)
        return self.run(self.unet, fine)
