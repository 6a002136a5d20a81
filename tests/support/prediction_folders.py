"""Small folders of predictions with their scans and expert masks, without any model."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mini_brains import make_brain, write_volume

COLUMNS = ("case", "status", "channels", "lesion_volume_ml", "case_score", "case_p", "flags")
LESION_COLUMNS = ("case", "number", "volume_ml", "x_mm", "y_mm", "z_mm", "region", "peak", "mean")


@dataclass(frozen=True)
class PredictionFolder:
    """Folders of one set; prediction.json says nothing of where the scans lie."""

    predictions: Path
    scans: Path
    labels: Path


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([columns, *rows])


def write_predictions(
    root: Path,
    names: Sequence[str],
    failed: Sequence[tuple[str, str]] = (),
    two_channels: Sequence[str] = (),
) -> PredictionFolder:
    """Predictions of miniature brains: case scores 1, 2, ... in the order of the names.

    Args:
        root: folder for the three folders.
        names: of the cases; the last is flagged.
        failed: names and messages of cases without images.
        two_channels: names of cases that have a FLAIR as channel 1.
    """
    made = PredictionFolder(root / "out", root / "scans", root / "labels")
    rows: list[tuple[object, ...]] = []
    for number, name in enumerate(names, start=1):
        brain = make_brain(number, lesion=True)
        inside = brain.labels > 0
        lesion = brain.lesion.astype(np.uint8)
        for ending, array in {
            "": lesion,
            "_anomaly": (brain.lesion * 4.0 + inside * 0.5).astype(np.float32),
            "_brainmask": inside.astype(np.uint8),
            "_0000_phi": make_brain(number).image,
        }.items():
            write_volume(made.predictions / f"{name}{ending}.nii.gz", array)
        write_volume(made.scans / f"{name}_0000.nii.gz", brain.image)
        if name in two_channels:
            flair = make_brain(number, "flair", lesion=True).image
            write_volume(made.scans / f"{name}_0001.nii.gz", flair)
            healthy = make_brain(number, "flair").image
            write_volume(made.predictions / f"{name}_0001_phi.nii.gz", healthy)
        write_volume(made.labels / f"{name}.nii.gz", lesion)
        flags = "unlike_training:noise" if number == len(names) else ""
        channels = "0 1" if name in two_channels else "0"
        rows.append((name, "ok", channels, number / 2, float(number), 0.5 / number, flags, ""))
    rows += [(name, "failed", "", "", "", "", "", message) for name, message in failed]
    write_table(made.predictions / "predictions.csv", (*COLUMNS, "message"), rows)
    facts = {"threshold": 2.0, "method": "dal"}
    (made.predictions / "prediction.json").write_text(json.dumps(facts))
    return made
