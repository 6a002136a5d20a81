"""Label maps without a scan: brains that training renders, and never sees as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from acvl_utils.morphology.morphology_helper import remove_all_but_largest_component
from scipy import ndimage

from disanat.anatomy.partial_volume import set_partial_volume_apart
from disanat.errors import DatasetError
from disanat.io.images import Scan, read_labels
from disanat.io.store import StoredCase
from disanat.plans import Triple
from disanat.preprocessing.brain_mask import brain_box
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.preprocessing.resampling import new_shape, resample
from disanat.synthesis.tables import EXTRACEREBRAL
from disanat.tissues import EIGHT_CLASSES, TissueClass, remap_labels

__all__ = ["preprocess_label_map", "read_tissues"]

_MARGIN_MM = 20.0
_CLOSING_MM = 3.0
_NARROW_MM = 3.0
"""Radius: fluid that no ball of this size fits into lies in a sulcus or fissure."""
_EXTRA = 4
_LEVELS = {"csf": -1.6, "grey": -0.35, "white": 0.75}
"""Of a standardised T1 scan: only their order and distances matter."""


def read_tissues(
    path: Path, mapping: Mapping[str, Sequence[int]]
) -> tuple[np.ndarray, np.ndarray, Scan]:
    """A label map as tissue classes.

    Returns:
        Class numbers of `EIGHT_CLASSES`, uint8; the numbers of what is declared as none of them,
        int32; both (S, P, L); and the file's content.

    Raises:
        DatasetError: it holds none of the declared numbers.
        ImageError: it cannot be read.
    """
    scan = read_labels(path)
    tissue = remap_labels(scan.array, mapping, EIGHT_CLASSES)
    if not tissue.any():
        found = ", ".join(map(str, np.unique(scan.array)[:8]))
        raise DatasetError(
            f"{path} holds none of the labels that dataset.json declares (found {found}): name the "
            "right numbering under 'label_maps' there."
        )
    return tissue, np.where(tissue > 0, 0, scan.array), scan


def preprocess_label_map(
    name: str,
    path: Path,
    mapping: Mapping[str, Sequence[int]],
    spacing: Triple,
    scheme: Sequence[TissueClass],
) -> StoredCase:
    """Bring a label map to the plan's voxel size, partial volume set apart.

    Narrow fluid between gyri goes to the grey matter beside it first, as it does in label maps of
    whole gyri; what a T1 scan of the map would show then sets it apart again. So sulci have one
    meaning, whatever program a map comes from.

    Args:
        name: of the case.
        path: the label map.
        mapping: class name -> its numbers.
        spacing: the plan's voxel size in mm.
        scheme: the plan's tissue classes.

    Returns:
        A case without channels; its one image is that T1-like picture.
    """
    tissue, other, scan = read_tissues(path, mapping)
    # Some maps hold specks of fluid elsewhere in the head.
    tissue = np.where(remove_all_but_largest_component(tissue > 0), tissue, 0).astype(np.uint8)
    box = brain_box(tissue > 0, scan.spacing, _MARGIN_MM)
    tissue, other = tissue[box], other[box]
    tissue = _filled(tissue, scan.spacing)
    levels = np.array([0.0, *(_LEVELS[c.kind] for c in EIGHT_CLASSES)], np.float32)
    shape = new_shape(tissue.shape, scan.spacing, spacing)
    whole = _majority(_sulci_to_grey(tissue, scan.spacing), shape)
    inside = resample((tissue > 0).astype(np.float32), shape)
    picture = resample(levels[tissue], shape) / np.maximum(inside, 0.3)
    labels = set_partial_volume_apart(whole, [picture], spacing, scheme)
    around = resample(other, shape, order=0)
    skull = (labels == 0) & (around > 0)
    labels[skull] = EXTRACEREBRAL + around[skull] % _EXTRA
    image = np.where(labels > 0, picture, np.float32(OUTSIDE))
    return StoredCase(name, image[None].astype(np.float32), labels, ())


def _filled(tissue: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Gaps that belong to no class (vessels, unnamed voxels) take the nearest class."""
    away = ndimage.distance_transform_edt(tissue == 0, sampling=list(spacing))
    grown = away <= _CLOSING_MM
    closed = ndimage.distance_transform_edt(grown, sampling=list(spacing)) > _CLOSING_MM
    gaps = ndimage.binary_fill_holes(closed | (tissue > 0)) & (tissue == 0)
    nearest = ndimage.distance_transform_edt(
        tissue == 0, sampling=list(spacing), return_distances=False, return_indices=True
    )
    filled = tissue.copy()
    filled[gaps] = tissue[tuple(axis[gaps] for axis in nearest)]
    return filled


def _sulci_to_grey(tissue: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Fluid in narrow places, and within reach of it, as the grey matter next to it."""
    number = {c.name: i for i, c in enumerate(EIGHT_CLASSES, start=1)}
    fluid = tissue == number["outer_csf"]
    depth = ndimage.distance_transform_edt(fluid, sampling=list(spacing))
    core = depth > _NARROW_MM
    wide = ndimage.distance_transform_edt(~core, sampling=list(spacing)) <= _NARROW_MM
    grey = np.isin(tissue, [number["cortical_grey"], number["cerebellar_grey"]])
    away, nearest = ndimage.distance_transform_edt(
        ~grey, sampling=list(spacing), return_indices=True
    )
    narrow = fluid & ~wide & (away <= _NARROW_MM)
    joined = tissue.copy()
    joined[narrow] = tissue[tuple(axis[narrow] for axis in nearest)]
    return joined


def _majority(labels: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Each new voxel's most frequent class, air among them."""
    best = np.full(tuple(shape), -1.0, np.float32)
    named = np.zeros(tuple(shape), np.uint8)
    for k in range(int(labels.max()) + 1):
        share = resample((labels == k).astype(np.float32), shape)
        more = share > best
        best[more], named[more] = share[more], k
    return named
