"""What the parts of the mask's rule are worth, on synthetic lesions in healthy scans.

`benchmarks/mask_rule.md` is only ever written by this script. Real lesions have no part in it.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.errors import DisanatError
from disanat.home import atomic_path, resolve_home
from disanat.inference.find import find_model
from disanat.inference.model import Model, load_model
from disanat.reporting.markdown import markdown_table
from disanat.scoring.mask import (
    LEVELS,
    ChosenRules,
    MaskCounts,
    MaskRule,
    choose_mask_rules,
    count_voxels,
    told_rules,
)
from disanat.training.calibrate import with_either_kind
from disanat.training.looks import LOOKS, predictions
from disanat.training.splits import split_stored
from disanat.training.train import cases_folder
from steps import ROOT, commit, machine, synthetic_lesion_parser

PAGE = "benchmarks/mask_rule.md"
KINDS = {"t1": "T1-like", "t2": "T2-like", "flair": "FLAIR-like"}


@dataclass
class Half:
    """What every rule would find in the looks of half of the cases, by their kind of contrast."""

    healthy: list[MaskCounts] = field(default_factory=list)
    healthy_kinds: list[str] = field(default_factory=list)
    lesions: list[MaskCounts] = field(default_factory=list)
    lesion_kinds: list[str] = field(default_factory=list)

    def without_peak(self) -> Half:
        """The same, with rules alone that have no peak above their threshold."""
        bare = Half(healthy_kinds=self.healthy_kinds, lesion_kinds=self.lesion_kinds)
        bare.healthy = [_diagonal(one) for one in self.healthy]
        bare.lesions = [_diagonal(one) for one in self.lesions]
        return bare


def _diagonal(counts: MaskCounts) -> MaskCounts:
    """As if rules with a peak found all voxels there are, and no lesion."""
    plain = np.eye(LEVELS.size, dtype=bool)
    everything = np.iinfo(np.int64).max // 4
    return MaskCounts(
        np.where(plain, counts.found, everything), np.where(plain, counts.hits, 0), counts.lesion
    )


def halves(model: Model, home: Path, number: int, seed: int) -> tuple[Half, Half]:
    """The looks of validation cases of the model's training, every other one in each half."""
    folder = cases_folder(resolve_home(home), model.plans, model.configuration)
    names = split_stored(folder, "0").watched[:number]
    found = Half(), Half()
    volumes = 3 * len(names) * len(LOOKS)
    rng = np.random.default_rng(seed)
    with tqdm(total=volumes, disable=None) as bar:
        for place, half in enumerate(found):
            own = names[place::2]
            for shown, with_lesion in ((own, False), (with_either_kind(own), True)):
                for one in predictions(
                    rng, model.method, model.configuration, folder, shown, with_lesion
                ):
                    kind = one.result.contrast
                    joined = one.result.joined(model.calibration.shares_for(kind))
                    rarity = np.where(one.brain, model.calibration(joined, kind, one.brain), 0)
                    if with_lesion:
                        half.lesions.append(count_voxels(rarity, one.truth))
                        half.lesion_kinds.append(kind)
                    else:
                        half.healthy.append(count_voxels(rarity))
                        half.healthy_kinds.append(kind)
                    bar.update()
    return found


def row(name: str, chosen: ChosenRules, judge: Half, voxel_ml: float) -> dict[str, str]:
    """What rules, chosen on one half, do in the other."""

    def at(kind: str) -> tuple[int, ...]:
        return _place(chosen.own.get(kind, chosen.common))

    ill = zip(judge.lesions, judge.lesion_kinds, strict=True)
    clean_ones = zip(judge.healthy, judge.healthy_kinds, strict=True)
    dice = np.array([one.dice()[at(kind)] for one, kind in ill])
    volumes = np.array([one.found[at(kind)] for one, kind in clean_ones]) * voxel_ml
    own = {
        f"Dice, {told}": _mean(dice[np.array(judge.lesion_kinds) == kind])
        for kind, told in KINDS.items()
    }
    clean = {
        f"FP mL, {told}": _median(volumes[np.array(judge.healthy_kinds) == kind])
        for kind, told in KINDS.items()
    }
    told = told_rules(chosen.common, chosen.own)
    return {"rule": name, "threshold": told, "Dice": _mean(dice)} | own | clean


def _place(rule: MaskRule) -> tuple[int, ...]:
    return tuple(int(np.flatnonzero(value == LEVELS)[0]) for value in (rule.threshold, rule.peak))


def _mean(values: np.ndarray) -> str:
    return f"{values.mean():.3f}" if values.size else "n/a"


def _median(values: np.ndarray) -> str:
    return f"{np.median(values):.2f}" if values.size else "n/a"


def rows(found: tuple[Half, Half], voxel_ml: float) -> list[dict[str, str]]:
    """Each half chooses, the other judges; without and with a peak, common and by kind."""
    table = []
    for chooser, judge, told in ((*found, "first"), (*found[::-1], "second")):
        bare = chooser.without_peak()
        for name, half, kinds in (
            ("no peak", bare, ()),
            ("with a peak", chooser, ()),
            ("no peak, by kind of contrast", bare, bare.lesion_kinds),
            ("with a peak, by kind of contrast", chooser, chooser.lesion_kinds),
        ):
            chosen = choose_mask_rules(
                half.healthy, half.lesions, voxel_ml, half.healthy_kinds, kinds
            )
            table.append(row(f"{name}, chosen on the {told} half", chosen, judge, voxel_ml))
    best = np.mean([one.dice().max() for half in found for one in half.lesions])
    last = {"rule": "the best rule of each look, both halves", "Dice": f"{best:.3f}"}
    return [*table, dict.fromkeys(table[0], "") | last]


def page(
    model: Model, args: argparse.Namespace, table: Sequence[dict[str, str]], minutes: float
) -> str:
    """The whole page."""
    return "\n".join(
        [
            "# What the parts of the mask's rule are worth",
            "",
            "Written by `benchmarks/mask_rule.py`; not edited by hand. Mean Dice of masks against",
            "synthetic lesions in healthy scans that trained nothing (the validation cases), as",
            "they are and rendered as T2 and FLAIR, and the volume marked in the median of the",
            "same scans without lesions. Every other case chooses a rule, as the calibration does:",
            "the best mean Dice at no more than 1 mL in the median healthy brain of each kind of",
            "contrast. The rest judge it, and the other way round. *By kind of contrast*: a kind",
            "may have a rule of its own, which has to keep that kind alone clean.",
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}; {minutes:.0f} min",
            f"- model: {args.model}, {args.cases} cases",
            "",
            markdown_table(table),
            "",
            "What threshold and peak are: [method.md](../documentation/method.md#threshold).",
            "",
        ]
    )


def main() -> int:
    args = synthetic_lesion_parser((__doc__ or "").splitlines()[0]).parse_args()
    start = time.monotonic()
    try:
        model = load_model(find_model(resolve_home(args.home), args.model))
        found = halves(model, args.home, args.cases, args.seed)
    except DisanatError as error:
        print(error, file=sys.stderr)
        return 1
    table = rows(found, float(np.prod(model.configuration.spacing)) / 1000)
    text = page(model, args, table, (time.monotonic() - start) / 60)
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
