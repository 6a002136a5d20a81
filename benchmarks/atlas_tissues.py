"""How good the atlas route's three tissues are, and what its overlap tells of wrong scans.

    DISANAT_TEST_DATA=../shared/data python benchmarks/atlas_tissues.py

Scans are masked as in preprocessing, without label maps; DLMUSE says which tissue is where.
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brain_masks import dice_of
from disanat.anatomy.atlas import LEAST_OVERLAP, atlas_overlap, atlas_tissues
from disanat.errors import ImageError, ImplausibleError
from disanat.home import atomic_path
from disanat.io.images import read_labels, read_scan
from disanat.preprocessing.brain_extractor import shipped_extractor
from disanat.preprocessing.brain_search import find_brain
from disanat.reporting.markdown import markdown_table
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, THREE_CLASSES, remap_labels
from steps import ROOT, commit, machine

PAGE = "benchmarks/atlas_tissues.md"
SCANS, TURNED = 20, 8
KINDS = ("csf", "grey", "white")
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
"""Other whole heads, for their overlap alone."""


@dataclass(frozen=True)
class Measurement:
    """One scan: overlap with the atlas, Dice of the three tissues (none if left out)."""

    case: str
    overlap: float
    dice: tuple[float, ...]
    turned: dict[str, float]
    seconds: float


def tissues_of(labels: np.ndarray) -> np.ndarray:
    """DLMUSE regions as the numbers of `THREE_CLASSES`: eight classes joined by their kind."""
    kinds = [0, *(1 + KINDS.index(c.kind) for c in EIGHT_CLASSES)]
    return np.array(kinds, np.uint8)[remap_labels(labels, NUMBERINGS["dlmuse"], EIGHT_CLASSES)]


def overlap_of(image: np.ndarray, spacing: Sequence[float], mask: np.ndarray) -> float:
    """Overlap with the atlas; 0 where it cannot be registered."""
    try:
        return atlas_overlap(image, spacing, mask)
    except ImageError:
        return 0.0


def measure_scan(path: Path, truth: np.ndarray, turned: bool) -> Measurement:
    """Tissues of one scan; of a few also the overlap when its axes are wrong."""
    scan = read_scan(path)
    brain = find_brain({0: scan}).mask
    start = time.perf_counter()
    try:
        found = atlas_tissues(scan.array, scan.spacing, brain)
        dice = tuple(dice_of(found == k, truth == k) for k in (1, 2, 3))
    except ImplausibleError:
        dice = ()
    seconds = time.perf_counter() - start
    overlaps = {}
    for name, turn in TURNS.items() if turned else ():
        image, mask = np.ascontiguousarray(turn(scan.array)), np.ascontiguousarray(turn(brain))
        spacing = scan.spacing  # the same along all axes
        overlaps[name] = overlap_of(image, spacing, mask)
    overlap = overlap_of(scan.array, scan.spacing, brain)
    case = path.name.removesuffix("_T1.nii.gz")
    print(case, f"{overlap:.3f}", *(f"{d:.3f}" for d in dice), overlaps, flush=True)
    return Measurement(case, overlap, dice, overlaps, seconds)


def measure_others(data: Path) -> dict[str, list[tuple[float, str]]]:
    """Overlap and name of every scan of the other sets."""
    found: dict[str, list[tuple[float, str]]] = {}
    for name, pattern in OTHERS.items():
        for path in sorted(data.glob(pattern)):
            scan = read_scan(path)
            overlap = overlap_of(scan.array, scan.spacing, find_brain({0: scan}).mask)
            found.setdefault(name, []).append((overlap, path.name.split(".")[0]))
            print(name, path.name, f"{overlap:.3f}", flush=True)
    return found


def _tissue_rows(found: Sequence[Measurement]) -> list[dict[str, str]]:
    used = [m for m in found if m.dice]
    rows = []
    for at, tissue in enumerate(THREE_CLASSES):
        dice = np.array([m.dice[at] for m in used])
        rows.append(
            {
                "class": tissue.name,
                "n": str(len(used)),
                "median": f"{np.median(dice):.3f}",
                "mean": f"{dice.mean():.3f}",
                "min": f"{dice.min():.3f} ({used[int(dice.argmin())].case})",
            }
        )
    return rows


def _overlap_rows(
    found: Sequence[Measurement], others: Mapping[str, Sequence[tuple[float, str]]]
) -> list[dict[str, str]]:
    groups = {"IXI T1": [(m.overlap, m.case) for m in found], **others}
    for name in TURNS:
        groups[f"IXI T1, {name}"] = [(m.turned[name], m.case) for m in found if name in m.turned]
    return [
        {
            "scans": name,
            "n": str(len(group)),
            "min": f"{min(group)[0]:.3f} ({min(group)[1]})",
            "median": f"{np.median([value for value, _ in group]):.3f}",
            "max": f"{max(group)[0]:.3f} ({max(group)[1]})",
            "left out": str(sum(value < LEAST_OVERLAP for value, _ in group)),
        }
        for name, group in groups.items()
    ]


def write_page(
    found: Sequence[Measurement], others: Mapping[str, Sequence[tuple[float, str]]]
) -> str:
    """Write the page, and return it."""
    description = shipped_extractor().description
    left_out = [m.case for m in found if not m.dice]
    lines = [
        "# Tissues by the atlas",
        "",
        "Written by `benchmarks/atlas_tissues.py`; not edited by hand. The three classes that",
        "training gets where a dataset brings no label maps, against DLMUSE, on raw IXI T1 scans.",
        "CSF: ventricles and outer fluid. Grey: cortex, deep and cerebellar grey. White: white",
        "matter of cerebrum and cerebellum, and brainstem. The brain mask is the extractor's;",
        "voxels that only one of the two calls brain count as errors.",
        "",
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
        f"- machine: {machine()}; {np.median([m.seconds for m in found]):.1f} s a scan (median, "
        "other work running)",
        f"- extractor: {description.trained_steps} training steps",
        f"- left out by the overlap: {', '.join(left_out) or 'none'}",
        "",
        markdown_table(_tissue_rows(found)),
        "",
        "## Overlap with the registered atlas",
        "",
        "Dice of the brain mask and the atlas' brain after registration. Preprocessing leaves out",
        f"a case below {LEAST_OVERLAP:.2f}. The turned scans are what a header with wrong axes",
        "makes of some of the same scans, with the mask of the scan as it is. In practice a wrong",
        "axis spoils the mask as well.",
        "",
        markdown_table(_overlap_rows(found, others)),
        "",
    ]
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    data = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    ixi = data / "ixi_t1_2mm"
    paths = sorted((ixi / "t1").glob("*_T1.nii.gz"))
    chosen = paths[:: max(1, len(paths) // SCANS)][:SCANS]
    turned = set(chosen[:: max(1, len(chosen) // TURNED)][:TURNED])
    found = []
    for path in chosen:
        labels = ixi / "dlmuse" / path.name.replace("_T1", "_DLMUSE")
        truth = tissues_of(read_labels(labels).array)
        found.append(measure_scan(path, truth, path in turned))
    print(write_page(found, measure_others(data)))


if __name__ == "__main__":
    main()
