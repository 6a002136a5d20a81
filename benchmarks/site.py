"""A model at other sites: what its thresholds mark in healthy scans, before and after calibration.

    python benchmarks/site.py [-m MODEL]        -> benchmarks/site.md

A site's scans are halved: `disanat_calibrate`'s function sees one half, the other judges.
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from contrast_shifts import SHIFTS
from disanat.evaluation.bootstrap import Estimate, estimate_median
from disanat.experiments.site import SiteCalibration, calibrate_for_site
from disanat.experiments.site_scans import SiteScan, look_at
from disanat.home import atomic_path
from disanat.inference.bundled import bundled_folder
from disanat.inference.model import Model, load_model
from disanat.io.cases import find_brain_mask, find_cases
from disanat.io.images import read_labels, read_scan, write_like
from disanat.reporting.markdown import markdown_table
from disanat.scoring.calibration import BEST, FALSE_POSITIVES, Calibration
from disanat.training.splits import split_cases
from steps import ROOT, commit, machine

PAGE = "benchmarks/site.md"
UNCHANGED = "as it is"
SCANNERS = (UNCHANGED, "gamma 0.5", "noise, 0.3 SD", "blur, sigma 2 mm", "slices of 5 mm")
INTRO = """\
Written by `benchmarks/site.py`; not edited by hand. The shipped model (or the one named) at sites
that it does not know. `disanat_calibrate` saw some healthy scans of each; the figures are those of
others. 1% and 5%: share of healthy voxels that reach the threshold with this promise, median over
scans with its 95% interval. Marked: mL of the default mask in a healthy brain, median; at most 1 mL
is promised. The simulated scanners are IXI scans that neither trained nor calibrated the model,
changed in the brain as the name says, with their own brain masks; the elderly (69 to 96 years,
2 mm, whole heads, another study) have white-matter lesions of their own: theirs are no pure false
positives."""


@dataclass(frozen=True)
class Site:
    """Scans of one site: those that calibrate, and those that judge."""

    name: str
    healthy: Path
    others: Path
    masks: Path | None


def elderly(data: Path, work: Path) -> Site:
    """Every other scan calibrates."""
    site = Site("elderly T1", work / "elderly" / "a", work / "elderly" / "b", None)
    for number, path in enumerate(sorted((data / "elderly_t1_flair" / "t1").glob("*.nii.gz"))):
        folder = site.others if number % 2 else site.healthy
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).symlink_to(path)
    return site


def scanner(name: str, data: Path, work: Path, scans: int) -> Site:
    """Held-out IXI scans as another scanner would show them."""
    folder = work / name.replace(" ", "_").replace(",", "")
    site = Site(f"IXI, {name}", folder / "a", folder / "b", folder / "masks")
    source = data / "ixi_t1_2mm"
    named = sorted(p.name.removesuffix("_T1.nii.gz") for p in (source / "t1").glob("*.nii.gz"))
    for number, case in enumerate(split_cases(named, "0").validation):
        scan = read_scan(source / "t1" / f"{case}_T1.nii.gz")
        labels = next((source / "dlmuse").glob(f"{case}*.nii.gz"))
        brain = read_labels(labels).array > 0
        inside = scan.array[brain]
        image = (scan.array - inside.mean()) / inside.std()
        if name != UNCHANGED:
            rng = np.random.default_rng(number)
            image = np.where(brain, SHIFTS[name](rng, image, brain, scan.spacing), image)
        shown = (100 * (image - image.min())).astype(np.float32)
        target = site.healthy if number < scans else site.others
        write_like(shown, scan.geometry, target / f"{case}.nii.gz")
        write_like(brain.astype(np.uint8), scan.geometry, folder / "masks" / f"{case}.nii.gz")
    return site


def judged(model: Model, site: Site) -> list[SiteScan]:
    """What the model says of the scans that judge."""
    rng = np.random.default_rng(0)
    return [
        look_at(case, model, 0, rng, find_brain_mask(site.masks, case.name) if site.masks else None)
        for case in find_cases(site.others)
    ]


def cells(scans: Sequence[SiteScan], calibration: Calibration) -> dict[str, str]:
    """What a calibration's thresholds do in scans that it has not seen."""
    maps = [scan.healthy.rarity(calibration) for scan in scans]
    row = {}
    for name in FALSE_POSITIVES:
        limits = [calibration.mask_rule(name, s.healthy.contrasts).threshold for s in scans]
        shares = [float(np.mean(m >= limit)) for m, limit in zip(maps, limits)]
        row[name] = _text(estimate_median(shares), 100, "%")
    rules = [calibration.mask_rule(BEST, scan.healthy.contrasts) for scan in scans]
    volumes = [
        np.count_nonzero(rule(s.volume(m), s.inside)) * s.voxel_ml
        for rule, m, s in zip(rules, maps, scans)
    ]
    return row | {"marked": _text(estimate_median(volumes), 1, " mL")}


def _text(found: Estimate, scale: float, unit: str) -> str:
    if found.mean is None:
        return "n/a"
    if found.low is None or found.high is None:
        return f"{scale * found.mean:.2f}{unit}"
    return f"{scale * found.mean:.2f}{unit} [{scale * found.low:.2f}, {scale * found.high:.2f}]"


def rows(model: Model, site: Site, found: SiteCalibration) -> list[dict[str, str]]:
    """Before and after."""
    scans = judged(model, site)
    first = {"site": site.name, "calibrating": str(found.scans), "judging": str(len(scans))}
    return [
        first | {"calibration": "before", **cells(scans, model.calibration)},
        first | {"calibration": "after", **cells(scans, found.calibration)},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-m", "--model", type=Path, default=bundled_folder(), help="its folder")
    parser.add_argument("--scans", type=int, default=6, help="that calibrate (default: 6)")
    args = parser.parse_args()
    data = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    model = load_model(args.model)
    table: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        makers: list[Callable[[], Site]] = [lambda: elderly(data.resolve(), work)]
        makers += [lambda n=n: scanner(n, data, work, args.scans) for n in SCANNERS]  # type: ignore[misc]
        for make in tqdm(makers, desc="sites", disable=None):
            site = make()
            table += rows(model, site, calibrate_for_site(model, site.healthy, site.masks))
    page = [
        "# At a new site",
        "",
        INTRO,
        "",
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
        f"- machine: {machine()}",
        f"- model: {model.method.name} on {model.plans.dataset}",
        "",
        markdown_table(table),
        "",
    ]
    with atomic_path(ROOT / PAGE) as temporary_page:
        temporary_page.write_text("\n".join(page), encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
