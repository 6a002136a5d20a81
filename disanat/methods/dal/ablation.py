"""The steps of `dal` that an ablation changes; with none, the method as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from disanat.ablations import Ablation
from disanat.anatomy.edges import anatomy_edges
from disanat.anatomy.registered import Stripped, atlas_picture
from disanat.methods.dal.losses import anatomy_loss
from disanat.methods.interface import Batch, PreparedChannel
from disanat.networks.onehot import straight_through_onehot
from disanat.networks.whole_batch import over_batch
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.preprocessing.resampling import resample
from disanat.scoring.likelihood import smooth_inside

__all__ = ["Steps"]

_LEAST = 1e-6


@dataclass(frozen=True)
class Steps:
    """Steps from the encoder's logits to losses and scores; `without` names what is left out."""

    without: tuple[Ablation, ...]
    edge_width: int

    @property
    def restores(self) -> bool:
        """Whether there is a restoration network."""
        return "no_restoration" not in self.without

    def discrete(self, logits: Tensor, drawn: bool = False) -> Tensor:
        """The anatomy, (batch, classes + 1, ...); `drawn`: in training, where it may be random."""
        if "soft" in self.without:
            return logits.softmax(1)
        if drawn and "gumbel" in self.without:
            return functional.gumbel_softmax(logits, hard=True, dim=1)
        return straight_through_onehot(logits)

    def shown(self, anatomy: Tensor) -> Tensor:
        """What the restoration network gets to see of an anatomy; same shape."""
        if "full_anatomy" in self.without:
            return anatomy
        return anatomy_edges(anatomy, self.edge_width)

    def code(self, theta: Tensor) -> Tensor:
        """What the decoder is told of the contrast; same shape."""
        return torch.zeros_like(theta) if "no_imaging_code" in self.without else theta

    def teaching(self, restored: Tensor, lesion: Tensor) -> Tensor:
        """The same values; where a sample is not to teach the restoration, without gradient."""
        if "no_anomaly_training" not in self.without:
            return restored
        healthy = _healthy(lesion).reshape(-1, *(1,) * (restored.ndim - 1))
        return torch.where(healthy, restored, restored.detach())

    def anatomy_losses(self, logits: Tensor, restored: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The losses `anatomy` and `restoration`, weighted, as far as there are such."""
        labels, losses = batch["labels"], {}
        if "no_prior" in self.without:
            labels = logits.detach().argmax(1)
        else:
            losses["anatomy"] = anatomy_loss(logits, labels)
        if self.restores:
            losses["restoration"] = 0.5 * self._restoration_loss(restored, labels, batch["lesion"])
        return losses

    def _restoration_loss(self, restored: Tensor, labels: Tensor, lesion: Tensor) -> Tensor:
        if "no_anomaly_training" not in self.without:
            return anatomy_loss(restored, labels)
        healthy = _healthy(lesion)
        if not bool(over_batch(healthy.sum().float())):
            return restored.new_zeros(())
        return anatomy_loss(restored[healthy], labels[healthy])

    def picture(self, channel: PreparedChannel, phi: np.ndarray) -> np.ndarray:
        """The PHI at the plan's spacing, standardised, (S, P, L): `phi` unless it is replaced.

        Raises:
            ImageError: the atlas cannot be registered.
        """
        if "atlas_phi" not in self.without:
            return phi
        scan = Stripped(channel.image - OUTSIDE, channel.brain, channel.spacing)
        return atlas_picture(scan) + np.float32(OUTSIDE)

    def scores(
        self,
        channel: PreparedChannel,
        phi: np.ndarray,
        anatomies: tuple[np.ndarray, np.ndarray],
        score: np.ndarray,
        further: Mapping[str, np.ndarray],
    ) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """The score and the further scores of a channel, on its native grid.

        Args:
            channel: the scan.
            phi: its PHI on the native grid.
            anatomies: class probabilities as seen and restored, at the plan's spacing.
            score, further: those of the whole method.
        """
        brain = channel.native_brain
        if "atlas_phi" in self.without:
            return further["residual"], {}
        if "plain_residual" in self.without:
            return smooth_inside(np.abs(channel.native - phi), brain), {}
        if "no_intensity" in self.without:
            seen, restored = anatomies
            agreement = np.clip((seen * restored).sum(0), _LEAST, 1)
            return smooth_inside(resample(-np.log(agreement), channel.native.shape), brain), {}
        return score, further


def _healthy(lesion: Tensor) -> Tensor:
    """Which samples of a batch, (batch, ...), hold no lesion."""
    return ~(lesion > 0).flatten(1).any(1)
