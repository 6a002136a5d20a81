"""What each part of the score of `dal` is worth, on synthetic lesions in healthy scans.

`benchmarks/score_parts.md` is only ever written by this script. Real lesions have no part in it.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from disanat.errors import DisanatError
from disanat.home import atomic_path, resolve_home
from disanat.inference.find import find_model
from disanat.inference.model import Model, load_model
from disanat.reporting.markdown import markdown_table
from disanat.training.looks import LOOKS, predictions
from disanat.training.splits import split_stored
from disanat.training.train import cases_folder
from steps import ROOT, commit, machine, synthetic_lesion_parser

PAGE = "benchmarks/score_parts.md"
FIRST, JOINED = "likelihood ratio and place", "whole score"
LARGE_ML = 5.0


@dataclass(frozen=True)
class Volume:
    """One look with one synthetic lesion: by the part's name, the average precision."""

    contrast: str
    probe: bool
    lesion_ml: float
    reached: dict[str, float]


GROUPS: dict[str, Callable[[Volume], bool]] = {
    "all": lambda v: True,
    "as training knows": lambda v: not v.probe,
    "probes": lambda v: v.probe,
    "T1-like": lambda v: v.contrast == "t1",
    "T2-like": lambda v: v.contrast == "t2",
    "FLAIR-like": lambda v: v.contrast == "flair",
    "under 5 mL": lambda v: v.lesion_ml < LARGE_ML,
    "5 mL and more": lambda v: v.lesion_ml >= LARGE_ML,
}


def judged(model: Model, home: Path, number: int, seed: int) -> Iterator[Volume]:
    """The volumes, of validation cases of the model's training."""
    folder = cases_folder(resolve_home(home), model.plans, model.configuration)
    names = split_stored(folder, "0").watched[:number]
    voxel_ml = float(np.prod(model.configuration.spacing)) / 1000
    shown = predictions(
        np.random.default_rng(seed), model.method, model.configuration, folder, names, True
    )
    for one in tqdm(shown, total=len(names) * len(LOOKS), disable=None):
        truth, first = one.truth[one.brain], one.result.score[one.brain]
        further = {name: part[one.brain] for name, part in one.result.further.items()}
        shares = model.calibration.shares_for(one.result.contrast)
        weighed = {name: shares[name] * part for name, part in further.items()}
        whole = first + sum(weighed.values())
        scores = {JOINED: whole, FIRST: first, **{f"{n} alone": p for n, p in further.items()}}
        scores |= {f"without the {n}": whole - p for n, p in weighed.items()}
        scores["without the ratio"] = whole - first
        yield Volume(
            one.result.contrast,
            one.probed,
            float(truth.sum()) * voxel_ml,
            {name: float(average_precision_score(truth, s)) for name, s in scores.items()},
        )


def rows(volumes: list[Volume]) -> list[dict[str, str]]:
    """A row a part, a column a group of volumes; the first row counts them."""
    chosen = {name: [v for v in volumes if fits(v)] for name, fits in GROUPS.items()}
    counts = {"score": "volumes", **{name: str(len(group)) for name, group in chosen.items()}}
    return [
        counts,
        *(
            {
                "score": part,
                **{
                    name: f"{np.mean([v.reached[part] for v in group]):.3f}" if group else "n/a"
                    for name, group in chosen.items()
                },
            }
            for part in volumes[0].reached
        ),
    ]


def page(model: Model, args: argparse.Namespace, volumes: list[Volume], minutes: float) -> str:
    """The whole page."""
    return "\n".join(
        [
            "# What each part of the score is worth",
            "",
            "Written by `benchmarks/score_parts.py`; not edited by hand. Mean average precision in",
            "the brain, on synthetic lesions in healthy scans that trained nothing (the validation",
            "cases), as they are and rendered as T2 and FLAIR. Every other lesion is a probe, of a",
            "kind that no network was trained on. Healthy vessels are in the looks, as training",
            "draws them. Synthetic lesions need not rank scores as real ones do: see what was",
            "tried and not taken in",
            "[method.md](../documentation/method.md#tried-and-not-taken).",
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}; {minutes:.0f} min",
            f"- model: {args.model}; shares: {model.calibration.told_shares()}",
            "",
            markdown_table(rows(volumes)),
            "",
            "What the parts are: [method.md](../documentation/method.md#score).",
            "",
        ]
    )


def main() -> int:
    args = synthetic_lesion_parser((__doc__ or "").splitlines()[0]).parse_args()
    start = time.monotonic()
    try:
        model = load_model(find_model(resolve_home(args.home), args.model))
        volumes = list(judged(model, args.home, args.cases, args.seed))
    except DisanatError as error:
        print(error, file=sys.stderr)
        return 1
    text = page(model, args, volumes, (time.monotonic() - start) / 60)
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
