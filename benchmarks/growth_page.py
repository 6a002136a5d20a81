"""The pages of `growth.py`: tables, fits, the picture, and the arithmetic for 100,000 scans."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from disanat.home import atomic_path
from disanat.reporting.markdown import markdown_table
from steps import ROOT

__all__ = ["RECORD", "write_pages"]

RECORD = "benchmarks/growth.json"
PAGE, PICTURE = "benchmarks/growth.md", "documentation/images/growth.png"
GUIDE = "documentation/scaling.md"
MANY = 100_000
WORKERS = (1, 16, 100)
NAMES = {
    "plan": "planning",
    "prepare": "preprocessing",
    "load": "start of training",
    "predict": "prediction",
    "evaluate": "evaluation",
}
_COLOURS = dict(zip(NAMES, ("#7f7f7f", "#1f77b4", "#9467bd", "#d62728", "#2ca02c"), strict=True))
_BEGIN, _END = "<!-- arithmetic: begin -->", "<!-- arithmetic: end -->"
_FIT_FROM = 100
_ONE_PROCESS = ("load", "evaluate")
Row = Mapping[str, Any]


def write_pages() -> list[Path]:
    """Write page, picture and the arithmetic in the guide from the record; returns the files."""
    record = json.loads((ROOT / RECORD).read_text(encoding="utf-8"))
    _draw(record, ROOT / PICTURE)
    _write(ROOT / PAGE, _page(record))
    guide = ROOT / GUIDE
    text = guide.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    _write(guide, f"{before}{_BEGIN}\n{_arithmetic(record)}\n{_END}{after}")
    return [ROOT / PAGE, ROOT / PICTURE, guide]


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def slope(rows: Sequence[Row], by: str, what: str = "cpu_s") -> float:
    """Exponent of the power law through the rows: 1 is linear growth."""
    x = np.log([row[by] for row in rows])
    y = np.log([max(row[what], 1e-9) for row in rows])
    return float(np.polyfit(x, y, 1)[0])


def per_unit(rows: Sequence[Row], by: str) -> float:
    """MB of memory for each further case or voxel, by a straight line through the rows."""
    return float(np.polyfit([row[by] for row in rows], [row["peak_mb"] for row in rows], 1)[0])


def _of(rows: Sequence[Row], stage: str) -> list[Row]:
    return [row for row in rows if row["stage"] == stage]


def _growth(rows: Sequence[Row], by: str, from_: float, unit: float, named: str) -> str:
    table = []
    everywhere = sorted({row[by] for row in rows})
    for stage, name in NAMES.items():
        found = _of(rows, stage)
        late = [row for row in found if row[by] >= from_]
        last, seconds = found[-1], {row[by]: f"{row['cpu_s']:.2f}" for row in found}
        table.append(
            {
                "stage": name,
                **{f"s for {at:,}": seconds.get(at, "not measured") for at in everywhere},
                "exponent, all": f"{slope(found, by):.2f}",
                f"exponent from {from_:,.0f} on": f"{slope(late, by):.2f}" if late[1:] else "-",
                "peak MB, first and last": f"{found[0]['peak_mb']:.0f}, {last['peak_mb']:.0f}",
                f"MB for {named}": f"{unit * per_unit(found, by):.2f}",
            }
        )
    return markdown_table(table)


def _page(record: Mapping[str, Any]) -> str:
    by_cases, by_size = record["by_cases"], record["by_size"]
    sizes = sorted({row["voxels"] for row in by_size})
    return f"""# Growth

Written by `benchmarks/growth.py`; not edited by hand. Time and memory of each stage against the
number of cases, and against the size of a volume. Simulated brains of ellipsoids, in their own
voxel size. Many cases are predicted by `threshold`, whose time is that of all that surrounds the
networks; large volumes by `dal` with tiny networks. Each number comes from a process of its own
with one thread, four at a time. Seconds are processor seconds, so that other programs hardly count;
what a process reads before its first case (its libraries, the model) counts for memory, not time.

![Time and memory against number of cases and volume size](../{PICTURE})

The exponent is the slope of a straight line through the logarithms: 1 is linear growth, below 1
something is done once for all.

## Number of cases

Volumes of {round(by_cases[0]["voxels"] ** (1 / 3))} voxels along each axis.

{_growth(by_cases, "cases", _FIT_FROM, 1000, "1,000 cases")}

## Size of a volume

{by_size[0]["cases"]} cases each; sizes in voxels.

