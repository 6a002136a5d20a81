"""How channels of one case are brought together: by their anatomies, or by their intensities."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk

from disanat.anatomy.anatomy_registration import (
    agreement,
    mirrored_agreement,
    register_linear,
)
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy
from disanat.inference import bundled
from disanat.inference.model import Model
from disanat.inference.soft_anatomy import anatomy_encoder, soft_anatomy
from disanat.io.images import Scan
from disanat.plans import BrainMaskTool
from disanat.preprocessing.alignment import Placed, Placing, by_intensity

__all__ = ["LEAST_AGREEMENT", "ROUTES", "Route", "matrix_of", "placing", "usual_route"]

log = logging.getLogger(__name__)

Route = Literal["anatomy", "intensity"]
ROUTES: tuple[Route, ...] = ("anatomy", "intensity")

LEAST_AGREEMENT = 0.80
"""Of two scans of one brain; benchmarks/registration.md says where it comes from."""


def usual_route() -> Route:
    """By the anatomies, where a model ships that sees them."""
    return "intensity" if bundled.bundled_model() is None else "anatomy"


def placing(
    route: Route, tool: BrainMaskTool = "extractor", brain_mask: Path | Scan | None = None
) -> Placing:
    """What finds out how a channel lies to the first one of its case.

    Args:
        route: by the tissues or by mutual information. Where a model ships that names tissues, the
            result of either is compared with the anatomies.
        tool: what finds the brain in whole heads.
        brain_mask: the user's own mask of the first channel.

    Raises:
        ModelError: the anatomies are asked for, but no model ships that sees them.
    """
    if route == "anatomy":
        return _ByAnatomy(_shipped(), tool, brain_mask)
    if bundled.bundled_model() is None:
        return by_intensity
    return _ByIntensity(_shipped(), tool, brain_mask)


def _shipped() -> Model:
    return _loaded(bundled.bundled_folder())


@cache
def _loaded(folder: Path) -> Model:
    return anatomy_encoder()


class _ByAnatomy:
    """Rigid registration of the tissues; the first channel's are found once."""

    def __init__(self, encoder: Model, tool: BrainMaskTool, brain_mask: Path | Scan | None) -> None:
        self._encoder, self._tool, self._mask = encoder, tool, brain_mask
        self._first: SoftAnatomy | None = None

    def __call__(self, first: Scan, scan: Scan) -> Placed:
        """Where the first channel's places lie in another one.

        Raises:
            ImageError: no plausible brain was found.
            NotRegisteredError: the scans could not be brought together, or show two brains.
        """
        if self._first is None:
            self._first = soft_anatomy(first, self._encoder, self._tool, self._mask)
            self._first.check(str(first.path))
        own = soft_anatomy(scan, self._encoder, self._tool)
        own.check(str(scan.path))
        return _checked(self._place(first, scan, self._first, own), self._first, own, first, scan)

    def _place(self, first: Scan, scan: Scan, ours: SoftAnatomy, own: SoftAnatomy) -> Placed:
        made = register_linear(ours, own)
        return Placed(
            _transform(made.matrix),
            made.shift_mm,
            made.turn_deg,
            made.spread_mm,
            agreement_before=made.agreement_before,
            agreement_after=made.agreement_after,
        )


class _ByIntensity(_ByAnatomy):
    """Mutual information; the tissues only judge what it found."""

    def _place(self, first: Scan, scan: Scan, ours: SoftAnatomy, own: SoftAnatomy) -> Placed:
        placed = by_intensity(first, scan)
        before, after = (
            agreement(ours, own, m) for m in (np.eye(4), matrix_of(placed.transform))
        )
        return replace(placed, agreement_before=before, agreement_after=after)


def _checked(
    placed: Placed, ours: SoftAnatomy, own: SoftAnatomy, first: Scan, scan: Scan
) -> Placed:
    """Both show one brain, the right way round.

    Raises:
        NotRegisteredError: their mirror images agree better.
    """
    after = placed.agreement_after or 0.0
    if mirrored_agreement(ours, own) > after:
        raise NotRegisteredError(
            "agree better once left and right are exchanged, so one of them is mirrored"
        )
    if after < LEAST_AGREEMENT:
        raise NotRegisteredError(
            f"do not seem to show one brain: their tissues have a Dice of only {after:.2f}, below "
            f"{LEAST_AGREEMENT:.2f}"
        )
    return placed


def _transform(matrix: np.ndarray) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def matrix_of(transform: sitk.Transform) -> np.ndarray:
    """(4, 4) of a linear transform."""
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        matrix[:3, axis] = transform.TransformPoint(np.eye(3)[axis].tolist()) - matrix[:3, 3]
    return matrix
