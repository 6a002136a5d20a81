"""All converters by name. A new set is a module with a `CONVERTER`, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from dataset_conversion import (
    atlas2,
    bids,
    brats,
    camcan,
    hcp,
    isbi2015,
    isles2022,
    ixi,
    label_maps,
    lgg,
    mslesseg,
    mslub,
    msseg2016,
    oasis1,
    oasis3,
    pattern,
    simulated,
    upenn_gbm,
    wmh2017,
)
from dataset_conversion.converter import Converter
from disanat.errors import DatasetError

__all__ = ["CONVERTERS", "GROUPS", "get_converter"]

_HEALTHY = (ixi, oasis1, oasis3, camcan, hcp)
_LESIONS = (lgg, upenn_gbm, mslub, mslesseg, isbi2015, msseg2016, atlas2, wmh2017, isles2022)
_ANY = (bids, pattern)
_OTHER = (label_maps, simulated)

GROUPS: Mapping[str, tuple[Converter, ...]] = {
    "healthy, to train on": tuple(module.CONVERTER for module in _HEALTHY),
    "with lesions, to test on": (
        *brats.CONVERTERS,
        *(module.CONVERTER for module in _LESIONS),
    ),
    "any other set": tuple(module.CONVERTER for module in _ANY),
    "without a set of scans": tuple(module.CONVERTER for module in _OTHER),
}
CONVERTERS: Mapping[str, Converter] = {
    converter.name: converter for group in GROUPS.values() for converter in group
}


def get_converter(name: str) -> Converter:
    """The converter of this name.

    Raises:
        DatasetError: there is none.
    """
    if name not in CONVERTERS:
        raise DatasetError(f"There is no converter '{name}': use one of {', '.join(CONVERTERS)}.")
    return CONVERTERS[name]
