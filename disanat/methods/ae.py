"""Method `ae`: an autoencoder whose code is a short vector, too short for a lesion."""

from __future__ import annotations

from torch import Tensor, nn

from disanat.methods.interface import Batch
from disanat.methods.reconstruction import Reconstruction, brain_error, shown
from disanat.networks.autoencoder import DenseDecoder, DenseEncoder, at_patch_size
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE

__all__ = ["DenseAutoencoder"]

_FEATURES = (32, 64, 128, 128)
_CODE = 128
_DROPOUT = 0.2


class DenseAutoencoder(Reconstruction):
    """Method `ae`: four strided convolutions, a dense code of 128 numbers, and the way back.

    The dense autoencoder of the comparison by Baur et al. (Medical Image Analysis 69:101952, 2021),
    with the absolute error inside the brain as its loss.
    """

    name = "ae"

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        patch = configuration.patch_size
        self.encoder = DenseEncoder(_FEATURES, patch, 1, _CODE, _DROPOUT)
        self.decoder = DenseDecoder(_FEATURES, patch, _CODE, _DROPOUT)

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"encoder": self.encoder, "decoder": self.decoder})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images, brain = shown(batch)
        return {"rebuilding": brain_error(self._rebuilt(images), images, brain)}

    def rebuilt(self, images: Tensor) -> Tensor:
        return at_patch_size(self._rebuilt, self.configuration.patch_size, OUTSIDE)(images)

    def _rebuilt(self, images: Tensor) -> Tensor:
        return self.run(lambda seen: self.decoder(self.encoder(seen)), images)
