"""How much of a lesion leaks into the PHI, how like a scan the PHI is, how far a lesion reaches.

`benchmarks/restoration.md` is only ever written by this script.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage
from tqdm import tqdm

from disanat.errors import DisanatError
from disanat.reporting.markdown import markdown_table
from disanat.synthesis.probes import PROBE_KINDS, SIZES_ML, Probe, ProbeKind, paste_probe
from disanat.tissues import class_kinds
from held_out import HeldOut, Judged, build_parser, cell, judge, write_page
from similarity import WAYS, Likeness, similarities

PAGE = "benchmarks/restoration.md"
PANELS = Path("restoration_panels")
SIZE_CLASSES = {
    "< 1 mL": (SIZES_ML[0], 1.0),
    "1-5 mL": (1.0, 5.0),
    "5-20 mL": (5.0, 20.0),
    "> 20 mL": (20.0, SIZES_ML[1]),
}
ALL = "all"
MOST_LEAK = 1.25
FAR_MM = 20.0
MOST_FAR = 0.05


@dataclass(frozen=True)
class Picture:
    """What a model makes of one scan: PHI in the scan's own units, and the calibrated score."""

    phi: np.ndarray
    score: np.ndarray
    contrast: str


@dataclass(frozen=True)
class Trial:
    """One probe in one scan.

    `leak` is the PHI's mean distance from the healthy scan in the lesion, over that of the PHI of
    the untouched scan; `copied` the same if the PHI were the scan with its lesion; `far` the
    relative change of the score at least `FAR_MM` away (NaN if nothing is as far); `mistaken` says
    that the kind of contrast was read differently with the probe.
    """

    kind: ProbeKind
    size: str
    leak: float
    copied: float
    far: float
    mistaken: bool


def look_at(judged: Judged, image: np.ndarray, brain: np.ndarray) -> Picture:
    """Predict a scan as a new one would be, standardised anew; the PHI comes back unscaled."""
    channel, scale = judged.channel(image, brain)
    [result] = judged.model.method.predict([channel])
    calibration = judged.model.calibration
    joined = result.joined(calibration.shares_for(result.contrast))
    score = calibration(joined, result.contrast, brain)
    return Picture(scale.restore(result.phi), score, result.contrast)


def try_probe(case: HeldOut, size: str, probe: Probe, before: Picture, after: Picture) -> Trial:
    """Compare the pictures of a scan with and without a probe."""

    def distance(picture: np.ndarray) -> float:
        return float(np.abs(picture - case.image)[probe.mask].mean())

    usual = distance(before.phi)
    away = ndimage.distance_transform_edt(~probe.mask, sampling=case.spacing)
    far = case.brain & (away >= FAR_MM)
    change = np.nan
    if far.any():
        change = float(np.abs(after.score - before.score)[far].mean() / before.score[far].mean())
    leak, copied = distance(after.phi) / usual, distance(probe.image) / usual
    return Trial(probe.kind, size, leak, copied, change, after.contrast != before.contrast)


def measure(judged: Judged, seed: int) -> tuple[list[Trial], list[dict[str, Likeness]]]:
    """All probes in all cases, and the likeness of every case's PHI."""
    fluid = class_kinds(judged.model.method.scheme, "csf")
    trials, alike = [], []
    steps = len(judged.cases) * (1 + len(PROBE_KINDS) * len(SIZE_CLASSES))
    with tqdm(total=steps, desc="restoration", disable=None) as bar:
        for number, case in enumerate(judged.cases):
            rng = np.random.default_rng([seed, number])
            before = look_at(judged, case.image, case.brain)
            alike.append(similarities(judged, number, before.phi))
            bar.update()
            shown = []
            for kind in PROBE_KINDS:
                for size, (low, high) in SIZE_CLASSES.items():
                    volume = float(np.exp(rng.uniform(np.log(low), np.log(high))))
                    probe = paste_probe(
                        rng, case.image, case.tissue, fluid, case.spacing, kind, volume
                    )
                    after = look_at(judged, probe.image, case.brain)
                    trials.append(try_probe(case, size, probe, before, after))
                    if size in ("1-5 mL", "> 20 mL"):
                        shown.append((probe, after))
                    bar.update()
            if number < 2:
                draw(case, before, shown, judged.home.root / PANELS / f"{case.name}.png")
    return trials, alike


