"""Disentangled anatomy learning: anatomy apart from imaging, edges to anatomy, and back to a scan.

The paper (Yang et al., Medical Image Analysis 109:103922, 2026) fixes the chain: anatomy and
imaging information are disentangled, a differentiable one-hot keeps the anatomy discrete, only
its edges go into the restoration, and recoupling the imaging information gives the pseudo-healthy
image. Networks, losses and the score are disanat's own; `documentation/method.md` says which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from disanat.anatomy.steady import steadied
from disanat.methods.dal.ablation import Steps
from disanat.methods.dal.channels import class_channels
from disanat.methods.dal.figures import average_precision, mean_dice
from disanat.methods.dal.losses import (
    lesion_loss,
    painting_loss,
    pair_disagreement,
    swap_pairs,
)
from disanat.methods.dal.scores import Look, Scoring
from disanat.methods.interface import Batch, ChannelResult, Method, PreparedChannel
from disanat.methods.pictures import Picture, pictures_of
from disanat.networks.builders import EdgeRestorer, FilmDecoder, build_unet
from disanat.networks.inherit import Channels
from disanat.networks.precision import calculating
from disanat.networks.turns import network_turns
from disanat.networks.volume import apply_to_volume
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.intensity import Imaging, fit_imaging, with_sulci
from disanat.tissues import whole_numbers

__all__ = ["DisentangledAnatomy"]

_CHAIN_GRADIENT = 0.1
_LEAST = 1e-8


class DisentangledAnatomy(Method):
    """Method `dal`."""

    name = "dal"
    learned_scores = ("comparator",)
    alongside = True

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        classes, dimension = len(self.scheme), configuration.dimension
        seen = self.slices = 2 * configuration.context_slices + 1 if dimension == 2 else 1
        norm = configuration.norm
        self.encoder = build_unet(configuration.encoder, dimension, seen, classes + 2, norm)
        self.restorer = EdgeRestorer(configuration.restorer, dimension, classes + 1, norm)
        self.decoder = FilmDecoder(dimension, classes, configuration.decoder_features)
        self.comparator = build_unet(
            configuration.comparator, dimension, seen + 1 + 2 * (classes + 1), 1, norm
        )
        self.number_format = plans.number_format
        finest = min(configuration.spacing)
        self.edge_width = max(1, round(configuration.edge_mm / (2 * finest)))
        self.steps = Steps(configuration.ablations, self.edge_width)

    def networks(self) -> nn.ModuleDict:
        networks = {
            "encoder": self.encoder,
            "restorer": self.restorer,
            "decoder": self.decoder,
            "comparator": self.comparator,
        }
        if not self.steps.restores:
            del networks["restorer"]
        return nn.ModuleDict(networks)

    def class_channels(self) -> tuple[Channels, ...]:
        return class_channels([tissue.name for tissue in self.scheme], self.slices)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        output = self._run(self.encoder, batch["image"])
        logits, hint = output[:, :-1], output[:, -1]
        restored = self.steps.teaching(self._rebuild(logits, drawn=True), batch["lesion"])
        # The anatomy of one contrast is painted with the imaging code of the other.
        crossed = swap_pairs(restored.softmax(1))
        painted = self._painted(crossed, batch)
        lesion = self._compare(batch, logits, restored)
        inside = batch["labels"] > 0
        brain = inside[:, None].to(painted.dtype)
        # What a mask took in beyond the brain is no lesion either.
        shown = inside | (batch["image"][:, batch["image"].shape[1] // 2] > OUTSIDE)
        return {
            **self.steps.anatomy_losses(logits, restored, batch),
            "consistency": pair_disagreement(logits),
            "hint": 0.5 * lesion_loss(hint, batch["lesion"], shown),
            "painting": 0.5 * painting_loss(painted, batch["healthy"], brain),
            "lesion": lesion_loss(lesion, batch["lesion"], shown),
        }

    def _rebuild(self, logits: Tensor, drawn: bool = False) -> Tensor:
        """Logits of the restored anatomy from those of the one seen."""
        anatomy = self.steps.discrete(logits, drawn) if self.steps.restores else logits
        # The restorer learns from the encoder's errors more than it shapes the encoder.
        anatomy = torch.lerp(anatomy.detach(), anatomy, _CHAIN_GRADIENT)
        if not self.steps.restores:
            return anatomy
        return self._run(self.restorer, self.steps.shown(anatomy))

    def _painted(self, anatomy: Tensor, batch: Batch) -> Tensor:
        return self._run(self.decoder, anatomy, self.steps.code(batch["theta"]), OUTSIDE)

    def _compare(self, batch: Batch, logits: Tensor, restored: Tensor) -> Tensor:
        """Lesion logits (batch, ...) from the scan beside its own painted healthy self.

        Anatomies and painting are taken as they are: this loss does not shape what made them.
        """
        with torch.no_grad():
            healthy = restored.softmax(1)
            painted = self._painted(healthy, batch)
            seen = torch.cat([batch["image"], painted, logits.softmax(1), healthy], 1)
        return self._run(self.comparator, seen)[:, 0]

    def _run(self, network: nn.Module, *inputs: Tensor | float) -> Tensor:
        """A network's output in float32, calculated in the plan's number format."""
        device = next(network.parameters()).device
        with calculating(self.number_format, device):
            output: Tensor = network(*inputs)
        return output.float()

    def validate(self, batch: Batch) -> dict[str, float]:
        logits = self._run(self.encoder, batch["image"])[:, :-1]
        restored = self._rebuild(logits)
        painted = self._painted(restored.softmax(1), batch)
        inside = batch["labels"] > 0
        brain = inside[:, None].to(painted.dtype)
        lesion = self._compare(batch, logits, restored)
        truth = batch["lesion"] > 0.5
        found = (lesion > 0) & inside
        overlap = 2 * float((found & truth).sum()) / max(1.0, float(found.sum() + truth.sum()))
        return {
            "error": float(painting_loss(painted, batch["healthy"], brain)),
            "dice_anatomy": self._dice(logits, batch["labels"]),
            "dice_restored": self._dice(restored, batch["labels"]),
            "dice_lesion": overlap,
            "ap_lesion": average_precision(lesion[inside], truth[inside]),
        }

    def pictures(self, batch: Batch) -> dict[str, Picture]:
        logits = self._run(self.encoder, batch["image"])[:, :-1]
        restored = self._rebuild(logits)
        inside = batch["labels"] > 0
        painted = self._painted(restored.softmax(1), batch)[:, 0].where(inside, OUTSIDE)
        seen, healthy = logits.argmax(1), restored.argmax(1)
        chain = {"anatomy": Picture(self._whole(seen), "tissues")}
        if self.steps.restores:
            shown = self.steps.shown(self.steps.discrete(logits))[:, 1:].amax(1) > 0
            chain["edges"] = Picture(self._whole(seen) * shown, "tissues")
        chain["restored anatomy"] = Picture(self._whole(healthy), "tissues")
        middle = batch["image"].shape[1] // 2
        return pictures_of(batch["image"][:, middle], painted, chain)

    def _whole(self, numbers: Tensor) -> Tensor:
        """Class numbers of any shape; partial-volume classes are what they are part of."""
        whole = torch.from_numpy(whole_numbers(self.scheme).astype(np.int64)).to(numbers.device)
        return whole[numbers]

    def _dice(self, logits: Tensor, labels: Tensor) -> float:
        """Mean over the classes that are there; partial-volume classes count for their wholes."""
        named, classes = self._whole(logits.argmax(1)), int(whole_numbers(self.scheme).max())
        return mean_dice(named, self._whole(labels), classes)

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        # All networks of a case in one turn: its scores are made while the next case's run.
        with network_turns.held():
            outputs = [
                self._volume(self.encoder, self._tensor(c.image[None]), OUTSIDE) for c in channels
            ]
            shared = torch.stack([o[:-1].log_softmax(0) for o in outputs]).mean(0)
            restored = self._restore(shared)
            observed, healthy = shared.softmax(0).cpu().numpy(), restored.cpu().numpy()
            seen = [self._look(channel, observed, healthy) for channel in channels]
        scoring = Scoring(self.steps, self.scheme, self.edge_width)
        return [
            scoring.result(channel, observed, healthy, look)
            for channel, look in zip(channels, seen, strict=True)
        ]

    def restore(self, observed: np.ndarray) -> np.ndarray:
        """Class probabilities rebuilt from the edges of those observed, (classes + 1, S, P, L)."""
        shared = self._tensor(np.log(np.maximum(observed, _LEAST)))
        return np.asarray(self._restore(shared).cpu().numpy())

    def paint(self, anatomy: np.ndarray, imaging: Imaging) -> np.ndarray:
        """An anatomy, (classes + 1, S, P, L), in a scan's contrast: (S, P, L), standardised."""
        painted = self._paint(self._tensor(anatomy), imaging)
        return np.asarray(painted[0].cpu().numpy() + imaging.bias)

    def anatomy(self, image: np.ndarray) -> np.ndarray | None:
        output = self._volume(self.encoder, self._tensor(image[None]), OUTSIDE)
        return np.asarray(output[:-1].softmax(0).cpu().numpy())

    def _restore(self, log_anatomy: Tensor) -> Tensor:
        """Restored class probabilities of a volume, (classes + 1, S, P, L)."""
        if not self.steps.restores:
            return log_anatomy.softmax(0)

        def network(anatomy: Tensor) -> Tensor:
            output: Tensor = self.restorer(self.steps.shown(anatomy))
            return output

        anatomy = self.steps.discrete(log_anatomy[None])[0]
        return self._volume(network, anatomy, 0.0, context=False).softmax(0)

    def _look(self, channel: PreparedChannel, observed: np.ndarray, healthy: np.ndarray) -> Look:
        """One channel, painted and compared, at the plan's spacing."""
        imaging = fit_imaging(channel.image, observed, healthy, channel.spacing, self.scheme)
        colours = with_sulci(imaging, self.scheme)
        restored = self._tensor(healthy)
        painted = self._paint(restored, colours)
        lesion = self._find(channel, painted, self._tensor(observed), restored)
        steady = self._paint(self._tensor(steadied(healthy)), colours)
        phi = self.steps.picture(channel, steady[0].cpu().numpy() + imaging.bias)
        return Look(imaging, lesion, phi)

    def _paint(self, restored: Tensor, imaging: Imaging) -> Tensor:
        """The restored anatomy in the scan's contrast, without its bias; (1, S, P, L)."""
        theta = self.steps.code(self._tensor(imaging.median[None]))

        def network(anatomy: Tensor) -> Tensor:
            painted: Tensor = self.decoder(anatomy, theta.expand(len(anatomy), -1), OUTSIDE)
            return painted

        return self._volume(network, restored, 0.0, context=False, mirror=False)

    def _find(
        self, channel: PreparedChannel, painted: Tensor, observed: Tensor, restored: Tensor
    ) -> np.ndarray:
        """Lesion logit of a volume, (S, P, L), from the scan and its painted healthy self."""
        image = self._tensor(channel.image[None])
        beside = torch.cat([painted, observed, restored])
        logit = self._volume(self.comparator, image, OUTSIDE, beside=beside)
        return np.asarray(logit[0].cpu().numpy())

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
        beside: Tensor | None = None,
    ) -> Tensor:
        plan, tiling = self.configuration, self.tiling
        with torch.inference_mode():
            return apply_to_volume(network, volume, plan, fill, context, mirror, beside, tiling)
