"""How the brain of a case is found: one way for fingerprint, preprocessing and prediction.

In this order: the mask that the user brings; the constant background of a stripped scan; in
training, the label map closed by 6 mm; and for whole heads what the plan says, our extractor or a
program of others. A mask whose volume no brain has is an error, whatever it comes from.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from disanat.anatomy.atlas_brain import atlas_brain_mask
from disanat.anatomy.plausible import PLAUSIBLE_ML, brain_ml, is_plausible
from disanat.errors import ImageError, ImplausibleError
from disanat.io.images import Scan, read_labels, same_grid
from disanat.plans import BrainMaskTool, BrainSource
from disanat.preprocessing.brain_mask import (
    close_mask,
    stripped_background,
    stripped_brain_mask,
)
from disanat.preprocessing.brain_tools import brain_by_tool

__all__ = ["FoundBrain", "find_brain"]

log = logging.getLogger(__name__)

_CLOSING_MM = 6.0
_OWN_MASK = "give a mask of your own (brainmasksTr, at prediction --brain_masks)"


@dataclass(frozen=True)
class FoundBrain:
    """The brain of one case.

    `mask` is bool on the scans' grid (S, P, L); `backgrounds` holds each channel's constant value
    outside the brain, None where the skull is on.
    """

    mask: np.ndarray
    source: BrainSource
    backgrounds: dict[int, float | None]

    @property
    def stripped(self) -> bool:
        """Whether every channel was stripped before."""
        return all(value is not None for value in self.backgrounds.values())


def find_brain(
    scans: Mapping[int, Scan],
    tool: BrainMaskTool = "extractor",
    given: Path | Scan | None = None,
    labels: np.ndarray | None = None,
) -> FoundBrain:
    """The brain of a case, by the best means there is.

    Args:
        scans: channel number -> scan, all on one grid.
        tool: what finds the brain in whole heads.
        given: the user's own mask or its file, above 0 = brain.
        labels: class numbers of a healthy case's label map on the same grid, 0 outside.

    Raises:
        ImplausibleError: what was found has a volume that no brain has.
        ImageError: the user's mask cannot be used, or the tool failed.
        PlanError: the tool is not installed.
    """
    backgrounds = {c: stripped_background(s.array, s.spacing) for c, s in scans.items()}
    first = next(iter(scans.values()))
    known = {c: value for c, value in backgrounds.items() if value is not None}
    source: BrainSource
    if given is not None:
        mask, source = _users(given, first), "user"
    elif len(known) == len(scans):
        masks = [stripped_brain_mask(scans[c].array, value) for c, value in known.items()]
        mask, source = np.logical_and.reduce(masks), "background"
        _check(
            mask,
            first,
            f"{first.path} seems to show a brain",
            "check that it is a whole head or a stripped brain, and that its spacing is in mm",
        )
    elif labels is not None:
        mask, source = close_mask(labels > 0, first.spacing, _CLOSING_MM), "labels"
        _check(
            mask,
            first,
            f"The label map of {first.path} marks a brain",
            "check that it covers the whole brain, and what dataset.json says of its numbers",
        )
    else:
        return _of_head(scans, tool, backgrounds)
    return FoundBrain(mask, source, backgrounds)


def _users(given: Path | Scan, scan: Scan) -> np.ndarray:
    mask = given if isinstance(given, Scan) else read_labels(given)
    if not same_grid(mask.geometry, scan.geometry):
        raise ImageError(
            f"{mask.path} lies on another grid than {scan.path} (sizes {mask.geometry.size} and "
            f"{scan.geometry.size}): resample it onto the scan (nearest neighbour)."
        )
    brain = np.asarray(mask.array > 0)
    _check(
        brain,
        scan,
        f"{mask.path} marks a brain",
        "check that it is the mask of the whole brain, or take it out of its folder",
    )
    return brain


def _of_head(
    scans: Mapping[int, Scan], tool: BrainMaskTool, backgrounds: dict[int, float | None]
) -> FoundBrain:
    """The brain of a whole head: one mask for all channels."""
    first = next(iter(scans.values()))
    if tool != "extractor":
        mask = brain_by_tool(first, tool)
        remedy = f"look at the scan, or {_OWN_MASK}"
        _check(mask, first, f"In {first.path} {tool} found a brain", remedy)
        return FoundBrain(mask, tool, backgrounds)
    from disanat.preprocessing.brain_extractor import shipped_extractor  # takes torch with it

    images = [scan.array for scan in scans.values()]
    found = shipped_extractor().extract_shared(images, first.spacing)
    if found.plausible:
        return FoundBrain(found.mask, "extractor", backgrounds)
    try:
        mask = atlas_brain_mask(first.array, first.spacing)
    except ImageError as cause:
        raise ImplausibleError(
            f"In {first.path} no plausible brain was found, neither by the extractor "
            f"({found.volume_ml:.0f} mL) nor by the atlas: check that it shows a whole head and "
            f"that its orientation and spacing are right, or {_OWN_MASK}."
        ) from cause
    log.warning(
        "%s: the extractor found no plausible brain (%.0f mL), so the atlas stands in: look at it.",
        first.path,
        found.volume_ml,
    )
    return FoundBrain(mask, "atlas", backgrounds)


def _check(mask: np.ndarray, scan: Scan, what: str, remedy: str) -> None:
    volume = brain_ml(mask, scan.spacing)
    if not is_plausible(volume):
        low, high = PLAUSIBLE_ML
        raise ImplausibleError(
            f"{what} of {volume:.0f} mL, which is not plausible ({low:.0f} to {high:.0f} mL are): "
            f"{remedy}."
        )
