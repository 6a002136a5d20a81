"""The atlas put elsewhere as a scan, with its tissues in parts as an encoder would see them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from disanat.anatomy.atlas_by_anatomy import Anatomies
from disanat.anatomy.soft_anatomy import SoftAnatomy, centred_anatomy
from disanat.anatomy.template import load_atlas

SPACING = (5.0, 5.0, 5.0)
SHAPE = (45, 53, 45)
LEVELS = (95.0, 40.0, 60.0)
"""Of csf, grey and white: the contrast of no scanner."""


@dataclass(frozen=True)
class PartedBrain:
    """A scan (S, P, L) of 5 mm, its true classes 1 to 3, and its tissues in six parts."""

    image: np.ndarray
    truth: np.ndarray
    seen: SoftAnatomy

    @property
    def brain(self) -> np.ndarray:
        return self.truth > 0


def parted_brain(to_atlas: np.ndarray, ventricles: float = 1.0) -> PartedBrain:
    """A scan whose places (L, P, S, mm) `to_atlas` (4, 4) takes to those of the atlas.

    Args:
        to_atlas: affine.
        ventricles: how much larger than the atlas' they are, along each axis.
    """
    grid = centred_anatomy(np.zeros((1, *SHAPE), np.float32), SPACING)
    index = np.argwhere(np.ones(SHAPE, bool))
    places = index @ grid.to_mm[:3, :3].T + grid.to_mm[:3, 3]
    there = places @ to_atlas[:3, :3].T + to_atlas[:3, 3]
    near = np.exp(-0.5 * ((there - (0, 8, 8)) / (26, 38, 24)) ** 2).prod(1, keepdims=True)
    there = there - (1 - 1 / ventricles) * near * (there - (0, 8, 8))
    six = _parts()
    empty = centred_anatomy(six, load_atlas().spacing)
    at = (there - empty.to_mm[:3, 3]) @ np.linalg.inv(empty.to_mm[:3, :3]).T
    maps = np.stack([ndimage.map_coordinates(m, at.T, order=1) for m in six])
    maps = maps.reshape(6, *SHAPE).astype(np.float32)
    three = maps[:3] + maps[3:]
    truth = np.where(three.sum(0) > 0.5, 1 + three.argmax(0), 0)
    image = np.einsum("k...,k->...", three, np.array(LEVELS)) * (truth > 0)
    return PartedBrain(image.astype(np.float32), truth, centred_anatomy(maps, SPACING))


@cache
def atlas_parts() -> SoftAnatomy:
    """The same parts of the atlas, on a grid as coarse as the scan's."""
    return centred_anatomy(_parts(), load_atlas().spacing).coarse(SPACING[0])


def both_of(scan: PartedBrain) -> Anatomies:
    return Anatomies(scan.seen, atlas_parts())


def _parts() -> np.ndarray:
    """Csf, grey and white, above and below a slope: what lies around all else tells no turn."""
    atlas = load_atlas()
    three = np.stack([atlas.csf, atlas.grey, atlas.white])
    s, p = (np.arange(n, dtype=np.float32) for n in three.shape[1:3])
    above = s[:, None, None] > 42 - 0.3 * (p[None, :, None] - 54)
    return np.concatenate([three * above, three * ~above]).astype(np.float32)