{_growth(by_size, "voxels", sizes[len(sizes) // 2], 1e6, "a million voxels")}

## A whole scan

{_whole(record)}

What follows from it for {MANY:,} scans is in [scaling](../{GUIDE}).

Measured {record["date"]}, commit {record["commit"]}, {record["machine"]}.
"""


def _whole(record: Mapping[str, Any]) -> str:
    whole = record["whole"]
    shape = " x ".join(map(str, whole["shape"]))
    table = [
        {
            "stage": NAMES[name],
            "processor seconds a case": f"{row['cpu_s'] / row['cases']:.2f}",
            "peak memory MB": f"{row['peak_mb']:.0f}",
        }
        for name, row in whole["stages"].items()
    ]
    return (
        f"Simulated brains of {shape} voxels of 1 mm, one channel, predicted by "
        f"the model that ships.\n\n{markdown_table(table)}\n\nOn disk, a case: scan "
        f"{whole['raw_bytes'] / 1e6:.1f} MB, prepared {whole['prepared_bytes'] / 1e6:.1f} MB, "
        f"predicted {whole['predicted_bytes'] / 1e6:.1f} MB."
    )


def _arithmetic(record: Mapping[str, Any]) -> str:
    """For 100,000 scans, from the whole scans and from how the stages grow."""
    whole, by_cases = record["whole"], record["by_cases"]
    table = []
    for name, row in whole["stages"].items():
        hours = MANY * row["cpu_s"] / row["cases"] / 3600
        table.append(
            {
                "stage": NAMES[name],
                "seconds a scan": f"{row['cpu_s'] / row['cases']:.2f}",
                **{
                    f"hours, {n} core{'s' if n > 1 else ''}": "-"
                    if n > 1 and name in _ONE_PROCESS
                    else f"{hours / n:,.1f}"
                    for n in WORKERS
                },
                "memory of a worker": f"{row['peak_mb'] / 1000:.1f} GB",
            }
        )
    disk = {
        "the scans": whole["raw_bytes"],
        "prepared for training": whole["prepared_bytes"],
        "predicted (mask, map, PHI, brain mask)": whole["predicted_bytes"],
    }
    room = [
        {
            "on disk": name,
            "MB a scan": f"{size / 1e6:.1f}",
            f"TB for {MANY:,}": f"{MANY * size / 1e12:.2f}",
        }
        for name, size in disk.items()
    ]
    held = [
        {
            "who knows of all cases": NAMES[stage],
            "kB a case": f"{1000 * per_unit(_of(by_cases, stage), 'cases'):.1f}",
            f"GB for {MANY:,}": f"{MANY * per_unit(_of(by_cases, stage), 'cases') / 1000:.1f}",
        }
        for stage in NAMES
    ]
    shape = " x ".join(map(str, whole["shape"]))
    return f"""
*Computed by `benchmarks/growth.py` from what it measured on {record["date"]}
({record["machine"]}, commit {record["commit"]}): scans of {shape} voxels of 1 mm, one
channel, one thread each. How time and memory grow is in [growth](../benchmarks/growth.md).*

{markdown_table(table)}

The hours on several cores are those on one, divided: cases know nothing of each other. Each process
that trains reads all cases by itself, and evaluation is one process.

{markdown_table(room)}

{markdown_table(held)}

The last table is the slope of peak memory against the number of cases, 10 to
{max(row["cases"] for row in by_cases):,}: what a process keeps of each case when all go through it.
For training it is what limits the number of cases: train on a part of them, or with more memory.

{_elsewhere()}
"""


def _elsewhere() -> str:
    """The same figures on real scans, as other pages have them."""
    compare = (ROOT / "benchmarks/compare.md").read_text(encoding="utf-8")
    seconds, peaks, costs = [], [], False
    for line in compare.splitlines():
        if line.startswith("| method"):
            costs = re.search(r"\| s +\| peak MB +\|$", line) is not None
        if costs and re.match(r"\| dal +\|", line):
            seconds.append(float(line.split("|")[-3]))
            peaks.append(float(line.split("|")[-2]))
    reliability = (ROOT / "benchmarks/reliability.md").read_text(encoding="utf-8")
    load = re.search(r"\| (\d+) +\| \d+ +\| (\d+), (\d+) MB", reliability)
    said = []
    if seconds and peaks:
        said.append(
            f"On real scans `dal` took {min(seconds):g} to {max(seconds):g} s a volume with all "
            f"cores\nof that machine, and {max(peaks) / 1000:.1f} GB at most "
            "([comparison](../benchmarks/compare.md))."
        )
    if load:
        said.append(
            f"Over {load[1]} volumes in one call memory went from {load[2]} to {load[3]} MB "
            "([reliability](../benchmarks/reliability.md))."
        )
    return "\n".join(said)


def _draw(record: Mapping[str, Any], target: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    panels = (("by_cases", "cases", "number of cases"), ("by_size", "voxels", "voxels of a volume"))
    for column, (series, by, label) in zip(axes.T, panels):
        for stage, name in NAMES.items():
            rows = _of(record[series], stage)
            x, style = [row[by] for row in rows], {"color": _COLOURS[stage], "marker": "o"}
            column[0].plot(
                x, [row["cpu_s"] for row in rows],
                label=f"{name} ({slope(rows, by):.2f})", **style,
            )  # fmt: skip
            column[1].plot(x, [row["peak_mb"] for row in rows], label=name, **style)
        reach = np.array([f([row[by] for row in record[series]]) for f in (min, max)])
        longest = max(row["cpu_s"] for row in record[series])
        column[0].plot(reach, longest * reach / reach[1], "k:", label="linear growth")
        column[0].set(xscale="log", yscale="log", ylabel="processor seconds", xlabel=label)
        column[0].legend(fontsize=8, title="stage (exponent)", title_fontsize=8)
        column[1].set(xscale="log", ylim=(0, None), ylabel="peak memory, MB", xlabel=label)
        column[1].legend(fontsize=8)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, format="png", dpi=90)
