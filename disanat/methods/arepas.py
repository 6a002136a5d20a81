"""Method `arepas`: a translation to the healthy image, compared by learned features of patches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from disanat.methods.interface import Batch, PreparedChannel
from disanat.methods.reconstruction import Reconstruction, brain_error, shown, shown_spacing
from disanat.networks.builders import build_unet
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.likelihood import smooth_inside

__all__ = ["PatchEncoder", "PatchSimilarity", "info_nce", "spoilt"]

_WIDTHS = (16, 32, 32)
_DILATIONS = (1, 2, 2)
_TEMPERATURE = 0.1
_PLACES = 256
_SPOTS = 3
_RADII_MM = (4.0, 20.0)
_INTENSITIES = 1.5
_CHANGE = 0.1
_DIFFERENT = 0.5
_SLOPE = 1e-2
_CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}


def info_nce(
    features: Tensor, others: Tensor, odd: Tensor | None = None, temperature: float = _TEMPERATURE
) -> Tensor:
    """Contrastive loss: which of all others belongs to each feature, in nats.

    `-log(exp(f_i . g_i / t) / sum_j exp(f_i . g_j / t))`, averaged over i and over both
    directions; f and g have length 1. With nothing to tell them apart it is log(places).

    Args:
        features: f, shape (places, channels).
        others: g, same shape; row i shows the same place as row i of `features`.
        odd: (any number, channels): what belongs to none of the features, in both sums too.
        temperature: t.
    """
    none = features[:0] if odd is None else odd
    own = torch.arange(len(features), device=features.device)
    there = features @ torch.cat([others, none]).T / temperature
    back = others @ torch.cat([features, none]).T / temperature
    return (functional.cross_entropy(there, own) + functional.cross_entropy(back, own)) / 2


def spoilt(images: Tensor, brain: Tensor, spacing: tuple[float, ...]) -> Tensor:
    """Images with three ellipsoids each replaced, which have centres in the brain.

    An ellipsoid holds one intensity or what lies elsewhere in another image of the batch, mixed
    with what was there before.

    Args:
        images: (batch, 1, ...), `OUTSIDE` outside the head.
        brain: bool, same shape; nothing changes outside it.
        spacing: in mm, of the images' axes.
    """
    count, dimension, device = len(images), images.ndim - 2, images.device
    one = (count, *(1,) * (dimension + 1))
    axes = [torch.arange(n, device=device) * s for n, s in zip(images.shape[2:], spacing)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]
    chance = brain.flatten(1).float() + 1e-6
    low, high = _RADII_MM
    for _ in range(_SPOTS):
        drawn = torch.multinomial(chance, 1)[:, 0]
        centre = grid.flatten(2)[0, :, drawn].T.reshape(count, dimension, *one[2:])
        radii = low + (high - low) * torch.rand(count, dimension, *one[2:], device=device)
        spot = (((grid - centre) / radii).square().sum(1, keepdim=True) < 1) & brain
        level = _INTENSITIES * torch.randn(one, device=device)
        shift = [int(torch.randint(n, ())) for n in images.shape[2:]]
        moved = images.roll((1, *shift), (0, *range(2, images.ndim)))
        swapped = (torch.rand(one, device=device) < 0.5) & (moved > OUTSIDE)
        share = 0.5 + 0.5 * torch.rand(one, device=device)
        mixed = images + share * (torch.where(swapped, moved, level) - images)
        images = torch.where(spot, mixed, images)
    return images


class PatchEncoder(nn.Module):
    """Three convolutions and a projection: at each voxel a vector of length 1 for its patch.

    A patch is 11 voxels wide. There is no normalisation over the image, so that a vector depends
    on its patch alone, and on the intensities in it.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        convolution = _CONVOLUTIONS[dimension]
        layers: list[nn.Module] = []
        for seen, made, apart in zip((1, *_WIDTHS), _WIDTHS, _DILATIONS):
            layers += [
                convolution(seen, made, 3, padding=apart, dilation=apart),
                nn.LeakyReLU(_SLOPE, inplace=True),
            ]
        self.body = nn.Sequential(*layers, convolution(_WIDTHS[-1], _WIDTHS[-1], 1))

    def forward(self, images: Tensor) -> Tensor:
        """Vectors, (batch, channels, ...), of images, (batch, 1, ...)."""
        return functional.normalize(self.body(images).float(), dim=1)


