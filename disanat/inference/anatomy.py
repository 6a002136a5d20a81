"""Tissues of healthy scans that bring no label maps, seen by a trained anatomy encoder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from disanat.errors import ModelError
from disanat.inference.model import Model, load_model
from disanat.plans import Triple
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale
from disanat.preprocessing.resampling import new_shape, resample
from disanat.tissues import whole_labels

__all__ = ["EncoderTissues"]

log = logging.getLogger(__name__)


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
        target = model.configuration.spacing
        shape = new_shape(brain.shape, spacing, target)
        coarse = resample(brain.astype(np.float32), shape) >= 0.5
        logs = []
        for image in images:
            standard = intensity_scale(image[brain]).standardise(image)
            seen = np.where(coarse, resample(standard, shape), np.float32(OUTSIDE))
            probabilities = model.method.anatomy(seen)
            if probabilities is None:
                raise ModelError(
                    f"The method {model.method.name} of {self.folder} names no tissues: give "
                    "label maps in priorsTr, or plan with --prior atlas."
                )
            logs.append(np.log(np.maximum(probabilities, 1e-6)))
        mean = np.mean(logs, axis=0)
        fine = np.exp([resample(one, brain.shape) for one in mean])
        best = whole_labels(fine, model.method.scheme)
        return np.where(brain, best, 0).astype(np.uint8)


@cache
def _loaded(folder: Path) -> Model:
    return load_model(folder)
