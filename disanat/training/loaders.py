"""Batches of rendered brains, with batchgenerators' loader, spatial transforms and workers.

A batch holds pairs: items 2i and 2i + 1 are the same brain, deformed alike and with the same
lesion, in two contrasts drawn independently.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from batchgenerators.dataloading.data_loader import DataLoader
from batchgenerators.transforms.abstract_transforms import AbstractTransform, Compose
from batchgenerators.transforms.spatial_transforms import MirrorTransform, SpatialTransform

from disanat.io.store import StoredCase, open_case
from disanat.plans import AXES, Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.synthesis.lesions import draw_lesion
from disanat.synthesis.render import EXTRACEREBRAL, CaseSample, Contrast, Look, render
from disanat.synthesis.vessels import draw_vessels
from disanat.tissues import TissueClass, class_kinds, scheme_by_names

__all__ = ["BlockLoader", "RenderTransform", "Renderer", "to_tensors"]

log = logging.getLogger(__name__)

_SAMPLE_SIZE = 6000


@dataclass(frozen=True)
class _Source:
    """A stored case with what is needed to cut blocks from it."""

    case: StoredCase
    slices: np.ndarray
    """Cumulative probability of drawing each slice (the root of its brain area)."""
    extent: tuple[int, int]
    centre: tuple[float, ...]
    samples: tuple[CaseSample, ...]


def _source(folder: Path, name: str, axis: int) -> _Source:
    case = open_case(folder, name)
    labels = np.moveaxis(case.labels[:], axis, 0)
    image = np.moveaxis(case.image[:], axis + 1, 1)
    brain = (labels > 0) & (labels < EXTRACEREBRAL)
    where = np.argwhere(brain)
    rng = np.random.default_rng(len(where))
    chosen = rng.choice(np.flatnonzero(labels > 0), _SAMPLE_SIZE)
    scanned = bool(case.channels)
    samples = tuple(
        CaseSample(c.ravel()[chosen], labels.ravel()[chosen], scanned) for c in image
    )
    low, high = int(where[:, 0].min()), int(where[:, 0].max()) + 1
    centre = tuple((where.min(0) + where.max(0) + 1) / 2)
    areas = np.sqrt(brain.sum((1, 2)))
    return _Source(
        case,
        np.cumsum(areas) / areas.sum(),
        (low, high),
        centre,
        samples,
    )


class BlockLoader(DataLoader):
    """Cuts blocks from random cases at random slices.

    A block has the shape (depth, height, width) with the plan's slice axis first: the context
    slices in 2D, the whole patch in 3D.
    """

    def __init__(self, folder: Path, names: Sequence[str], configuration: Configuration) -> None:
        super().__init__(list(names), configuration.batch_size // 2, infinite=True)
        self.indices = list(range(len(names)))
        self.axis = AXES.index(configuration.slice_axis)
        self.sources = [_source(folder, name, self.axis) for name in names]
        self.dimension = configuration.dimension
        self.pairs = configuration.batch_size // 2
        if self.dimension == 2:
            depth = 2 * configuration.context_slices + 1
            self.block: tuple[int, ...] = (depth, *configuration.patch_size)
        else:
            self.block = configuration.patch_size

    def generate_train_batch(self) -> dict[str, Any]:
        data, seg, samples = [], [], []
        for index in np.random.choice(len(self.sources), self.pairs):
            source = self.sources[index]
            channel = np.random.randint(source.case.image.shape[0])
            box = self._box(source)
            data.append(self._cut(source.case.image, box, channel))
            seg.append(self._cut(source.case.labels, box, None))
            samples.append(source.samples[channel])
        stacked = np.stack(data), np.stack(seg).astype(np.float32)
        if self.dimension == 3:
            stacked = stacked[0][:, None], stacked[1][:, None]
        return {"data": stacked[0], "seg": stacked[1], "samples": samples}

    def _box(self, source: _Source) -> list[list[int]]:
        low, high = source.extent
        if self.dimension == 2:
            drawn = int(np.searchsorted(source.slices, np.random.random()))
            first = drawn - self.block[0] // 2
        else:
            free = max(0, high - low - self.block[0])
            first = low + np.random.randint(free + 1) - max(0, self.block[0] - (high - low)) // 2
        jitter = np.random.randint(-4, 5, 2)
        starts = [
            first,
            *(
                round(c + j - n / 2)
                for c, j, n in zip(source.centre[1:], jitter, self.block[1:], strict=True)
            ),
        ]
        return [[s, s + n] for s, n in zip(starts, self.block, strict=True)]

    def _cut(self, array: Any, box: list[list[int]], channel: int | None) -> np.ndarray:
        ordered = [*box[1 : self.axis + 1], box[0], *box[self.axis + 1 :]]
        pad = 0 if channel is None else OUTSIDE
        whole = ordered if channel is None else [[channel, channel + 1], *ordered]
        cut = crop_and_pad_nd(array, whole, pad)
        return np.moveaxis(cut if channel is None else cut[0], self.axis, 0)


class RenderTransform(AbstractTransform):
    """Turns each deformed block into two looks of one brain with the same lesion, if any."""

    def __init__(
        self, scheme: Sequence[TissueClass], configuration: Configuration, lesions: bool = True
    ) -> None:
        self.scheme = tuple(scheme)
        self.lesions = lesions
        self.dimension = configuration.dimension
        axis = AXES.index(configuration.slice_axis)
        others = [s for i, s in enumerate(configuration.spacing) if i != axis]
        self.spacing = (configuration.spacing[axis], *others)
        self.left_right = 0 if configuration.slice_axis == "L" else 2
        self.preferred = class_kinds(scheme, "white")
        self.augmentation = configuration.augmentation
        self.contrast: Contrast = "real" if "t1_only" in configuration.ablations else "any"
        self.physics = "free_contrasts" not in configuration.ablations

    def __call__(self, **batch: Any) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(np.random.randint(2**31))
        items = [
            self._item(rng, batch["data"][i], batch["seg"][i], sample)
            for i, sample in enumerate(batch["samples"])
        ]
        flat = [part for pair in items for part in pair]
        return {key: np.stack([part[key] for part in flat]) for key in flat[0]}

    def _item(
        self,
        rng: np.random.Generator,
        data: np.ndarray,
        seg: np.ndarray,
        sample: CaseSample,
    ) -> list[dict[str, np.ndarray]]:
        real, labels = (data, seg) if self.dimension == 2 else (data[0], seg[0])
        labels = labels.astype(np.uint8)
        tissue = np.where(labels < EXTRACEREBRAL, labels, 0)
        lesion = None
        if self.lesions:
            lesion = draw_lesion(rng, tissue, np.isin(tissue, self.preferred), self.spacing)
        mask = np.zeros(labels.shape, bool) if lesion is None else lesion.mask
        vessels = self._vessels(rng, tissue, mask)
        looks = [
            render(
                rng,
                labels,
                real,
                sample,
                lesion,
                self.scheme,
                self.spacing,
                self.augmentation,
                self.contrast,
                self.physics,
                vessels,
            )
            for _ in range(2)
        ]
        return [self._part(look, tissue, mask) for look in looks]

    def _vessels(
        self, rng: np.random.Generator, tissue: np.ndarray, lesion: np.ndarray
    ) -> np.ndarray | None:
        """Healthy vessels outside the lesion; none where scans are to be shown as they are."""
        if self.contrast == "real":
            return None
        return draw_vessels(rng, tissue, self.scheme, self.spacing, lesion, self.left_right)

    def _part(self, look: Look, labels: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        if self.dimension == 3:
            image, healthy = look.image[None], look.healthy[None]
        else:
            middle = len(labels) // 2
            image, healthy = look.image, look.healthy[middle : middle + 1]
            labels, mask = labels[middle], mask[middle]
        return {
            "image": image,
            "labels": labels.astype(np.int64),
            "lesion": mask.astype(np.float32),
            "healthy": healthy,
            "theta": look.theta,
        }


def _spatial(configuration: Configuration, deform: bool) -> list[AbstractTransform]:
    if not deform:
        return []
    planar = configuration.dimension == 2
    finest = min(configuration.spacing)
    small, tilt = np.deg2rad(15), np.deg2rad(8)
    spatial = SpatialTransform(
        configuration.patch_size,
        do_elastic_deform=planar,
        alpha=(0.0, 250.0 / finest),
        sigma=(16.0 / finest, 24.0 / finest),
        angle_x=(-small, small),
        angle_y=(-tilt, tilt),
        angle_z=(-tilt, tilt),
        scale=(0.85, 1.18),
        border_mode_data="constant",
        border_cval_data=OUTSIDE,
        order_data=1,
        order_seg=0,
        random_crop=False,
        p_el_per_sample=0.4,
        p_scale_per_sample=0.7,
        p_rot_per_sample=0.7,
        independent_scale_for_each_axis=True,
    )
    # The patient's left-right axis L is the last one unless slices are cut across it.
    mirror = [] if configuration.slice_axis == "L" else [configuration.dimension - 1]
    return [spatial, MirrorTransform(axes=tuple(mirror))] if mirror else [spatial]


class Renderer:
    """Renders batches (dictionaries of numpy arrays) by their numbers.

    Args:
        folder: preprocessed cases of the configuration.
        names: the cases to draw from.
        plans: the plan, for its tissue classes.
        configuration: the configuration.
        seed: together with the numbers of batch and pair it decides all that is drawn.
        deform: apply spatial augmentation.
        lesions: put synthetic lesions in; else every sample is healthy.
        pairs: numbers of the pairs of a batch to render; all by default. A pair is the same
            whichever others are rendered.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        plans: Plans,
        configuration: Configuration,
        seed: int,
        deform: bool = True,
        lesions: bool = True,
        pairs: range | None = None,
    ) -> None:
        self.seed = seed
        self.pairs = range(configuration.batch_size // 2) if pairs is None else pairs
        self._loader = BlockLoader(folder, names, replace(configuration, batch_size=2))
        rendering = RenderTransform(scheme_by_names(plans.classes), configuration, lesions)
        self._transform = Compose([*_spatial(configuration, deform), rendering])

    def batch(self, number: int) -> dict[str, np.ndarray]:
        """The batch of that number; numpy's own generator is left as it was."""
        before = np.random.get_state()
        try:
            pairs = [self._pair(number, pair) for pair in self.pairs]
        finally:
            np.random.set_state(before)
        return {key: np.concatenate([pair[key] for pair in pairs]) for key in pairs[0]}

    def _pair(self, number: int, pair: int) -> dict[str, np.ndarray]:
        np.random.seed([self.seed, number, pair])
        return dict(self._transform(**next(self._loader)))


def to_tensors(batch: dict[str, np.ndarray], device: torch.device) -> dict[str, torch.Tensor]:
    """The arrays of a batch as tensors on a device."""
    return {key: torch.from_numpy(value).to(device) for key, value in batch.items()}
