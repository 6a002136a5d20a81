"""How channels of one case are brought together: by anatomy, by intensity, or by both in turn."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from disanat.anatomy.anatomy_registration import (
    agreement,
    distance_mm,
    mirrored_agreement,
    register_linear,
    turn_deg,
)
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy
from disanat.anatomy.transforms import affine_transform, matrix_of
from disanat.errors import DatasetError
from disanat.inference import bundled
from disanat.inference.model import Model
from disanat.inference.soft_anatomy import anatomy_encoder, soft_anatomy
from disanat.io.images import Scan
from disanat.plans import BrainMaskTool
from disanat.preprocessing.alignment import Placed, Placing, by_intensity, refined

__all__ = [
    "LEAST_AGREEMENT",
    "MIRRORED_BY",
    "ROUTES",
    "Route",
    "by_anatomy",
    "by_both",
    "matrix_of",
    "placing",
    "usual_route",
]

log = logging.getLogger(__name__)

Route = Literal["both", "anatomy", "intensity"]
ROUTES: tuple[Route, ...] = ("both", "anatomy", "intensity")

LEAST_AGREEMENT = 0.85
"""Of two scans of one brain; benchmarks/registration.md says where it comes from."""
MIRRORED_BY = 0.01
"""How much better the mirror image must agree to be what the scan shows."""
_PLACES_MM = 9.0
_MOST_REFINED_MM = 5.0
"""Mutual information that leads further away from the anatomies than this has lost its way."""


def usual_route() -> Route:
    """By both in turn, where a model ships that sees anatomies; else by intensity."""
    if bundled.bundled_model() is not None:
        return "both"
    log.info("No model ships that sees anatomies: channels are registered by intensity.")
    return "intensity"


def placing(
    route: Route, tool: BrainMaskTool = "extractor", brain_mask: Path | Scan | None = None
) -> Placing:
    """What finds out how a channel lies to the first one of its case.

    Args:
        route: by the tissues, by mutual information, or by the tissues first and then, from there,
            by mutual information. Where a model ships that names tissues, they judge any result.
        tool: what finds the brain in whole heads.
        brain_mask: the user's own mask of the first channel.

    Raises:
        ModelError: the anatomies are asked for, but no model ships that sees them.
        DatasetError: there is no such route.
    """
    if route not in ROUTES:
        raise DatasetError(f"register={route!r} is no route: give {', '.join(ROUTES)} or None.")
    if route == "intensity" and bundled.bundled_model() is None:
        return by_intensity
    kinds = {"both": _ByBoth, "anatomy": _ByAnatomy, "intensity": _ByIntensity}
    return kinds[route](_shipped(), tool, brain_mask)


def by_anatomy(ours: SoftAnatomy, own: SoftAnatomy) -> Placed:
    """How one scan lies to another by their tissues.

    Raises:
        NotRegisteredError: no trustworthy registration was found.
    """
    made = register_linear(ours, own)
    return Placed(
        affine_transform(made.matrix),
        made.shift_mm,
        made.turn_deg,
        made.spread_mm,
        agreement_before=made.agreement_before,
        agreement_after=made.agreement_after,
    )


def by_both(first: Scan, scan: Scan, ours: SoftAnatomy, own: SoftAnatomy) -> Placed:
    """The tissues find how one scan lies to another, mutual information refines it.

    Raises:
        NotRegisteredError: the tissues did not.
    """
    rough = by_anatomy(ours, own)
    fine = refined(first, scan, rough, ours.centre)
    matrix = matrix_of(fine.transform)
    places = ours.coarse(_PLACES_MM).places()
    if distance_mm(matrix, matrix_of(rough.transform), places) > _MOST_REFINED_MM:
        return rough
    return replace(
        fine,
        shift_mm=distance_mm(matrix, np.eye(4), places),
        turn_deg=turn_deg(matrix),
        agreement_after=agreement(ours, own, matrix),
    )


def _shipped() -> Model:
    return _loaded(bundled.bundled_folder())


@cache
def _loaded(folder: Path) -> Model:
    """The shipped model, read once; `folder` only tells one from another."""
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
            NotRegisteredError: the scans could not be brought together, or one is mirrored.
        """
        if self._first is None:
            self._first = soft_anatomy(first, self._encoder, self._tool, self._mask)
            self._first.check(str(first.path))
        own = soft_anatomy(scan, self._encoder, self._tool)
        own.check(str(scan.path))
        return _checked(self._place(first, scan, self._first, own), self._first, own, first, scan)

    def _place(self, first: Scan, scan: Scan, ours: SoftAnatomy, own: SoftAnatomy) -> Placed:
        return by_anatomy(ours, own)


class _ByBoth(_ByAnatomy):
    def _place(self, first: Scan, scan: Scan, ours: SoftAnatomy, own: SoftAnatomy) -> Placed:
        return by_both(first, scan, ours, own)


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
    """Both show one brain, the right way round; a warning where they hardly do.

    Raises:
        NotRegisteredError: the mirror image of one agrees better with the other.
    """
    after, mirrored = mirrored_agreement(ours, own, matrix_of(placed.transform))
    if mirrored > after + MIRRORED_BY:
        raise NotRegisteredError(
            f"agree better once left and right are exchanged (a Dice of {mirrored:.2f} instead of "
            f"{after:.2f}), so one of them is mirrored, or they show two people"
        )
    if after < LEAST_AGREEMENT:
        log.warning(
            "%s and %s may show two people: their tissues have a Dice of only %.2f (of one brain "
            "mostly above %.2f): look at them.",
            scan.path,
            first.path,
            after,
            LEAST_AGREEMENT,
        )
    return placed
