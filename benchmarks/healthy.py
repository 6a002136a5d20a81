"""What a model calls anomalous in healthy scans: the promise of its thresholds, kept or broken.

    python benchmarks/healthy.py [-m MODEL]        -> benchmarks/healthy.md

Whole scans as they come, through the whole pipeline, brain search included.
"""

from __future__ import annotations

import argparse
import datetime
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.errors import ModelError
from disanat.home import atomic_path, read_json, resolve_home
from disanat.inference.find import find_model
from disanat.inference.model import DESCRIPTION, REMEDY
from disanat.inference.predictor import Predictor
from disanat.networks.precision import default_device
from disanat.reporting.markdown import markdown_table
from disanat.scoring.calibration import FALSE_POSITIVES
from steps import ROOT, commit, machine

PAGE = "benchmarks/healthy.md"
INTRO = """\
Written by `benchmarks/healthy.py`; not edited by hand. Voxels of the brain at or above
the thresholds that 1% and 5% of healthy voxels reach in the calibration, and what the
default threshold marks. Whole scans through the whole pipeline. IXI: cases that neither
trained nor calibrated. The elderly (69 to 96 years) have white-matter lesions of their
own, so theirs are no pure false positives."""
KIRBY = {"T1": "MPRAGE", "T2": "T2w", "FLAIR": "FLAIR"}


@dataclass(frozen=True)
class Measured:
    """One healthy scan: shares of its brain above the thresholds, and what else is said of it."""

    group: str
    shares: dict[str, float]
    marked_ml: float
    p: float
    flags: tuple[str, ...]


def scans(data: Path, held_out: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Group and file of every scan."""
    for name in held_out:
        yield "IXI T1, held out", data / "ixi_t1_2mm" / "t1" / f"{name}_T1.nii.gz"
    for contrast, infix in KIRBY.items():
        yield f"Kirby21 {contrast}", next((data / "kirby21").glob(f"*{infix}*.nii.gz"))
    for contrast, folder in (("T1", "t1"), ("FLAIR", "fl")):
        for path in sorted((data / "elderly_t1_flair" / folder).glob("*.nii.gz")):
            yield f"elderly {contrast}", path


def measure(predictor: Predictor, group: str, path: Path) -> Measured:
    """Predict one scan and count."""
    made = predictor.predict(path)
    inside = made.anomaly[made.brain]
    calibration, contrasts = predictor.model.calibration, tuple(made.contrasts.values())
    limits = {name: calibration.mask_rule(name, contrasts).threshold for name in FALSE_POSITIVES}
    shares = {name: float(np.mean(inside >= limit)) for name, limit in limits.items()}
    p = made.case_p.value if made.case_p else float("nan")
    return Measured(group, shares, made.lesion_ml, p, made.flags)


def _row(group: Sequence[Measured]) -> dict[str, str]:
    cells = {"scans": group[0].group, "n": str(len(group))}
    for name in FALSE_POSITIVES:
        values = [m.shares[name] for m in group]
        cells[f"above {name}: median"] = f"{np.median(values):.1%}"
        cells[f"above {name}: range"] = f"{min(values):.1%} to {max(values):.1%}"
    return cells | {
        "marked by default, mL: median": f"{np.median([m.marked_ml for m in group]):.2f}",
        "most": f"{max(m.marked_ml for m in group):.2f}",
        "case p: median": f"{np.median([m.p for m in group]):.2f}",
        "flagged": str(sum(bool(m.flags) for m in group)),
    }


def write_page(model: str, found: Sequence[Measured]) -> str:
    """Write the page, and return it."""
    groups: dict[str, list[Measured]] = {}
    for one in found:
        groups.setdefault(one.group, []).append(one)
    page = "\n".join(
        [
            "# Healthy scans",
            "",
            INTRO,
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}",
            f"- model: {model}",
            "",
            markdown_table([_row(group) for group in groups.values()]),
            "",
        ]
    )
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-m", "--model", default="dal", help="folder (default: the last dal model)")
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    args = parser.parse_args()
    data = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    folder = find_model(resolve_home(args.home), args.model)
    facts = read_json(folder / DESCRIPTION, ModelError, REMEDY)["facts"]
    if "validation_cases" not in facts:
        parser.error(f"{folder} does not name its held-out cases: name a trained model with -m.")
    predictor = Predictor.from_folder(folder, default_device())
    chosen = list(scans(data, facts["validation_cases"]))
    found = [measure(predictor, group, path) for group, path in tqdm(chosen, disable=None)]
    plans = predictor.model.plans
    print(write_page(f"{predictor.model.method.name} on {plans.dataset}, {folder.name}", found))


if __name__ == "__main__":
    main()
