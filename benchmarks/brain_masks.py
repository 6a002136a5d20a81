"""How good the brain masks are: Dice on healthy scans, pictures of all other sets with a skull."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from disanat.anatomy.atlas_brain import atlas_brain_mask
from disanat.errors import ImageError
from disanat.home import atomic_path
from disanat.io.images import Scan, read_labels, read_scan
from disanat.preprocessing.brain_extractor import shipped_extractor
from disanat.preprocessing.brain_mask import close_mask
from disanat.reporting.markdown import markdown_table
from steps import ROOT, commit, machine

__all__ = ["CLOSING_MM", "dice_of", "measure"]

PAGE = "benchmarks/brain_masks.md"
PANELS = ROOT / "real_home" / "brain_extractor" / "panels"
CLOSING_MM = 6.0
SETS = {
    "IXI": ("ixi_t1_2mm/t1", "ixi_t1_2mm/dlmuse", "_T1", "_DLMUSE"),
    "elderly": ("elderly_t1_flair/t1", "elderly_t1_flair/dlmuse_seg", "_T1", "_T1_DLMUSE"),
}
"""Folder of scans, folder of label maps, and how their names end."""
PICTURES = {
    "lgg": "lgg/*/*_{}.nii.gz",
    "isbi2015": "isbi2015/*/*_{}.nii.gz",
    "elderly": "elderly_t1_flair/fl/*{}.nii.gz",
    "kirby21": "kirby21/*{}*.nii.gz",
}
CONTRASTS = {
    "lgg": ("flair", "pre", "post"),
    "isbi2015": ("flair",),
    "elderly": ("FL",),
    "kirby21": ("MPRAGE", "T2w", "FLAIR"),
}


def _power(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(x: np.ndarray) -> np.ndarray:
        low, high = float(x.min()), float(x.max())
        return np.asarray(((x - low) / (high - low)) ** exponent, np.float32)

    return change


LOOKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda x: x,
    "inverted": lambda x: x.max() - x,
    "gamma 0.5": _power(0.5),
    "gamma 2": _power(2.0),
}


@dataclass(frozen=True)
class Measurement:
    """Dice (and seconds) of one way to find the brain, on one scan in one look."""

    dataset: str
    case: str
    look: str
    way: str
    dice: float
    seconds: float
    volume_ratio: float


def dice_of(mask: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks; 1 where both are empty."""
    total = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def _judge(dataset: str, case: str, look: str, way: str, scan: Scan, truth: np.ndarray,
           find: Callable[[np.ndarray], np.ndarray]) -> Measurement:  # fmt: skip
    image = LOOKS[look](scan.array)
    start = time.perf_counter()
    try:
        mask = find(image)
    except ImageError:
        mask = np.zeros(truth.shape, bool)
    seconds = time.perf_counter() - start
    ratio = float(mask.sum() / truth.sum())
    return Measurement(dataset, case, look, way, dice_of(mask, truth), seconds, ratio)


def measure_set(dataset: str, data: Path, atlas: bool) -> list[Measurement]:
    """The extractor in every look, and the atlas on the scans as they are."""
    scans, maps, end, map_end = SETS[dataset]
    extractor = shipped_extractor()
    found = []
    for path in sorted((data / scans).glob(f"*{end}.nii.gz")):
        case = path.name.removesuffix(f"{end}.nii.gz")
        scan = read_scan(path)
        labels = read_labels(data / maps / f"{case}{map_end}.nii.gz").array
        truth = close_mask(labels > 0, scan.spacing, CLOSING_MM)

        def extract(image: np.ndarray, scan: Scan = scan) -> np.ndarray:
            return extractor.extract(image, scan.spacing).mask

        def register(image: np.ndarray, scan: Scan = scan) -> np.ndarray:
            return atlas_brain_mask(image, scan.spacing)

        for look in LOOKS:
            found.append(_judge(dataset, case, look, "extractor", scan, truth, extract))
        if atlas:
            found.append(_judge(dataset, case, "as it is", "atlas", scan, truth, register))
        print(
            case, *(f"{m.way} {m.look} {m.dice:.3f}" for m in found if m.case == case), flush=True
        )
    return found


