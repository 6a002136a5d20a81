"""How good the atlas' three tissues are by each route of registration, and which scans are refused.

    DISANAT_TEST_DATA=../shared/data python benchmarks/atlas_tissues.py

Scans are masked and cropped as in preprocessing, without label maps; DLMUSE says which tissue is
where. None of these people trained the encoder that ships.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from atlas_tissues_page import Fit, Group, Measurement, write_page
from brain_masks import dice_of
from disanat.anatomy.atlas import atlas_fit, atlas_tissues
from disanat.anatomy.atlas_by_anatomy import Anatomies
from disanat.errors import ImageError
from disanat.inference.anatomy import EncoderAnatomies, EncoderTissues
from disanat.inference.bundled import bundled_folder
from disanat.io.images import read_labels, read_scan
from disanat.plans import ATLAS_ROUTES, AtlasRoute, Triple
from disanat.preprocessing.brain_mask import brain_box
from disanat.preprocessing.brain_search import find_brain
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, remap_labels
from disanat.training.splits import split_cases
from steps import ROOT

KINDS = ("csf", "grey", "white")
MARGIN_MM = 20.0
WAYS: dict[str, tuple[AtlasRoute, bool]] = {
    "intensity": ("intensity", False),
    "both, affine alone": ("both", False),
    "anatomy, affine alone": ("anatomy", False),
    "both": ("both", True),
    "anatomy": ("anatomy", True),
}
"""Route, and whether it ends densely."""
ENCODER = "(the encoder itself)"
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "upside down": lambda x: x[::-1],
    "back to front": lambda x: x[:, ::-1],
    "top and left exchanged": lambda x: x.transpose(2, 1, 0),
}
"""What a header that names the wrong axes does to a scan."""
OTHERS = {
    "elderly T1": "elderly_t1_flair/t1/*.nii.gz",
    "elderly FLAIR": "elderly_t1_flair/fl/*.nii.gz",
    "LGG FLAIR": "lgg/*/*_flair.nii.gz",
}
"""Other whole heads, for their fit alone."""


@dataclass(frozen=True)
class Head:
    """A scan cropped to its brain, as it goes into the atlas route."""

    array: np.ndarray
    brain: np.ndarray
    spacing: Triple
    box: tuple[slice, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Head:
        scan = read_scan(path)
        brain = find_brain({0: scan}).mask
        box = brain_box(brain, scan.spacing, MARGIN_MM)
        return cls(scan.array[box], brain[box], scan.spacing, box)

    def turned(self, turn: Callable[[np.ndarray], np.ndarray]) -> Head:
        """By one that changes no voxel size: these are the same along all axes."""
        array, brain = (np.ascontiguousarray(turn(one)) for one in (self.array, self.brain))
        return Head(array, brain, self.spacing)

    @cached_property
    def sight(self) -> tuple[Anatomies, float]:
        """The tissues of scan and atlas, and how long the scan's took."""
        began = time.process_time()
        return EncoderAnatomies(bundled_folder())([self.array], self.brain, self.spacing), (
            time.process_time() - began
        )

    def fits(self) -> dict[str, Fit]:
        """By route."""
        found = {}
        for route in ATLAS_ROUTES:
            anatomies = None if route == "intensity" else self.sight[0]
            fit = atlas_fit(self.array, self.spacing, self.brain, route, anatomies)
            found[route] = Fit(fit.overlap, fit.agreement, bool(fit.refused))
        return found


def tissues_of(labels: np.ndarray) -> np.ndarray:
    """DLMUSE regions as the numbers of `THREE_CLASSES`."""
    return joined(remap_labels(labels, NUMBERINGS["dlmuse"], EIGHT_CLASSES))


def joined(eight: np.ndarray) -> np.ndarray:
    """Eight classes by their kind."""
    return np.array([0, *(1 + KINDS.index(c.kind) for c in EIGHT_CLASSES)], np.uint8)[eight]


def measure_scan(case: str, head: Head, truth: np.ndarray) -> list[Measurement]:
    """Tissues of one scan, by each way."""
    rows = []

    def add(way: str, found: np.ndarray | None, seconds: float) -> None:
        dice = () if found is None else tuple(dice_of(found == k, truth == k) for k in (1, 2, 3))
        rows.append(Measurement(case, way, dice, seconds))
        print(case, way, *(f"{d:.3f}" for d in dice), f"{seconds:.1f} s", flush=True)

    seen_s = head.sight[1]
    for way, (route, dense) in WAYS.items():
        anatomies = None if route == "intensity" else head.sight[0]
        began = time.process_time()
        try:
            found = atlas_tissues(head.array, head.spacing, head.brain, route, anatomies, dense)
        except ImageError:
            found = None
        spent = time.process_time() - began
        add(way, found, spent if route == "intensity" else spent + seen_s)
    began = time.process_time()
    named = joined(EncoderTissues(bundled_folder())([head.array], head.brain, head.spacing))
    add(ENCODER, np.where(head.brain & (named == 0), 1, named), time.process_time() - began)
    return rows


def measure_fits(
    heads: Mapping[str, Head], data: Path, turned: int, others: int
) -> Iterator[dict[str, list[Group]]]:
    """How well the atlas fits, by group of scans; all that is known after each group."""
    known: dict[str, list[Group]] = {}

    def groups() -> Iterator[tuple[str, Iterator[tuple[str, Head]]]]:
        yield "IXI T1", iter(heads.items())
        some = list(heads)[:turned]
        for name, turn in TURNS.items():
            yield f"IXI T1, {name}", ((case, heads[case].turned(turn)) for case in some)
        for name, pattern in OTHERS.items():
            paths = sorted(data.glob(pattern))[:others]
            yield name, ((path.name.split(".")[0], Head.read(path)) for path in paths)

    for name, scans in groups():
        for case, head in scans:
            fits = head.fits()
            known.setdefault(name, []).append((case, fits))
            print(name, case, *(f"{r} {f}" for r, f in fits.items()), flush=True)
        yield known


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scans", type=int, default=16, help="of people unknown to the encoder")
    parser.add_argument("--turned", type=int, default=8, help="of these, turned as well")
    parser.add_argument("--others", type=int, default=12, help="scans of each other set")
    args = parser.parse_args()
    data = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # seconds are of one core
    ixi = data / "ixi_t1_2mm"
    paths = {p.name.removesuffix("_T1.nii.gz"): p for p in sorted((ixi / "t1").glob("*.nii.gz"))}
    split = split_cases(list(paths), 0)  # the shipped model's: fold 0
    rows, heads = [], {}
    for case in (*split.reference, *split.threshold)[: args.scans]:
        heads[case] = Head.read(paths[case])
        labels = read_labels(ixi / "dlmuse" / f"{case}_DLMUSE.nii.gz")
        rows += measure_scan(case, heads[case], tissues_of(labels.array)[heads[case].box])
    for groups in measure_fits(heads, data, args.turned, args.others):
        page = write_page(rows, groups, list(WAYS), ENCODER)
    print(page)


if __name__ == "__main__":
    main()
