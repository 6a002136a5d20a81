"""A simulated dataset that needs no data: healthy T1 to train, lesions of three contrasts to test.

The brains are the MNI152 atlas bent at random and rendered by signal equations
(`disanat.synthesis.brains`). Whoever reports numbers on them says that they are simulated.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from dataset_conversion.conversion import dataset_folder
from dataset_conversion.converter import Converter
from dataset_conversion.placing import write_mask
from disanat.home import Home, write_json
from disanat.io.images import Geometry, write_like
from disanat.locks import hold

if TYPE_CHECKING:
    from disanat.synthesis.brains import LesionKind, SimulatedBrain
    from disanat.synthesis.signal import Weighting

__all__ = ["CONVERTER", "TEST_CASES", "convert"]

DATASET_ID = 5
TRAINING_CASES = 16
SPACING_MM = 3.0
SEED = 2026
TEST_CASES: dict[str, tuple[Weighting, LesionKind]] = {
    "simT1_01": ("t1_prepared", "medium"),
    "simT1_02": ("t1_prepared", "large"),
    "simT2_01": ("t2", "small"),
    "simT2_02": ("t2", "large"),
    "simFLAIR_01": ("flair", "small"),
    "simFLAIR_02": ("flair", "medium"),
}
NAME = "Simulated"
LICENCE = "made from the MNI152 template that nilearn ships"
SOURCE = "simulated by disanat from tissue maps and signal equations; no real patient"


def _geometry(brain: SimulatedBrain) -> Geometry:
    """A plain grid in the file's axes x, y, z, with the patient's own directions (LPS)."""
    size = tuple(int(n) for n in brain.mask.shape[::-1])
    spacing = tuple(float(s) for s in brain.spacing[::-1])
    origin = tuple(-(n - 1) * s / 2 for n, s in zip(size, spacing))
    return Geometry(size, spacing, origin, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def convert(
    home: Home,
    dataset_id: int = DATASET_ID,
    training_cases: int = TRAINING_CASES,
    spacing_mm: float = SPACING_MM,
) -> Path:
    """Write the dataset `Simulated`; the same bytes each time. Returns its folder.

    Test cases have one contrast each, stored as channel 0: one network serves every contrast.

    Raises:
        DatasetError: the number is taken by another dataset.
    """
    folder = dataset_folder(home, dataset_id, NAME)
    with hold(folder, "simulating"):
        _write_cases(folder, training_cases, spacing_mm)
        declared = {
            "name": NAME,
            "channel_names": {"0": "T1"},
            "simulated": True,
            "licence": LICENCE,
            "source": SOURCE,
        }
        write_json(declared, folder / "dataset.json")
    return folder


def _write_cases(folder: Path, training_cases: int, spacing_mm: float) -> None:
    from disanat.synthesis.brains import render_scan, simulate_brain  # --help must be quick

    names = [f"sim_{i:03d}" for i in range(1, training_cases + 1)]
    streams = np.random.SeedSequence(SEED).spawn(len(names) + len(TEST_CASES))
    bar = tqdm([*names, *TEST_CASES], desc=folder.name, unit="case", disable=None)
    for name, stream in zip(bar, streams):
        rng = np.random.default_rng(stream)
        if name in TEST_CASES:
            _write_test_case(folder, name, rng, spacing_mm)
        else:
            brain = simulate_brain(rng, spacing_mm)
            scan = render_scan(rng, brain, "t1_prepared")
            write_like(scan, _geometry(brain), folder / "imagesTr" / f"{name}_0000.nii.gz")


def _write_test_case(folder: Path, name: str, rng: np.random.Generator, spacing_mm: float) -> None:
    from disanat.synthesis.brains import render_scan, simulate_brain, simulate_lesions

    weighting, kind = TEST_CASES[name]
    brain = simulate_brain(rng, spacing_mm)
    lesion = simulate_lesions(rng, brain, kind)
    scan = render_scan(rng, brain, weighting, lesion)
    grid = _geometry(brain)
    write_like(scan, grid, folder / "imagesTs" / f"{name}_0000.nii.gz")
    write_mask(lesion.share >= 0.5, grid, folder / "labelsTs" / f"{name}.nii.gz")


def _write(_source: Path, home: Home, dataset_id: int, _link: bool) -> Path:
    return convert(home, dataset_id)


CONVERTER = Converter(
    name="simulated",
    title="simulated brains (no source needed)",
    dataset=NAME,
    number=DATASET_ID,
    split="Tr",
    licence=LICENCE,
    source=SOURCE,
    site="nowhere: disanat makes it",
    expects=("nothing",),
    channels=("T1",),
    needs_source=False,
    write=_write,
)
