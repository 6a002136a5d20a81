"""What the parts of the registration benchmark share: data, encoder, sets of aligned channels."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from contrast_shifts import SHIFTS
from disanat.inference.model import Model
from registration_cases import Seen, with_array

__all__ = ["ALIGNED", "Bench", "Row"]

Row = dict[str, Any]
ALIGNED = {
    "Kirby21": ("kirby21/113-02-MPRAGE_processed_reg.nii.gz",
                {"FLAIR": "kirby21/113-02-FLAIR_processed_reg.nii.gz",
                 "T2": "kirby21/113-02-T2w_processed_reg.nii.gz"}),
    "BraTS2021": ("brats2021/BraTS2021_00006/BraTS2021_00006_flair.nii.gz",
                  {n: f"brats2021/BraTS2021_00006/BraTS2021_00006_{f}.nii.gz"
                   for n, f in (("T1", "t1"), ("T1c", "t1ce"), ("T2", "t2"))}),
    "MSLesSeg": ("mslesseg/P14_T2_FLAIR.nii.gz",
                 {n: f"mslesseg/P14_T2_{n}.nii.gz" for n in ("T1", "T2")}),
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """The data, the encoder, and how many cases of each kind are measured."""

    ixi: Path
    data: Path
    encoder: Model
    bound_cases: tuple[str, ...]
    cases: tuple[str, ...]
    args: argparse.Namespace
    scans: dict[str, Seen] = field(default_factory=dict)

    def person(self, name: str) -> Seen:
        if name not in self.scans:
            path = self.ixi / "imagesTr" / f"{name}_0000.nii.gz"
            self.scans[name] = Seen.read(path, self.encoder)
        return self.scans[name]

    def kept(self, path: str) -> Seen:
        """A scan of the data, read once."""
        if path not in self.scans:
            self.scans[path] = Seen.read(self.data / path, self.encoder)
        return self.scans[path]

    def changed(self, name: str, change: str, rng: np.random.Generator) -> Seen:
        """A scan whose contrast was changed in the brain and around it alike."""
        seen = self.person(name)
        if change == "none":
            return seen
        array = seen.scan.array
        whole = SHIFTS[change](rng, array, array > np.percentile(array, 40), seen.scan.spacing)
        return Seen(with_array(seen.scan, whole), self.encoder)
