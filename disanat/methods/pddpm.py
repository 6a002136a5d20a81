"""Method `pddpm`: a diffusion model that sees all but one box of a scan without noise."""

from __future__ import annotations

import torch
from torch import Tensor

from disanat.methods.ddpm import Diffusion

__all__ = ["PatchedDiffusion"]


class PatchedDiffusion(Diffusion):
    """Method `pddpm` (Behrendt et al., MIDL 2023): noise in one box of four at a time.

    The last two axes are halved. What the network says of each box, with the rest of the scan in
    sight, is put together to the pseudo-healthy image. In training each image has one box, drawn
    at random, and the loss is of that box. A box of a 3D patch is as deep as the patch.
    """

    name = "pddpm"

    def parts(self, images: Tensor) -> Tensor:
        *_, height, width = images.shape
        lower = torch.arange(height, device=images.device)[:, None] >= height // 2
        right = torch.arange(width, device=images.device)[None] >= width // 2
        boxes = torch.stack([~lower & ~right, ~lower & right, lower & ~right, lower & right])
        spread = boxes.reshape(4, 1, *(1,) * (images.ndim - 4), height, width)
        return spread.expand(4, *images.shape[1:])
