"""What `speed.py` measures on: stripped scans for training and preprocessing, volumes to predict.

Real scans from DISANAT_TEST_DATA where that is, else simulated brains; everything is written below
`build/speed`, in disanat's layout and in nnU-Net's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.home import write_json
from disanat.io.images import Geometry, read_labels, read_scan, write_like
from disanat.preprocessing.resampling import new_shape, resample
from disanat.synthesis.brains import render_scan, simulate_brain
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, remap_labels
from steps import ROOT

__all__ = [
    "CASES",
    "DATASET",
    "GIVEN_MM",
    "NUMBER",
    "QUICK",
    "VOLUMES",
    "WORK",
    "dataset",
    "described",
    "volumes",
]

QUICK = "--quick" in sys.argv
"""Few and coarse scans, to see that every part runs: its figures say nothing."""
WORK = ROOT / "build" / ("speed_quick" if QUICK else "speed")
NUMBER = "901"
DATASET = f"Dataset{NUMBER}_Speed"
CASES = 5 if QUICK else 24
GIVEN_MM = 1.6
VOLUMES = {"2 mm": 2.0} if QUICK else {"1 mm": 1.0, "2 mm": 2.0}
_NAMES = [tissue.name for tissue in EIGHT_CLASSES]
_CONTRASTS = ("flair", "t1", "t1ce", "t2")


def _real() -> Path | None:
    folder = Path(os.environ.get("DISANAT_TEST_DATA", ROOT.parent / "shared" / "data"))
    return folder if (folder / "ixi_t1_2mm").is_dir() else None


def described() -> str:
    """Which scans these are, for the page."""
    if _real() is None:
        return "**simulated** brains, for there are no real scans at DISANAT_TEST_DATA"
    return "IXI T1 scans, stripped by their label maps, and a patient of BraTS 2021"


def _grid(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Geometry:
    size, mm = shape[::-1], spacing[::-1]
    return Geometry(size, mm, (0.0,) * 3, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def _healthy() -> Iterator[tuple[np.ndarray, np.ndarray, tuple[float, ...]]]:
    """Stripped scans with the tissue classes of their voxels."""
    real = _real()
    for number in range(CASES):
        if real is None:
            rng = np.random.default_rng(number)
            brain = simulate_brain(rng, 2.0)
            classes = np.array([1, 3, 4])[brain.maps.argmax(0)] * brain.mask
            yield render_scan(rng, brain, "t1_prepared"), classes, (2.0,) * 3
            continue
        scans = sorted((real / "ixi_t1_2mm" / "t1").iterdir())
        scan = read_scan(scans[number])
        name = scans[number].name.split("_")[0]
        maps = read_labels(real / "ixi_t1_2mm" / "dlmuse" / f"{name}_DLMUSE.nii.gz").array
        classes = remap_labels(maps, NUMBERINGS["dlmuse"], EIGHT_CLASSES)
        yield np.where(maps > 0, scan.array, 0), classes, scan.spacing


def dataset() -> tuple[Path, Path]:
    """The training set for both: disanat's home folder and nnU-Net's base folder."""
    home, base = WORK / "home", WORK / "nnunet"
    ours, theirs = home / "raw" / DATASET, base / "raw" / DATASET
    if (theirs / "dataset.json").exists():
        return home, base
    for number, (image, classes, spacing) in enumerate(_healthy()):
        shape = new_shape(image.shape, spacing, (GIVEN_MM,) * 3)
        grid = _grid(shape, (GIVEN_MM,) * 3)
        name = f"case_{number:03d}"
        seen = resample(classes.astype(np.uint8), shape, 0)
        scan = np.where(seen > 0, resample(image, shape), 0).astype(np.float32)
        for folder in (ours, theirs):
            write_like(scan, grid, folder / "imagesTr" / f"{name}_0000.nii.gz")
        write_like(seen, grid, ours / "priorsTr" / f"{name}.nii.gz")
        write_like(seen, grid, theirs / "labelsTr" / f"{name}.nii.gz")
    mapping = {name: [k] for k, name in enumerate(_NAMES, start=1)}
    write_json(
        {"name": "Speed", "channel_names": {"0": "T1"}, "prior": {"classes": mapping}},
        ours / "dataset.json",
    )
    labels = {"background": 0} | {name: k for k, name in enumerate(_NAMES, start=1)}
    write_json(
        {
            "channel_names": {"0": "T1"},
            "labels": labels,
            "numTraining": CASES,
            "file_ending": ".nii.gz",
        },
        theirs / "dataset.json",
    )
    return home, base


def _patient() -> list[sitk.Image]:
    """Four contrasts of one stripped brain with 1 mm voxels."""
    real = _real()
    if real is not None:
        files = [next((real / "brats2021").rglob(f"*_{c}.nii.gz")) for c in _CONTRASTS]
        return [sitk.ReadImage(str(path)) for path in files]
    rng = np.random.default_rng(0)
    brain = simulate_brain(rng, 1.0)
    found = []
    for weighting in ("flair", "t1", "t1_prepared", "t2"):
        image = sitk.GetImageFromArray(render_scan(rng, brain, weighting))
        image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, 1))
        found.append(image)
    return found


def volumes(mm: float, channels: int, cases: int) -> Path:
    """A folder with so many copies of one patient's volume."""
    folder = WORK / "scans" / f"{mm:g}mm_{channels}ch_{cases}"
    if folder.is_dir():
        return folder
    for channel, image in enumerate(_patient()[:channels]):
        if mm != 1.0:
            size = [round(n * s / mm) for n, s in zip(image.GetSize(), image.GetSpacing())]
            image = sitk.Resample(
                sitk.Cast(image, sitk.sitkFloat32),
                size,
                sitk.Transform(),
                sitk.sitkLinear,
                image.GetOrigin(),
                [mm] * 3,
                image.GetDirection(),
            )
        for case in range(cases):
            target = folder / f"case{case}_{channel:04d}.nii.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(image, str(target), True)
    return folder