class PatchSimilarity(Reconstruction):
    """Method `arepas` (after arXiv 2509.12905): translate, then compare learned patch features.

    From the paper are the two steps: an image is translated to one without anomalies, and the
    score says how unlike the features of a patch are in scan and translation. How it is done is
    our own, for we had no more than that: the translation is a U-Net that learns to give healthy
    images back where ellipsoids in them were replaced; the features learn by contrast to know a
    place again in a noisier, brighter or darker copy of the image or in its translation, among
    other places and those that were replaced. Figures of this method are not those of its authors.

    The score is 1 minus the cosine of the two vectors; the difference is a further score.
    """

    name = "arepas"
    chief = "patches"

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        self.translator = build_unet(
            configuration.encoder, configuration.dimension, 1, 1, configuration.norm
        )
        self.features = PatchEncoder(configuration.dimension)
        self.spacing = shown_spacing(configuration)

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"translator": self.translator, "features": self.features})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images, brain = shown(batch)
        changed = spoilt(images, brain, self.spacing)
        translated = self.rebuilt(changed)
        return {
            "translation": brain_error(translated, images, brain),
            "contrast": self._contrast(images, changed, translated.detach(), brain),
        }

    def rebuilt(self, images: Tensor) -> Tensor:
        return self.run(self.translator, images)

    def further(self, channel: PreparedChannel, phi: np.ndarray) -> Mapping[str, np.ndarray]:
        unlike = self.compared(self._unlike, channel, phi)
        return {"patches": smooth_inside(unlike, channel.native_brain)}

    def _contrast(
        self, images: Tensor, changed: Tensor, translated: Tensor, brain: Tensor
    ) -> Tensor:
        """Contrastive loss of places drawn from the brains of a batch."""
        painted = torch.where(brain, translated, images)
        other = torch.rand(len(images), *(1,) * (images.ndim - 1), device=images.device) < 0.5
        copy = torch.where(other, painted, images)
        places, odd = _drawn(brain), _drawn((changed - images).abs() > _DIFFERENT)
        if len(places) == 0:
            return translated.new_zeros(())
        return info_nce(
            self._features_at(images, places),
            self._features_at(copy, places),
            self._features_at(changed, odd),
        )

    def _features_at(self, images: Tensor, places: Tensor) -> Tensor:
        """Features of augmented images at places, (places, channels)."""
        return self.run(self.features, augmented(images)).movedim(1, -1).flatten(0, -2)[places]

    def _unlike(self, both: Tensor) -> Tensor:
        """From scan and PHI, (batch, 2, ...), how unlike their patches are, (batch, 1, ...)."""
        seen, painted = (self.run(self.features, both[:, i : i + 1]) for i in (0, 1))
        return (1 - (seen * painted).sum(1, keepdim=True)).clamp_min(0)


def _drawn(places: Tensor) -> Tensor:
    """Flat indices of some of the places that are True, up to 256."""
    flat = places.flatten().nonzero()[:, 0]
    return flat[torch.randperm(len(flat), device=flat.device)[:_PLACES]]


def augmented(images: Tensor) -> Tensor:
    """Images a little brighter or darker, of more or less contrast, and noisier."""
    one = (len(images), *(1,) * (images.ndim - 1))
    gain, shift = (_CHANGE * torch.randn(one, device=images.device) for _ in range(2))
    noise = _CHANGE * torch.randn_like(images)
    return torch.where(images > OUTSIDE, images * (1 + gain) + shift + noise, images)
