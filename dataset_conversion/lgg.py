"""TCGA-LGG: lower-grade glioma, skull in, by Buda et al. (2019).

Layouts:
- as on Kaggle (mateuszbuda/lgg-mri-segmentation): a .tif for each slice,
  `kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif`, whose three colours are T1, FLAIR
  and T1 with contrast agent, and its mask `..._1_mask.tif`. The set's description says that a
  contrast which a patient lacks is filled with FLAIR: such a copy is left out. The files state no
  voxel size; 0.86 mm in the slice and 7 mm from slice to slice are assumed, and that slice 1 is the
  lowest.
- stacked: `CASE/CASE_flair.nii.gz`, `_pre`, `_post`, `_mask`.

A contrast that is absent or constant is left out too, with a line in the log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from dataset_conversion.common import find_file, find_optional, nothing_found, walk_folders
from dataset_conversion.converter import Converter, Found, Made, Request, Subject
from disanat.errors import ImageError
from disanat.io.images import is_constant

__all__ = ["CONVERTER"]

_log = logging.getLogger(__name__)
_STACKED = {"FLAIR": "flair", "T1": "pre", "T1c": "post"}
_COLOURS = {"T1": 0, "FLAIR": 1, "T1c": 2}
_SLICE = re.compile(r".*_(\d+)\.tif")
_SPACING_MM = (0.86, 0.86, 7.0)


def _usable_channels(folder: Path, wanted: Sequence[str]) -> dict[str, Path | Made]:
    channels: dict[str, Path | Made] = {}
    for name in wanted:
        path = find_optional(folder, f"{folder.name}_{_STACKED[name]}.nii*")
        if path is None:
            _log.warning("%s has no %s scan: the channel is left out", folder, _STACKED[name])
        elif is_constant(path):
            _log.warning("%s is constant: the channel is left out", path)
        else:
            channels[name] = path
    return channels


def _stacked(folder: Path, request: Request) -> Subject:
    mask = find_file(folder, f"{folder.name}_mask.nii*", f"tumour mask of {folder.name}")
    return Subject(folder.name, _usable_channels(folder, request.channels), {"labelsTs": mask})


def _slices(folder: Path) -> list[Path]:
    """The files of all slices, in their order; masks are called otherwise."""
    numbered = {int(m[1]): p for p in folder.iterdir() if (m := _SLICE.fullmatch(p.name))}
    return [numbered[number] for number in sorted(numbered)]


def _colours(paths: Sequence[Path]) -> np.ndarray:
    """Slices as one array: slice, row, column, and colour if they have colours."""
    try:
        arrays = [sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in paths]
        return np.stack(arrays)
    except (RuntimeError, ValueError) as cause:
        raise ImageError(
            f"{paths[0].parent} holds slices that cannot be read, or are of different sizes: "
            "unpack the download again."
        ) from cause


def _volume(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(_SPACING_MM)
    return image


def _channel(paths: Sequence[Path], colour: int) -> sitk.Image:
    return _volume(_colours(paths)[..., colour])


def _mask(paths: Sequence[Path]) -> sitk.Image:
    return _volume((_colours(paths) > 0).astype(np.uint8))


def _absent(colours: np.ndarray, name: str) -> str:
    """Why a contrast is not there; empty where it is."""
    array = colours[..., _COLOURS[name]]
    if array.min() == array.max():
        return "is constant"
    if name != "FLAIR" and np.array_equal(array, colours[..., _COLOURS["FLAIR"]]):
        return "is a copy of FLAIR"
    return ""


def _tiffs(folder: Path, request: Request) -> Subject:
    paths = _slices(folder)
    masks = [path.with_name(f"{path.stem}_mask.tif") for path in paths]
    missing = [path for path in masks if not path.is_file()]
    if missing:
        raise nothing_found(folder, f"file {missing[0].name} (mask of a slice)")
    colours = _colours(paths)
    if colours.ndim != 4:
        raise ImageError(f"{paths[0]} is no colour picture: unpack the download again.")
    channels: dict[str, Path | Made] = {}
    for name in request.channels:
        why = _absent(colours, name)
        if why:
            _log.warning("%s: %s %s and is left out", folder.name, name, why)
        else:
            channels[name] = Made(tuple(paths), partial(_channel, paths, _COLOURS[name]))
    labels: Mapping[str, Made] = {"labelsTs": Made(tuple(masks), partial(_mask, masks))}
    return Subject(folder.name, channels, labels)


def _find(request: Request) -> Found:
    folders = walk_folders(request.source, r"TCGA_\w+")
    if not folders:
        raise nothing_found(request.source, "folder TCGA_* (TCGA-LGG patients)")
    return Found([(_tiffs if _slices(f) else _stacked)(f, request) for f in folders])


CONVERTER = Converter(
    name="lgg",
    title="lower-grade glioma, skull in",
    dataset="LGG",
    number=106,
    split="Ts",
    licence="none stated",
    source="TCGA-LGG slices (Buda et al., 2019), stacked; the spacing is approximate",
    site="kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation",
    expects=(
        "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif and ..._1_mask.tif",
        "TCGA_CS_4942_19970222/TCGA_CS_4942_19970222_flair.nii.gz, ..._pre, ..._post, ..._mask",
    ),
    channels=("FLAIR", "T1", "T1c"),
    find=_find,
)
