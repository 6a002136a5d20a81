"""Whether the PHI has the scan's own contrast and bias, but not its noise, and no seams.

`benchmarks/recoupling.md` is only ever written by this script.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from disanat.errors import DisanatError
from disanat.inference.predictor import Prediction, Predictor
from disanat.io.cases import Case
from disanat.io.images import read_labels
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.reporting.markdown import markdown_table
from disanat.scoring.ranking import average_precision, rank
from disanat.synthesis.fields import blur, smooth_field
from disanat.synthesis.render import Contrast, render
from disanat.tissues import scheme_by_names, whole_numbers
from held_out import HeldOut, Judged, build_parser, judge, write_page
from steps import ROOT

PAGE = "benchmarks/recoupling.md"
CONTRASTS: tuple[Contrast, ...] = ("real", "t2", "flair", "pd")
FIELD_MM, FIELD, NOISE, SMOOTH_MM = 70.0, 0.2, 0.3, 10.0
CHANNELS: Mapping[str, tuple[str, str | None, Mapping[str, str]]] = {
    "Kirby21, healthy": (
        "kirby21",
        None,
        {"FLAIR": "*FLAIR*", "T1": "*MPRAGE*", "T2": "*T2w*"},
    ),
    "BraTS2021": (
        "brats2021/*",
        "*_seg.*",
        {"FLAIR": "*_flair.*", "T1": "*_t1.*", "T1c": "*_t1ce.*", "T2": "*_t2.*"},
    ),
    "MSLUB": ("mslub/*", "GOLD*", {"FLAIR": "FLAIR*", "T1": "T1_*", "T2": "T2_*"}),
    "MSLesSeg": ("mslesseg", "*MASK*", {"FLAIR": "*FLAIR.*", "T1": "*_T1.*", "T2": "*_T2_T2.*"}),
}
"""Folder, expert mask, and the scan of each contrast, all on one grid."""


@dataclass(frozen=True)
class Recoupled:
    """One scan in one contrast; all in standard deviations of its brain unless said otherwise.

    `levels`: median of PHI minus that of the scan, for each tissue; `order`: correlation of the
    medians; `slope`, `agreement`: regression and correlation of what a known field changed in the
    PHI on what it changed in the scan, both smoothed; `noise`: share of added noise that arrives
    in the PHI; `rough`, `rough_scan`: second differences across slices over those within slices;
    `jumps`: median step between the levels of neighbouring slices, PHI minus scan.
    """

    contrast: str
    levels: np.ndarray
    order: float
    slope: float
    agreement: float
    noise: float
    rough: float
    rough_scan: float
    jumps: float


def phi_of(judged: Judged, image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """The PHI in the units of the image, standardised anew as a new scan would be."""
    channel, scale = judged.channel(image, brain)
    return scale.restore(judged.model.method.predict([channel])[0].phi)


def look(rng: np.random.Generator, judged: Judged, case: HeldOut, contrast: Contrast) -> np.ndarray:
    """The case in a contrast, without bias field and noise where it is rendered."""
    if contrast == "real":
        return case.image
    shown = render(
        rng,
        case.labels,
        case.whole,
        case.sample,
        None,
        judged.model.method.scheme,
        case.spacing,
        judged.model.configuration.augmentation,
        contrast,
    )
    return np.where(case.brain, shown.healthy[: len(case.brain)], np.float32(OUTSIDE))


def recoupled(
    rng: np.random.Generator, judged: Judged, case: HeldOut, contrast: Contrast
) -> Recoupled:
    """Everything about one case in one contrast: three predictions."""
    image, brain, spacing = look(rng, judged, case, contrast), case.brain, case.spacing
    phi = phi_of(judged, image, brain)
    lowest = np.percentile(image[brain], 0.5)
    field = smooth_field(rng, image.shape, spacing, FIELD_MM)
    biased = (image - lowest) * np.exp(FIELD * field / field[brain].std()) + lowest
    noise = NOISE * rng.standard_normal(image.shape).astype(np.float32)
    of_field = phi_of(judged, biased.astype(np.float32), brain) - phi
    of_noise = phi_of(judged, image + noise, brain) - phi
    put, came = (_smooth(a, brain, spacing)[brain] for a in (biased - image, of_field))
    whole = whole_numbers(judged.model.method.scheme)[case.tissue]
    kinds = [k for k in range(1, int(whole.max()) + 1) if (whole == k).any()]
    scan, made = (np.array([np.median(a[whole == k]) for k in kinds]) for a in (image, phi))
    return Recoupled(
        contrast=contrast,
        levels=made - scan,
        order=float(np.corrcoef(scan, made)[0, 1]),
        slope=float(np.polyfit(put, came, 1)[0]),
        agreement=float(np.corrcoef(put, came)[0, 1]),
        noise=float(of_noise[brain].std() / NOISE),
        rough=_roughness(phi, brain),
        rough_scan=_roughness(image, brain),
        jumps=_jumps(phi - image, brain),
    )


def _smooth(array: np.ndarray, brain: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Gaussian mean over the brain's voxels alone."""
    weight = blur(brain.astype(np.float32), SMOOTH_MM, spacing)
    total = blur(np.where(brain, array, 0).astype(np.float32), SMOOTH_MM, spacing)
    return total / np.maximum(weight, 1e-3)


def _roughness(image: np.ndarray, brain: np.ndarray) -> float:
    """Mean absolute second difference across slices, over that within slices."""
    inside = ndimage.binary_erosion(brain, iterations=2)
    across, *within = (np.abs(np.diff(image, 2, axis=axis)) for axis in range(3))
    return float(
        across[inside[1:-1]].mean()
        / np.mean([within[0][inside[:, 1:-1]].mean(), within[1][inside[:, :, 1:-1]].mean()])
    )