def draw(
    case: HeldOut, before: Picture, shown: Sequence[tuple[Probe, Picture]], target: Path
) -> None:
    """A row a probe: scan, scan with probe, PHI of either, score of either."""
    figure = Figure(figsize=(15, 2.8 * len(shown)))
    axes = figure.subplots(len(shown), 6, squeeze=False)
    titles = ("scan", "with probe", "PHI of the scan", "PHI with probe", "score", "with probe")
    for row, (probe, after) in zip(axes, shown):
        s = int(probe.mask.sum((1, 2)).argmax())
        pictures = (case.image, probe.image, before.phi, after.phi, before.score, after.score)
        for n, (axis, picture, title) in enumerate(zip(row, pictures, titles)):
            if n < 4:
                axis.imshow(picture[s], "gray", vmin=-3, vmax=3)
            else:
                axis.imshow(np.where(case.brain, picture, 0)[s], "magma", vmin=0, vmax=5)
            if n % 2:
                axis.contour(probe.mask[s], [0.5], colors="cyan", linewidths=0.5)
            axis.set_title(title, fontsize=8)
            axis.axis("off")
        row[1].set_title(
            f"{probe.kind}, {probe.volume_ml:.1f} mL, {probe.strength:.1f} SD", fontsize=8
        )
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=60)


def _spread(values: Iterable[float], digits: int) -> str:
    """Median and 90th percentile."""
    known = [v for v in values if np.isfinite(v)]
    if not known:
        return "n/a"
    return f"{np.median(known):.{digits}f} ({np.quantile(known, 0.9):.{digits}f})"


def trial_rows(
    trials: Sequence[Trial], value: Callable[[Trial], float], digits: int = 2
) -> list[dict[str, str]]:
    """A row a kind, a column a size, and both together."""
    return [
        {
            "probe": kind,
            **{
                size: _spread(
                    (
                        value(t)
                        for t in trials
                        if kind in (t.kind, ALL) and size in (t.size, ALL)
                    ),
                    digits,
                )
                for size in (*SIZE_CLASSES, ALL)
            },
        }
        for kind in (*PROBE_KINDS, ALL)
    ]


def likeness_rows(alike: Sequence[dict[str, Likeness]]) -> list[dict[str, str]]:
    """A row a picture."""
    rows = []
    for way in WAYS:
        found = [case[way] for case in alike if way in case]
        rows.append(
            {
                "picture": way,
                "SSIM": cell([x.ssim for x in found]),
                "mean absolute difference, SD": (
                    f"{np.mean([x.difference for x in found]):.3f}" if found else "n/a"
                ),
            }
        )
    return rows


def page(trials: Sequence[Trial], alike: Sequence[dict[str, Likeness]]) -> list[str]:
    """The page's title and what stands below its facts."""
    tight = sum(t.leak <= MOST_LEAK for t in trials)
    measured = [t for t in trials if np.isfinite(t.far)]
    local = sum(t.far < MOST_FAR for t in measured)
    return [
        "# Restoration of healthy scans",
        "",
        "Probes (`disanat/synthesis/probes.py`) are lesions of a kind that training never sees.",
        "One of each kind and size is pasted into every scan, which is then standardised anew.",
        "",
        "## Leak: how much of a lesion gets into the PHI",
        "",
        "Mean |PHI - healthy scan| in the lesion, over mean |PHI of the untouched scan - healthy",
        f"scan| on the same voxels. Asked for: at most {MOST_LEAK:g}; {tight} of {len(trials)} "
        "probes keep to it.",
        "Median (90th percentile) over the scans. A PHI that shows nothing of the scan has a leak",
        "of 1 as well: see its likeness below.",
        "",
        markdown_table(trial_rows(trials, lambda t: t.leak)),
        "",
        "The same if the PHI were a copy of the scan with its lesion:",
        "",
        markdown_table(trial_rows(trials, lambda t: t.copied)),
        "",
        "## Likeness: the PHI of a scan without a lesion",
        "",
        "SSIM (seven voxels wide, mean over the brain; data range: 0.5th to 99.5th percentile of",
        "the scan's brain; outside it the brain's mean) with the scan: mean over the scans",
        "(smallest). The other subject (the next scan of the list) and the atlas are registered",
        "affinely and given the scan's histogram. The bound is the decoder's picture of the label",
        "map, with the scan's own imaging code.",
        "",
        markdown_table(likeness_rows(alike)),
        "",
        f"## Locality: how a lesion changes the score {FAR_MM:g} mm away and more",
        "",
        "Mean |score with lesion - score without| over the mean score without, calibrated scores.",
        f"Asked for: less than {MOST_FAR:.0%}; {local} of {len(measured)} probes keep to it.",
        f"{sum(t.mistaken for t in trials)} probes changed the kind of contrast that was seen, and "
        "with it the score",
        "everywhere.",
        "Median (90th percentile) over the scans.",
        "",
        markdown_table(trial_rows(trials, lambda t: t.far, 3)),
    ]


def main() -> int:
    args = build_parser("Judge a model's PHI on healthy scans.", PAGE).parse_args()
    start = time.monotonic()
    try:
        judged = judge(args)
    except DisanatError as error:
        print(error, file=sys.stderr)
        return 1
    trials, alike = measure(judged, args.seed)
    minutes = (time.monotonic() - start) / 60
    print(write_page(judged, args, minutes, page(trials, alike)))
    print(f"Panels: {judged.home.root / PANELS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
