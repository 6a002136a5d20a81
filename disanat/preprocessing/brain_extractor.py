"""The brain in a whole head of any contrast, found by a small network that ships with disanat.

The network is trained once, by `benchmarks/brain_extractor.py`, on heads that are rendered from
label maps in random contrasts (`disanat.synthesis.heads`): it has seen no scan. Brain means all
that lies inside the skull down to the foramen magnum: tissue, ventricles and the fluid around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from acvl_utils.morphology.morphology_helper import remove_all_but_largest_component
from scipy import ndimage
from torch import nn

from disanat.anatomy.plausible import brain_ml, is_plausible
from disanat.errors import ModelError
from disanat.networks.builders import build_unet
from disanat.networks.shared_weights import SharedWeights, load_shared, save_shared
from disanat.networks.turns import network_turns
from disanat.plans import NetworkPlan
from disanat.preprocessing.extractor_file import FILE, REMEDY
from disanat.preprocessing.resampling import new_shape, resample

__all__ = [
    "BrainExtractor",
    "ExtractedBrain",
    "ExtractorDescription",
    "extract_brain",
    "shipped_extractor",
    "standardise_head",
]

Triple = tuple[float, float, float]
_LOW, _HIGH = 0.5, 99.5


@dataclass(frozen=True)
class ExtractorDescription:
    """What the weights were made for; stored beside them."""

    spacing_mm: float
    features: tuple[int, ...]
    trained_steps: int = 0
    trained_on: str = ""

    @property
    def plan(self) -> NetworkPlan:
        """The network: every stage but the first halves the grid."""
        stages = len(self.features)
        strides = ((1, 1, 1), *((2, 2, 2),) * (stages - 1))
        return NetworkPlan(self.features, strides, ((3, 3, 3),) * stages)

    @property
    def divisor(self) -> int:
        """Every axis of the network's input is a multiple of this."""
        return int(2 ** (len(self.features) - 1))

    def build(self) -> nn.Module:
        """The network with untrained weights: (batch, 1, S, P, L) to logits of the same shape."""
        return build_unet(self.plan, 3, 1, 1)


@dataclass(frozen=True)
class ExtractedBrain:
    """A brain mask on the scan's own grid, and whether it can be one."""

    mask: np.ndarray
    volume_ml: float

    @property
    def plausible(self) -> bool:
        """Whether the volume is that of a human brain, children's included."""
        return is_plausible(self.volume_ml)


def standardise_head(
    array: np.ndarray, seen: np.ndarray | None = None, high: float = _HIGH
) -> np.ndarray:
    """Scale to 0 to 1 between two percentiles of the whole field of view, and clip.

    Args:
        array: any shape.
        seen: bool, voxels of the field of view; what is not seen becomes 0.
        high: the upper percentile.
    """
    values = array if seen is None else array[seen]
    bottom, top = np.percentile(values, (_LOW, high))
    scaled = np.clip((array - bottom) / max(float(top - bottom), 1e-6), 0, 1).astype(np.float32)
    return scaled if seen is None else np.where(seen, scaled, np.float32(0))


class BrainExtractor:
    """The network with its weights.

    Args:
        description: what the weights were made for.
        weights: the network's state.

    Raises:
        ModelError: the weights do not fit the description.
    """

    def __init__(
        self, description: ExtractorDescription, weights: Mapping[str, torch.Tensor]
    ) -> None:
        self.description = description
        self.network = description.build().eval()
        try:
            self.network.load_state_dict(dict(weights))
        except RuntimeError as cause:
            raise ModelError(
                "The brain extractor's weights do not fit its description (features "
                f"{', '.join(map(str, description.features))}): {REMEDY}."
            ) from cause

    @classmethod
    def load(cls, source: Path) -> BrainExtractor:
        """Read a file that `save` has written.

        Raises:
            ModelError: it is missing, damaged, or holds weights that do not fit its description.
        """
        shared = load_shared(source, torch.device("cpu"), REMEDY)
        stored: dict[str, Any] = dict(shared.about)
        try:
            features = tuple(int(f) for f in stored.pop("features"))
            description = ExtractorDescription(features=features, **stored)
        except (KeyError, TypeError, ValueError) as cause:
            raise ModelError(f"{source} does not describe a brain extractor: {REMEDY}.") from cause
        return cls(description, shared.tensors)

    def save(self, target: Path) -> None:
        """Write description and weights in one piece."""
        description = asdict(self.description) | {"features": list(self.description.features)}
        save_shared(SharedWeights(self.network.state_dict(), description), target)

    def extract(self, image: np.ndarray, spacing: Triple) -> ExtractedBrain:
        """Find the brain.

        Args:
            image: one channel of a whole head (or a stripped brain), axes S, P, L.
            spacing: voxel size in mm.
        """
        return self.extract_shared([image], spacing)

    def extract_shared(self, images: Sequence[np.ndarray], spacing: Triple) -> ExtractedBrain:
        """Find the one brain that several channels of a head show, by their mean logit.

        Args:
            images: at least one, all on one grid, axes S, P, L.
            spacing: voxel size in mm.
        """
        total = self.logits(images[0], spacing)
        for image in images[1:]:
            total = total + self.logits(image, spacing)
        mask = total > 0
        if mask.any():
            mask = remove_all_but_largest_component(mask)
            mask = ndimage.binary_fill_holes(mask)
        mask = np.asarray(mask, bool)
        return ExtractedBrain(mask, brain_ml(mask, spacing))

    def logits(self, image: np.ndarray, spacing: Triple) -> np.ndarray:
        """Logit of being brain, float32 on the image's grid: the mean over both mirror images."""
        working = (self.description.spacing_mm,) * 3
        small = standardise_head(resample(image, new_shape(image.shape, spacing, working)))
        padded = self._padded(small)
        tensor = torch.from_numpy(padded)[None, None]
        with network_turns.one(), torch.inference_mode():
            both = [self.network(tensor), self.network(tensor.flip(4)).flip(4)]
        s, p, l = small.shape
        mean = ((both[0] + both[1]) / 2)[0, 0, :s, :p, :l].numpy()
        return resample(np.ascontiguousarray(mean), image.shape)

    def _padded(self, small: np.ndarray) -> np.ndarray:
        """Zeros behind each axis, up to a multiple of what the network divides by."""
        divisor = self.description.divisor
        widths = [(0, max(2 * divisor, -n // divisor * -divisor) - n) for n in small.shape]
        return np.pad(small, widths)


@cache
def shipped_extractor() -> BrainExtractor:
    """The extractor that comes with the package, read once.

    Raises:
        ModelError: its file is missing or damaged.
    """
    with resources.as_file(resources.files("disanat") / "pretrained" / FILE) as source:
        return BrainExtractor.load(source)


def extract_brain(image: np.ndarray, spacing: Triple) -> np.ndarray:
    """Brain mask of a whole head in any contrast; bool, same shape.

    Args:
        image: one channel, axes S, P, L.
        spacing: voxel size in mm.

    Raises:
        ModelError: the shipped weights are missing or damaged.
    """
    return shipped_extractor().extract(image, spacing).mask
