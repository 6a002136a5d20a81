"""From a case's files to what the networks see: the same steps at calibration and prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from disanat.anatomy.plausible import brain_ml
from disanat.io.images import Scan
from disanat.methods.interface import PreparedChannel
from disanat.plans import BrainMaskTool
from disanat.preparation import USUAL, Preparation
from disanat.preprocessing.bias_field import BiasField, fit_bias_field
from disanat.preprocessing.brain_mask import brain_box
from disanat.preprocessing.brain_search import FoundBrain, find_brain
from disanat.preprocessing.normalisation import OUTSIDE, IntensityScale, planned_scale
from disanat.preprocessing.resampling import new_shape, resample

__all__ = ["PreparedCase", "prepare_case", "prepare_found"]

Triple = tuple[float, float, float]
_MARGIN_MM = 6.0


@dataclass(frozen=True)
class PreparedCase:
    """All channels of a case, cropped to the brain, and the way back to the scan's grid."""

    channels: dict[int, PreparedChannel]
    scales: dict[int, IntensityScale]
    background: dict[int, float]
    brain: np.ndarray
    """bool, on the scan's whole grid (S, P, L)."""
    box: tuple[slice, ...]
    spacing: Triple
    fields: dict[int, BiasField]
    """Of the channels whose field was taken out, on the crop."""

    @property
    def brain_ml(self) -> float:
        return brain_ml(self.brain, self.spacing)

    def own_units(self, channel: int, standardised: np.ndarray) -> np.ndarray:
        """A standardised picture of the crop in the scan's own intensities, its field included."""
        picture = self.scales[channel].restore(standardised)
        return self.fields[channel].restore(picture) if channel in self.fields else picture

    def whole(self, cropped: np.ndarray, fill: float) -> np.ndarray:
        """Put an array of the crop back into the scan's whole grid."""
        full = np.full(self.brain.shape, fill, cropped.dtype)
        full[self.box] = cropped
        return full


def prepare_case(
    scans: Mapping[int, Scan],
    target: Triple,
    tool: BrainMaskTool = "extractor",
    brain_mask: Path | Scan | None = None,
    steps: Preparation = USUAL,
) -> PreparedCase:
    """Find the brain, crop, standardise and resample.

    Args:
        scans: the channels, on one grid.
        target: voxel size of the plan in mm.
        tool: what finds the brain in whole heads, as the plan says.
        brain_mask: the user's own mask, or its file.
        steps: which of these steps the plan takes, and whether N4 goes first.

    Raises:
        ImageError: no plausible brain was found, or the user's mask cannot be used.
        PlanError: the tool is not installed.
    """
    return prepare_found(scans, find_brain(scans, tool, brain_mask), target, steps)


def prepare_found(
    scans: Mapping[int, Scan], found: FoundBrain, target: Triple, steps: Preparation = USUAL
) -> PreparedCase:
    """The same for scans whose brain has been found already."""
    first = next(iter(scans.values()))
    brain = found.mask
    box = brain_box(brain, first.spacing, _MARGIN_MM)
    inside = brain[box]
    spacing = target if steps.resampling else first.spacing
    shape = new_shape(inside.shape, first.spacing, spacing)
    coarse = resample(inside.astype(np.float32), shape) >= 0.5
    channels, scales, fields = {}, {}, {}
    for channel, scan in scans.items():
        array = scan.array[box]
        if steps.bias_correction:
            fields[channel] = fit_bias_field(array, inside, scan.spacing)
            array = fields[channel].remove(array)
        scales[channel] = planned_scale(array[inside], steps.fixed_scale)
        native = scales[channel].standardise(array, inside)
        filled = scales[channel].standardise(array)
        image = np.where(coarse, resample(filled, shape), np.float32(OUTSIDE))
        channels[channel] = PreparedChannel(image, coarse, spacing, native, inside, scan.spacing)
    outside = {
        c: b if b is not None else float(scans[c].array.min())
        for c, b in found.backgrounds.items()
    }
    return PreparedCase(channels, scales, outside, brain, box, first.spacing, fields)