def _row(group: Sequence[Measurement]) -> dict[str, str]:
    dice = np.array([m.dice for m in group])
    worst = group[int(dice.argmin())]
    return {
        "set": worst.dataset,
        "scans": worst.look,
        "by": worst.way,
        "n": str(len(group)),
        "median": f"{np.median(dice):.3f}",
        "mean": f"{dice.mean():.3f}",
        "min": f"{dice.min():.3f} ({worst.case})",
        "0.95 or more": str(int((dice >= 0.95).sum())),
        "below 0.90": str(int((dice < 0.9).sum())),
        "volume / truth": f"{np.mean([m.volume_ratio for m in group]):.2f}",
        "s a scan": f"{np.median([m.seconds for m in group]):.1f}",
    }


def write_page(found: Sequence[Measurement]) -> str:
    """Write the page, and return it."""
    groups: dict[tuple[str, str, str], list[Measurement]] = {}
    for m in found:
        groups.setdefault((m.dataset, m.way, m.look), []).append(m)
    description = shipped_extractor().description
    lines = [
        "# Brain masks of whole heads",
        "",
        "Written by `benchmarks/brain_extractor.py measure`; not edited by hand. Dice against",
        f"DLMUSE > 0, closed by {CLOSING_MM:.0f} mm, on raw T1 scans. The extractor has seen none",
        "of them, nor any other scan: it is trained on heads rendered from label maps.",
        "",
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
        f"- machine: {machine()}",
        f"- network: {description.spacing_mm:g} mm, features "
        f"{', '.join(map(str, description.features))}; {description.trained_steps} training steps "
        f"on {description.trained_on}",
        "",
        markdown_table([_row(group) for group in groups.values()]),
        "",
    ]
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return "\n".join(lines)


def draw(paths: Sequence[Path], target: Path) -> None:
    """A row a scan: two axial planes, a coronal and a sagittal one, with the mask's outline."""
    figure = Figure(figsize=(12, 3 * len(paths)))
    axes = figure.subplots(len(paths), 4, squeeze=False)
    for row, path in zip(axes, paths):
        scan = read_scan(path)
        brain = shipped_extractor().extract(scan.array, scan.spacing)
        where = np.argwhere(brain.mask) if brain.mask.any() else np.argwhere(scan.array > -np.inf)
        s, p, l = (int(v) for v in where.mean(0))
        low = int((2 * where[:, 0].min() + s) / 3)
        planes = (np.s_[s], np.s_[low], np.s_[:, p], np.s_[:, :, l])
        grey = np.percentile(scan.array, (1, 99.5))
        z, y, x = scan.spacing
        for axis, plane, shape in zip(row, planes, (y / x, y / x, z / x, z / y)):
            origin = "upper" if axis in row[:2] else "lower"
            axis.imshow(scan.array[plane], "gray", vmin=grey[0], vmax=grey[1],
                        aspect=shape, origin=origin)  # fmt: skip
            if brain.mask[plane].any():
                axis.contour(brain.mask[plane], [0.5], colors="red", linewidths=0.8)
            axis.axis("off")
        row[0].set_title(f"{path.name[:40]}  {brain.volume_ml:.0f} mL", loc="left", fontsize=9)
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=50)


def draw_all(data: Path, found: Sequence[Measurement]) -> None:
    """The other sets, and the six scans of IXI that went worst."""
    for name, pattern in PICTURES.items():
        for contrast in CONTRASTS[name]:
            paths = sorted(data.glob(pattern.format(contrast)))
            if paths:
                draw(paths[:8], PANELS / f"{name}_{contrast}.png")
    plain = [m for m in found if (m.dataset, m.look, m.way) == ("IXI", "as it is", "extractor")]
    worst = sorted(plain, key=lambda m: m.dice)[:6]
    if worst:
        draw([data / SETS["IXI"][0] / f"{m.case}_T1.nii.gz" for m in worst], PANELS / "ixi.png")


def measure(data: Path, atlas: bool = True) -> None:
    """Measure all sets, write the page and the pictures."""
    found = [m for dataset in SETS for m in measure_set(dataset, data, atlas)]
    print(write_page(found))
    draw_all(data, found)
    print(f"Written: {PAGE}, {PANELS.relative_to(ROOT)}/")
