"""What methods share that rebuild a scan as it would be in health and score what differs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from disanat.methods.interface import Batch, ChannelResult, Method, PreparedChannel
from disanat.methods.pictures import Picture, pictures_of
from disanat.networks.precision import calculating
from disanat.networks.volume import apply_to_volume
from disanat.networks.whole_batch import over_batch
from disanat.plans import AXES, Configuration
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.preprocessing.resampling import resample
from disanat.scoring.likelihood import smooth_inside
from disanat.scoring.residual import residual_score

__all__ = ["Reconstruction", "brain_error", "same_draws", "shown", "shown_spacing"]

_SEED = 20260
"""Of whatever a method draws at random at prediction: the same scan gives the same map."""


def brain_error(rebuilt: Tensor, target: Tensor, brain: Tensor) -> Tensor:
    """Mean absolute difference inside the brain; all (batch, 1, ...)."""
    inside = brain.to(rebuilt.dtype)
    error = ((rebuilt - target).abs() * inside).sum()
    error, voxels = over_batch(torch.stack([error, inside.sum()]))
    return error / voxels.clamp_min(1)


class Reconstruction(Method):
    """A method that learns what healthy brains look like from samples without any lesion.

    A subclass says how images are rebuilt; how a volume is, and what the score is, is here. The
    score is the absolute difference of scan and PHI on the scan's own grid, smoothed; the residual
    weighed by the picture's steepness is a further score, whose share calibration decides.
    Networks see one slice (2D) or one patch (3D) at a time.
    """

    synthetic_lesions = False
    chief = "difference"
    """Name of the score: one of `further`'s, if the method has a better one than the difference,
    which then is a further score itself."""

    @abstractmethod
    def rebuilt(self, images: Tensor) -> Tensor:
        """Pseudo-healthy images of images of any size, both (batch, 1, ...), standardised.

        It is called without gradients; what it draws at random comes from torch's generator.
        """

    def validate(self, batch: Batch) -> dict[str, float]:
        images, brain = shown(batch)
        with same_draws(images.device):
            rebuilt = self.rebuilt(images)
        return {"error": float(brain_error(rebuilt, images, brain))}

    def pictures(self, batch: Batch) -> dict[str, Picture]:
        images, brain = shown(batch)
        with same_draws(images.device):
            rebuilt = torch.where(brain, self.rebuilt(images), OUTSIDE)
        return pictures_of(images[:, 0], rebuilt[:, 0])

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        return [self._channel(channel) for channel in channels]

    def further(self, channel: PreparedChannel, phi: np.ndarray) -> Mapping[str, np.ndarray]:
        """Further scores by name, on the native grid; `phi` is at the plan's spacing.

        It is called like `rebuilt`, without gradients and with the same random draws every time.
        """
        return {}

    def compared(
        self, network: Callable[[Tensor], Tensor], channel: PreparedChannel, phi: np.ndarray
    ) -> np.ndarray:
        """What a network says of scan and PHI together, on the native grid.

        Args:
            network: maps slices or patches, (batch, 2, ...), scan first, to (batch, 1, ...).
            channel: the scan.
            phi: (S, P, L), at the plan's spacing; what it has outside the brain is not shown.
        """
        painted = np.where(channel.brain, phi, np.float32(OUTSIDE))
        both = torch.from_numpy(np.stack([channel.image, painted]).astype(np.float32))
        found = apply_to_volume(
            network,
            both.to(self.device()),
            self.configuration,
            OUTSIDE,
            context=False,
            tiling=self.tiling,
        )
        return resample(found[0].float().cpu().numpy(), channel.native.shape)

    def run(self, network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """A network's output in float32, calculated in the plan's number format."""
        with calculating(self.plans.number_format, inputs[0].device):
            output = network(*inputs)
        return output.float()

    def device(self) -> torch.device:
        """Where its networks are."""
        return next(self.networks().parameters()).device

    def _channel(self, channel: PreparedChannel) -> ChannelResult:
        brain = channel.native_brain
        image = torch.from_numpy(np.ascontiguousarray(channel.image[None], np.float32))
        device = self.device()
        with torch.inference_mode(), same_draws(device):
            painted = apply_to_volume(
                self.rebuilt,
                image.to(device),
                self.configuration,
                OUTSIDE,
                context=False,
                tiling=self.tiling,
            )
            phi = painted[0].float().cpu().numpy()
            own = self.further(channel, phi)
        native = resample(phi, channel.native.shape)
        difference = np.abs(channel.native - native)
        residual = residual_score(channel.native, native, brain)
        scores = {
            "difference": smooth_inside(difference, brain),
            "residual": smooth_inside(residual, brain),
            **own,
        }
        return ChannelResult(
            score=scores.pop(self.chief),
            phi=np.where(brain, native, np.float32(OUTSIDE)),
            contrast="any",
            further=scores,
            figures={"error": float(difference[brain].mean()) if brain.any() else 0.0},
        )


@contextmanager
def same_draws(device: torch.device) -> Iterator[None]:
    """torch's generators start from the same seed inside, and go on outside as if nothing were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_SEED)
        yield


def shown(batch: Batch) -> tuple[Tensor, Tensor]:
    """The images of a batch without neighbouring slices, and their brains; (batch, 1, ...)."""
    image = batch["image"]
    middle = image.shape[1] // 2
    return image[:, middle : middle + 1], (batch["labels"] > 0)[:, None]


def shown_spacing(configuration: Configuration) -> tuple[float, ...]:
    """Spacing in mm of the axes of `shown` images: two for slices, three for patches."""
    across = AXES.index(configuration.slice_axis) if configuration.dimension == 2 else None
    return tuple(s for axis, s in enumerate(configuration.spacing) if axis != across)
