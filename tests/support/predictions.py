"""What tests read back from folders of predictions."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from disanat.home import BOOKS

ENDINGS = ("", "_anomaly", "_brainmask", "_0000_phi", "_anatomy", "_edges")


def table(folder: Path) -> dict[str, dict[str, str]]:
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as handle:
        return {row["case"]: row for row in csv.DictReader(handle)}


def canonical(path: Path) -> np.ndarray:
    """Axes S, P, L, by SimpleITK alone."""
    return sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS"))


def names(folder: Path) -> set[str]:
    """All files in a folder but disanat's own books, in which nothing is half written."""
    files = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    books = [p for p in files if p.parts[0] == BOOKS]
    assert not [p for p in books if ".tmp." in p.name]
    return {str(p) for p in files if p not in books}


def home_flags(home: Path) -> tuple[Any, ...]:
    return ("--home", home, "--device", "cpu")