def _jumps(difference: np.ndarray, brain: np.ndarray) -> float:
    """Median step between the median levels of neighbouring slices that hold much brain."""
    areas = brain.sum((1, 2))
    kept = np.flatnonzero(areas > 0.2 * areas.max())
    levels = np.array([np.median(difference[s][brain[s]]) for s in kept])
    return float(np.median(np.abs(np.diff(levels))))


def scan_rows(found: Sequence[Recoupled]) -> list[dict[str, str]]:
    """A row a contrast: mean over the scans, with the worst."""
    rows = []
    for contrast in CONTRASTS:
        here = [r for r in found if r.contrast == contrast]
        off = [float(np.abs(r.levels).mean()) for r in here]
        rows.append(
            {
                "scan": "T1 as it is" if contrast == "real" else f"rendered, {contrast}",
                "tissue levels, off by": f"{np.mean(off):.2f} ({np.max(off):.2f})",
                "order of tissues": _both([r.order for r in here]),
                "field: slope": f"{np.mean([r.slope for r in here]):.2f}",
                "field: correlation": _both([r.agreement for r in here]),
                "noise passed on": f"{np.mean([r.noise for r in here]):.0%}",
                "across / within: PHI": f"{np.mean([r.rough for r in here]):.2f}",
                "of the scan": f"{np.mean([r.rough_scan for r in here]):.2f}",
                "step between slices": f"{np.mean([r.jumps for r in here]):.3f}",
            }
        )
    return rows


def channel_rows(judged: Judged, data: Path) -> list[dict[str, str]]:
    """Each contrast of a case alone, and all together: Dice with the anatomy of all, and AP."""
    predictor, rows = Predictor(judged.model), []
    whole = len(set(whole_numbers(scheme_by_names(judged.model.plans.classes)))) - 1
    for name, (folder, mask, patterns) in tqdm(CHANNELS.items(), desc="channels", disable=None):
        paths = {key: _one(data, f"{folder}/{pattern}") for key, pattern in patterns.items()}
        case = Case(name, dict(enumerate(paths.values())))
        together = predictor.predict_case(case)
        seen = {key: predictor.predict(path) for key, path in paths.items()}
        truth = None if mask is None else read_labels(_one(data, f"{folder}/{mask}")).array > 0
        for key, one in {**seen, "all together": together}.items():
            rows.append(
                {
                    "case": name,
                    "channels": key,
                    "Dice with the anatomy of all": _agreement(one, together, whole),
                    "PHIs": str(len(one.phi)),
                    "AP": _precision(one, truth),
                }
            )
    return rows


def _one(data: Path, pattern: str) -> Path:
    return next(iter(sorted(data.glob(pattern))))


def _agreement(one: Prediction, other: Prediction, classes: int) -> str:
    if one.anatomy is None or other.anatomy is None:
        return "n/a"
    a, b = one.anatomy, other.anatomy
    dice = [
        2 * np.sum((a == k) & (b == k)) / max(1, np.sum(a == k) + np.sum(b == k))
        for k in range(1, classes + 1)
    ]
    return f"{np.mean(dice):.3f}"


def _precision(one: Prediction, truth: np.ndarray | None) -> str:
    found = None if truth is None else average_precision(rank(one.anomaly, truth, one.brain))
    return "-" if found is None else f"{found:.3f}"


def _both(values: Sequence[float]) -> str:
    """Mean and smallest."""
    return f"{np.mean(values):.3f} ({np.min(values):.3f})"


def page(found: Sequence[Recoupled], channels: Sequence[dict[str, str]]) -> list[str]:
    """The page's title and what stands below its facts."""
    return [
        "# Recoupling: the PHI in the scan's own look",
        "",
        "## Contrast, bias, noise, seams",
        "",
        "Healthy scans as they are and rendered without bias field and noise; intensities in SD of",
        "the scan's brain, means over the scans (worst).",
        "",
        "- **Tissue levels**: median of the PHI in each tissue of the label map against the scan's",
        "  median there: mean absolute difference, and correlation over the tissues.",
        f"- **Field**: a known smooth field ({FIELD:g} in log, {FIELD_MM:g} mm) is multiplied in.",
        "  What it changes in the PHI against what it changes in the scan, both smoothed by",
        f"  {SMOOTH_MM:g} mm: a slope of 1 is a PHI with the whole field. It also changes the mean",
        "  and deviation by which scans are standardised.",
        f"- **Noise passed on**: SD of what noise of {NOISE:g} SD changes in the PHI, over the",
        "  noise's own.",
        "- **Seams**: mean absolute second difference across slices over that within slices, PHI",
        "  beside scan; median step between the levels of neighbouring slices (PHI minus scan).",
        "",
        markdown_table(scan_rows(found)),
        "",
        "## Channels",
        "",
        "Real cases whose contrasts lie on one grid, the whole pipeline: each alone, and all",
        "together. Channels of one case share one anatomy; their maps are fused into one. No",
        "setting was chosen by these figures.",
        "",
        markdown_table(channels),
    ]


def main() -> int:
    args = build_parser("Judge the look of a model's PHI.", PAGE).parse_args()
    data = (ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")).resolve()
    start = time.monotonic()
    try:
        judged = judge(args)
        pairs = [(case, contrast) for case in judged.cases for contrast in CONTRASTS]
        found = [
            recoupled(np.random.default_rng([args.seed, n]), judged, case, contrast)
            for n, (case, contrast) in enumerate(tqdm(pairs, desc="recoupling", disable=None))
        ]
        channels = channel_rows(judged, data)
    except DisanatError as error:
        print(error, file=sys.stderr)
        return 1
    minutes = (time.monotonic() - start) / 60
    print(write_page(judged, args, minutes, page(found, channels)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
