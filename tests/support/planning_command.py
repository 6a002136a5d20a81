"""The command that plans, and the scans that its tests give it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from planning import cli

SHAPE = (24, 26, 25)


def write(path: Path, seed: int = 0, spacing: float = 5.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros(SHAPE, np.float32)
    inner = array[4:20, 4:22, 4:21]
    inner[:] = np.random.default_rng(seed).uniform(50, 150, inner.shape)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((spacing, spacing, spacing))
    sitk.WriteImage(image, str(path))


def run(home: Path, *flags: str) -> int:
    return cli.main(["--home", str(home), "-np", "0", *flags])
