"""The MNI152 template that nilearn ships, on a 2 mm grid; nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["Atlas", "load_atlas"]

_SPACING = (2.0, 2.0, 2.0)


@dataclass(frozen=True)
class Atlas:
    """MNI152 on a 2 mm grid, axes S, P, L; maps are probabilities that sum to 1 in the brain."""

    t1: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    csf: np.ndarray
    brain: np.ndarray
    spacing: tuple[float, float, float] = _SPACING


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """The atlas, read once per process (about two seconds); its arrays are read-only."""
    from nilearn import datasets  # slow to import, and only this route needs it

    brain = _canonical(datasets.load_mni152_brain_mask(resolution=2)) > 0
    t1 = _canonical(datasets.load_mni152_template(resolution=2)) * brain
    grey = np.clip(_canonical(datasets.load_mni152_gm_template(resolution=2)), 0, 1) * brain
    white = np.clip(_canonical(datasets.load_mni152_wm_template(resolution=2)), 0, 1) * brain
    solid = np.maximum(grey + white, 1.0)
    grey, white = grey / solid, white / solid
    csf = np.clip(brain - grey - white, 0, 1).astype(np.float32)
    for array in (t1, grey, white, csf, brain):
        array.flags.writeable = False
    return Atlas(t1, grey, white, csf, brain)


def _canonical(image: object) -> np.ndarray:
    """A nilearn image (axes R, A, S) as a float32 array with the axes S, P, L."""
    data = np.asarray(image.get_fdata(dtype=np.float32))  # type: ignore[attr-defined]
    return np.ascontiguousarray(data[::-1, ::-1].transpose(2, 1, 0))
