"""`make bench`: how fast disanat is, beside nnU-Net and beside itself, in one run.

    python benchmarks/speed.py [--only preprocess predict beside fast evaluate train profiles]

Each part keeps what it found in `build/speed/PART.json`; the page is written from all there are,
so that a run that was interrupted, or a single part, goes on from there. Ratios count; seconds are
those of one machine.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import speed_evaluate
import speed_fast
import speed_predict
import speed_preprocess
import speed_train
from disanat.home import atomic_path, write_json
from speed_data import QUICK, WORK, described
from steps import ROOT, commit, machine

PAGE = "benchmarks/speed.md"
Found = dict[str, Any]


@dataclass(frozen=True)
class Part:
    title: str
    measure: Callable[[], Found]
    page: Callable[[Found], list[str]]


def parts(home: Path) -> dict[str, Part]:
    """By name, in the order of the page."""
    fast = partial(speed_fast.measure, home)
    beside = (speed_predict.measure_beside, speed_predict.page_beside)
    profiles = (speed_predict.measure_profiles, speed_predict.page_profiles)
    return {
        "preprocess": Part("Preprocessing", speed_preprocess.measure, speed_preprocess.page),
        "train": Part("A training step", speed_train.measure, speed_train.page),
        "predict": Part("Prediction of a folder", speed_predict.measure, speed_predict.page),
        "beside": Part("Prediction of one volume, beside nnU-Net", *beside),
        "fast": Part("What --fast costs", fast, speed_fast.page),
        "evaluate": Part("Evaluation and answers", speed_evaluate.measure, speed_evaluate.page),
        "profiles": Part("Where the time went, before and after", *profiles),
    }


def _kept(name: str) -> Path:
    return WORK / f"{name}.json"


def _measure(name: str, part: Part, written_here: tuple[str, ...]) -> None:
    print(f"{name} ...", flush=True)
    began = time.monotonic()
    found = part.measure()
    write_json(
        {
            "found": found,
            "minutes": (time.monotonic() - began) / 60,
            "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
            "commit": commit(written_here),
            "machine": machine(),
        },
        _kept(name),
    )


def page(all_parts: dict[str, Part]) -> str:
    """From what the parts kept."""
    lines = [
        "# Speed",
        "",
        "Written by `benchmarks/speed.py` (`make bench`); not edited by hand. What counts are "
        "ratios within a part: its runs took turns on one machine.",
        "",
        f"- scans: {described()}",
        f"- torch {torch.__version__}; all cores that there are, for both programs",
    ]
    for name, part in all_parts.items():
        lines += ["", f"## {part.title}", ""]
        if not _kept(name).exists():
            lines += [f"Not measured yet: `python benchmarks/speed.py --only {name}`."]
            continue
        kept = json.loads(_kept(name).read_text(encoding="utf-8"))
        lines += part.page(kept["found"])
        lines += [
            "",
            f"{kept['date']}, commit {kept['commit']}, {kept['machine']}; "
            f"{kept['minutes']:.1f} min.",
        ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="for --only fast")
    all_names = list(parts(ROOT))
    parser.add_argument("--only", nargs="+", choices=all_names, default=all_names)
    parser.add_argument("--quick", action="store_true", help="only see that every part runs")
    default = WORK / "speed.md" if QUICK else ROOT / PAGE
    parser.add_argument("--page", type=Path, default=default)
    args = parser.parse_args()
    chosen = parts(args.home)
    for name in args.only:
        _measure(name, chosen[name], (PAGE,))
        with atomic_path(args.page) as temporary:
            temporary.write_text(page(chosen), encoding="utf-8")
    print(page(chosen))


if __name__ == "__main__":
    main()
