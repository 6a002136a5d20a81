"""The report of many cases: how large it is, how long it takes to be built and to open.

    python benchmarks/report.py [--cases 100] [--draw_once]        -> benchmarks/report.md

A few simulated brains are linked under many names. No model predicts them: the maps are drawn.
Opening is measured in headless Chromium, which selenium steers.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from disanat.home import atomic_path
from disanat.reporting.markdown import markdown_table
from disanat.reporting.report import write
from disanat.reporting.report.drawing import Drawn, Job, draw
from disanat.synthesis.brains import render_scan, simulate_brain, simulate_lesions
from steps import ROOT, commit, machine

PAGE = "benchmarks/report.md"
SHAPE = (182, 218, 182)
MOST_MB, MOST_SECONDS = 60, 3.0
OPENINGS = 3
EACH = "Each case is read and drawn anew."
ONCE = """\
Each distinct brain was read and drawn once, in one process, and shown under all its names: size and
opening are those of a page of so many cases, but the time to build is that of the distinct ones."""
ENDINGS = ("", "_anomaly", "_brainmask", "_0000_phi")
INTRO = """\
Written by `python benchmarks/report.py`; not edited by hand. Simulated brains in scans of
182 x 218 x 182 voxels of 1 mm, with scan, PHI, anomaly map and lesion mask. A few distinct brains
are linked under many names. {drawing} To open: from the address to the
browser's load event, in headless Chromium started for it, median of {openings} (and the longest).
To open a case: from the click until its viewer has drawn."""


@dataclass(frozen=True)
class Opening:
    """Seconds until the page is loaded, then until the viewer shows a case."""

    page: float
    case: float


def make_brain(number: int, predictions: Path, scans: Path) -> None:
    """Write one distinct brain with what a prediction of it could look like."""
    rng = np.random.default_rng(number)
    brain = simulate_brain(rng, 1.0)
    lesion = simulate_lesions(rng, brain, "medium")
    state = rng.bit_generator.state
    ill = render_scan(rng, brain, "t1", lesion)
    rng.bit_generator.state = state
    healthy = render_scan(rng, brain, "t1", None)
    noise = ndimage.gaussian_filter(rng.normal(0, 1, ill.shape), 1.5)
    odd = np.abs(noise / noise.std()) * 0.5 + 4 * lesion.share
    arrays = {
        predictions / f"{number}.nii.gz": (lesion.share > 0.5).astype(np.uint8),
        predictions / f"{number}_anomaly.nii.gz": (odd * brain.mask).astype(np.float32),
        predictions / f"{number}_brainmask.nii.gz": brain.mask.astype(np.uint8),
        predictions / f"{number}_0000_phi.nii.gz": (healthy * brain.mask).astype(np.float32),
        scans / f"{number}_0000.nii.gz": ill.astype(np.float32),
    }
    for path, array in arrays.items():
        image = sitk.GetImageFromArray(_padded(array))
        sitk.WriteImage(image, str(path), True)


def _padded(array: np.ndarray) -> np.ndarray:
    """In the middle of a grid of `SHAPE`."""
    before = [(whole - part) // 2 for whole, part in zip(SHAPE, array.shape)]
    after = [whole - part - b for whole, part, b in zip(SHAPE, array.shape, before)]
    return np.pad(array, list(zip(before, after)))


def make_set(work: Path, cases: int, distinct: int) -> tuple[Path, Path]:
    """Folders of the predictions and of the scans."""
    folders = {name: work / name for name in ("drawn", "drawn_scans", "predictions", "scans")}
    for folder in folders.values():
        folder.mkdir()
    for number in range(distinct):
        make_brain(number, folders["drawn"], folders["drawn_scans"])
        print(f"brain {number + 1} of {distinct} is drawn", flush=True)
    rows: list[Sequence[object]] = [("case", "status", "channels", "case_score", "case_p")]
    for case in range(cases):
        name, number = f"sub-{case:03d}", case % distinct
        for ending in ENDINGS:
            target = folders["predictions"] / f"{name}{ending}.nii.gz"
            target.symlink_to(folders["drawn"] / f"{number}{ending}.nii.gz")
        target = folders["scans"] / f"{name}_0000.nii.gz"
        target.symlink_to(folders["drawn_scans"] / f"{number}_0000.nii.gz")
        rows.append((name, "ok", 0, 1 + case / cases, 0.05))
    with open(folders["predictions"] / "predictions.csv", "w", newline="") as handle:
        csv.writer(handle).writerows(rows)
    (folders["predictions"] / "prediction.json").write_text('{"threshold": 2.0}')
    return folders["predictions"], folders["scans"]


def open_once(page: Path) -> Opening:
    """In a browser of its own, so that nothing is left from before."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        began = time.monotonic()
        driver.get(page.as_uri())
        loaded = time.monotonic()
        driver.find_element("css selector", "#table tbody th a").click()
        shown = "return Boolean(document.getElementById('viewer').dataset.number)"
        WebDriverWait(driver, 60, 0.02).until(lambda d: d.execute_script(shown))
        return Opening(loaded - began, time.monotonic() - loaded)
    finally:
        driver.quit()


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({max(values):.2f})"


@contextmanager
def drawn_once() -> Iterator[None]:
    """Within it, a report draws cases that are linked to the same files only once."""
    known: dict[Path, Drawn] = {}

    def remembered(job: Job) -> Drawn:
        source = (job.predictions / f"{job.case}.nii.gz").resolve()
        if source not in known:
            known[source] = draw(job)
        return replace(known[source], case=job.case)

    write.draw, before = remembered, write.draw
    try:
        yield
    finally:
        write.draw = before


def measure(cases: int, distinct: int, once: bool) -> list[list[str]]:
    """Rows of name, value and what was asked for."""
    with tempfile.TemporaryDirectory() as work:
        predictions, scans = make_set(Path(work), cases, distinct)
        began = time.monotonic()
        processes = 0 if once else write.default_processes(cases)
        with drawn_once() if once else nullcontext():
            page = write.write_report(predictions, scans=scans, processes=processes)
        minutes = (time.monotonic() - began) / 60
        openings = [open_once(page) for _ in range(OPENINGS)]
        size = page.stat().st_size / 1e6
    return [
        ["cases", str(cases), "100"],
        ["distinct brains", str(distinct), ""],
        ["size, MB", f"{size:.1f}", f"under {MOST_MB} for 100 cases"],
        ["size of a case, MB", f"{size / cases:.2f}", f"under {MOST_MB / 100:.2f}"],
        ["to build, minutes", f"{minutes:.1f}", ""],
        ["processes that drew", str(processes or 1), ""],
        ["to open, seconds", _spread([o.page for o in openings]), f"under {MOST_SECONDS:g}"],
        ["to open a case, seconds", _spread([o.case for o in openings]), ""],
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--distinct", type=int, default=8, help="different brains (default: 8)")
    parser.add_argument("--draw_once", action="store_true", help="draw each brain only once")
    args = parser.parse_args(argv)
    made_by = commit([PAGE])
    before = os.getloadavg()[0]
    rows = measure(args.cases, args.distinct, args.draw_once)
    busy = f"load average before and after: {before:.1f} and {os.getloadavg()[0]:.1f}"
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    parts = [
        "# The report: size and speed",
        INTRO.format(openings=OPENINGS, drawing=ONCE if args.draw_once else EACH),
        f"- date {now}, commit {made_by}\n- machine: {machine()}; {busy}",
        markdown_table([dict(zip(("", "measured", "wanted"), row)) for row in rows]),
    ]
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
