"""What the header of an image claims about the voxels that follow it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

__all__ = ["Claim", "HeaderError"]


class HeaderError(Exception):
    """Why a header cannot be true, in words that follow the file's name."""


@dataclass(frozen=True)
class Claim:
    """Size, kind and place of the voxels.

    `compression` is `gzip`, `zlib` or empty; `data_file` the file with the voxels where they are
    not in the header's own; `stored_bytes` what the voxels take in the file, where it is stated;
    `tagged` whether other things may follow the voxels.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    compression: str = ""
    data_file: Path | None = None
    stored_bytes: int | None = None
    tagged: bool = False

    @property
    def voxels(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.voxels * self.dtype.itemsize
