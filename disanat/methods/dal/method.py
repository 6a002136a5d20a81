"""Disentangled anatomy learning: anatomy apart from imaging, edges to anatomy, and back to a scan.

The paper (Yang et al., Medical Image Analysis 109:103922, 2026) fixes the chain: anatomy and
imaging information are disentangled, a differentiable one-hot keeps the anatomy discrete, only
its edges go into the restoration, and recoupling the imaging information gives the pseudo-healthy
image. Networks, losses and the score are disanat's own; `documentation/method.md` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from disanat.anatomy.edges import anatomy_edges
from disanat.methods.dal.losses import (
    anatomy_loss,
    lesion_loss,
    painting_loss,
    pair_disagreement,
    swap_pairs,
)
from disanat.methods.interface import Batch, ChannelResult, Method, PreparedChannel
from disanat.networks.builders import EdgeRestorer, FilmDecoder, build_unet
from disanat.networks.onehot import straight_through_onehot
from disanat.networks.volume import apply_to_volume
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.preprocessing.resampling import resample
from disanat.scoring.intensity import Imaging, contrast_kind, fit_imaging
from disanat.scoring.likelihood import lesion_log_ratio, place_log_prior, smooth_inside

__all__ = ["DisentangledAnatomy"]

_CHAIN_GRADIENT = 0.1


class DisentangledAnatomy(Method):
    """Method `dal`."""

    name = "dal"

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        classes, dimension = len(self.scheme), configuration.dimension
        seen = 2 * configuration.context_slices + 1 if dimension == 2 else 1
        self.encoder = build_unet(configuration.encoder, dimension, seen, classes + 2)
        self.restorer = EdgeRestorer(configuration.restorer, dimension, classes + 1)
        self.decoder = FilmDecoder(dimension, classes, configuration.decoder_features)
        finest = min(configuration.spacing)
        self.edge_width = max(1, round(configuration.edge_mm / (2 * finest)))

    def networks(self) -> nn.ModuleDict:
        return nn.ModuleDict(
            {"encoder": self.encoder, "restorer": self.restorer, "decoder": self.decoder}
        )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        output = self.encoder(batch["image"])
        logits, lesion = output[:, :-1], output[:, -1]
        anatomy = straight_through_onehot(logits)
        # The restorer learns from the encoder's errors more than it shapes the encoder.
        anatomy = torch.lerp(anatomy.detach(), anatomy, _CHAIN_GRADIENT)
        restored = self.restorer(anatomy_edges(anatomy, self.edge_width))
        # The anatomy of one contrast is painted with the imaging code of the other.
        crossed = swap_pairs(restored.softmax(1))
        painted = self.decoder(crossed, batch["theta"], OUTSIDE)
        inside = batch["labels"] > 0
        brain = inside[:, None].to(painted.dtype)
        return {
            "anatomy": anatomy_loss(logits, batch["labels"]),
            "consistency": pair_disagreement(logits),
            "lesion": lesion_loss(lesion, batch["lesion"], inside),
            "restoration": 0.5 * anatomy_loss(restored, batch["labels"]),
            "painting": 0.5 * painting_loss(painted, batch["healthy"], brain),
        }

    def validate(self, batch: Batch) -> dict[str, float]:
        output = self.encoder(batch["image"])
        logits, lesion = output[:, :-1], output[:, -1]
        restored = self.restorer(anatomy_edges(straight_through_onehot(logits), self.edge_width))
        painted = self.decoder(restored.softmax(1), batch["theta"], OUTSIDE)
        brain = (batch["labels"] > 0)[:, None].to(painted.dtype)
        found = lesion > 0
        truth = batch["lesion"] > 0.5
        overlap = 2 * float((found & truth).sum()) / max(1.0, float(found.sum() + truth.sum()))
        return {
            "error": float(painting_loss(painted, batch["healthy"], brain)),
            "dice_anatomy": _mean_dice(logits.argmax(1), batch["labels"], len(self.scheme)),
            "dice_restored": _mean_dice(restored.argmax(1), batch["labels"], len(self.scheme)),
            "dice_lesion": overlap,
        }

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        outputs = [
            self._volume(self.encoder, self._tensor(c.image[None]), OUTSIDE) for c in channels
        ]
        shared = torch.stack([o[:-1].log_softmax(0) for o in outputs]).mean(0)
        restored = self._restore(shared)
        return [
            self._channel(channel, output, shared, restored)
            for channel, output in zip(channels, outputs, strict=True)
        ]

    def _restore(self, log_anatomy: Tensor) -> Tensor:
        """Restored class probabilities of a volume, (classes + 1, S, P, L)."""

        def network(anatomy: Tensor) -> Tensor:
            output: Tensor = self.restorer(anatomy_edges(anatomy, self.edge_width))
            return output

        onehot = straight_through_onehot(log_anatomy[None])[0]
        return self._volume(network, onehot, 0.0, context=False).softmax(0)

    def _channel(
        self, channel: PreparedChannel, output: Tensor, shared: Tensor, restored: Tensor
    ) -> ChannelResult:
        observed = shared.softmax(0).cpu().numpy()
        healthy = restored.cpu().numpy()
        imaging = fit_imaging(channel.image, observed, healthy, channel.spacing, self.scheme)
        contrast = contrast_kind(imaging, self.scheme)
        phi = self._paint(restored, imaging)
        shape = channel.native.shape
        fine = np.stack([resample(q, shape) for q in (observed + healthy) / 2])
        fine_imaging = replace(imaging, bias=resample(imaging.bias, shape))
        ratio = lesion_log_ratio(channel.native, fine, fine_imaging, contrast, self.scheme)
        ratio += place_log_prior(fine, channel.native_spacing, self.scheme)
        head = resample(output[-1].cpu().numpy(), shape)
        score = smooth_inside(ratio, channel.native_brain)
        labels = resample(healthy.argmax(0).astype(np.uint8), shape, order=0)
        return ChannelResult(
            score=score,
            phi=np.where(channel.native_brain, resample(phi, shape), OUTSIDE),
            contrast=contrast,
            anatomy=labels,
            edges=self._edge_labels(healthy, shape),
            second=smooth_inside(head, channel.native_brain),
        )

    def _paint(self, restored: Tensor, imaging: Imaging) -> np.ndarray:
        theta = self._tensor(imaging.median[None])

        def network(anatomy: Tensor) -> Tensor:
            painted: Tensor = self.decoder(anatomy, theta.expand(len(anatomy), -1), OUTSIDE)
            return painted

        painted = self._volume(network, restored, 0.0, context=False, mirror=False)
        return np.asarray(painted[0].cpu().numpy() + imaging.bias)

    def _edge_labels(self, healthy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        onehot = np.eye(len(healthy), dtype=np.float32)[healthy.argmax(0)]
        rims = anatomy_edges(torch.from_numpy(onehot).movedim(-1, 0)[None], self.edge_width)[0]
        labels = (rims[1:].amax(0).numpy() > 0) * healthy.argmax(0)
        return resample(labels.astype(np.uint8), shape, order=0)

    def _tensor(self, array: np.ndarray) -> Tensor:
        device = next(self.decoder.parameters()).device
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device)

    def _volume(
        self,
        network: Callable[[Tensor], Tensor],
        volume: Tensor,
        fill: float,
        context: bool = True,
        mirror: bool = True,
    ) -> Tensor:
        with torch.inference_mode():
            return apply_to_volume(
                network,
                volume,
                self.configuration,
                fill,
                context,
                mirror,
            )


def _mean_dice(named: Tensor, labels: Tensor, classes: int) -> float:
    """Mean over the classes that are there."""
    values = []
    for k in range(1, classes + 1):
        a, b = named == k, labels == k
        if bool(b.any()):
            values.append(2 * float((a & b).sum()) / float(a.sum() + b.sum()))
    return float(np.mean(values)) if values else 0.0
