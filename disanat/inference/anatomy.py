"""Tissues of healthy scans that bring no label maps, seen by a trained anatomy encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from disanat.anatomy.atlas_by_anatomy import Anatomies
from disanat.anatomy.soft_anatomy import SoftAnatomy, centred_anatomy
from disanat.anatomy.template import load_atlas
from disanat.errors import ModelError
from disanat.inference.model import Model, load_model
from disanat.plans import Triple
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale
from disanat.preprocessing.resampling import new_shape, resample
from disanat.tissues import joined_probabilities, whole_labels

__all__ = ["EncoderAnatomies", "EncoderTissues"]

_MARGIN_MM = 12.0
"""Air around the atlas, as scans have it."""


@dataclass(frozen=True)
class EncoderTissues:
    """Names the tissues of a scan with a trained model's encoder.

    It holds a path alone, so that it can be sent to worker processes; each of them reads the model
    once, when it is first needed.
    """

    folder: Path

    def __call__(
        self, images: Sequence[np.ndarray], brain: np.ndarray, spacing: Triple
    ) -> np.ndarray:
        """The most probable tissue of each voxel of the brain.

        Args:
            images: the channels of one case in any units, each (S, P, L); they share one anatomy.
            brain: bool, same shape.
            spacing: voxel size in mm.

        Returns:
            uint8 of the same shape: 0 outside the brain (and where the encoder sees none), then
            the model's classes from 1 on, partial-volume classes joined to those they are part of.

        Raises:
            ModelError: the model is missing or damaged, or its method names no tissues.
        """
        model = _loaded(self.folder)
        logs, _ = _log_probabilities(model, images, brain, spacing)
        fine = np.exp([resample(one, brain.shape) for one in logs])
        best = whole_labels(fine, model.method.scheme)
        return np.where(brain, best, 0).astype(np.uint8)


@dataclass(frozen=True)
class EncoderAnatomies:
    """Shows the tissues of a scan and of the atlas, by which the one is brought onto the other.

    As `EncoderTissues`, it holds a path alone.
    """

    folder: Path

    def __call__(
        self, images: Sequence[np.ndarray], brain: np.ndarray, spacing: Triple
    ) -> Anatomies:
        """Tissue probabilities of a case and of the atlas' T1, at the encoder's voxel size.

        Args:
            images: the channels of one case in any units, each (S, P, L); they share one anatomy.
            brain: bool, same shape.
            spacing: voxel size in mm.

        Raises:
            ModelError: the model is missing or damaged, or its method names no tissues.
        """
        return Anatomies(_seen(self.folder, images, brain, spacing), _seen_atlas(self.folder))


@cache
def _seen_atlas(folder: Path) -> SoftAnatomy:
    atlas = load_atlas()
    around = round(_MARGIN_MM / atlas.spacing[0])
    return _seen(folder, [np.pad(atlas.t1, around)], np.pad(atlas.brain, around), atlas.spacing)


def _seen(
    folder: Path, images: Sequence[np.ndarray], brain: np.ndarray, spacing: Triple
) -> SoftAnatomy:
    model = _loaded(folder)
    logs, coarse = _log_probabilities(model, images, brain, spacing)
    several = np.exp(logs)
    whole = joined_probabilities(several / several.sum(0), model.method.scheme)[1:] * coarse
    s, p, l = (n * mm / m for n, mm, m in zip(brain.shape, spacing, coarse.shape))
    return centred_anatomy(whole, (s, p, l))


def _log_probabilities(
    model: Model, images: Sequence[np.ndarray], brain: np.ndarray, spacing: Triple
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the channels, (classes + 1, S, P, L) at the model's voxel size; the brain there."""
    shape = new_shape(brain.shape, spacing, model.configuration.spacing)
    coarse = resample(brain.astype(np.float32), shape) >= 0.5
    logs = []
    for image in images:
        standard = intensity_scale(image[brain]).standardise(image)
        seen = np.where(coarse, resample(standard, shape), np.float32(OUTSIDE))
        probabilities = model.method.anatomy(seen)
        if probabilities is None:
            raise ModelError(
                f"The method {model.method.name} of {model.folder} names no tissues: give "
                "label maps in priorsTr, or plan with --prior atlas."
            )
        logs.append(np.log(np.maximum(probabilities, 1e-6)))
    return np.mean(logs, axis=0), coarse


@cache
def _loaded(folder: Path) -> Model:
    return load_model(folder)
