"""What training on all contrasts costs the rivals: the same trained on their own contrast alone.

`benchmarks/one_contrast.md` is only ever written by this script. It needs a comparison of
`benchmarks/compare.py`, whose models, trained on all contrasts, it takes as the other side.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from compare import rows_of
from disanat.experiments.measure import measure
from disanat.experiments.sets import raw_sets
from disanat.home import atomic_path, resolve_home
from disanat.reporting.markdown import markdown_table
from steps import ROOT, Commands, commit, machine

PAGE = "benchmarks/one_contrast.md"
ABLATION = "t1_only"
"""Training sees the healthy scans as they are, all T1."""
OWN = ("_T1", "_T1c")
"""Sets whose scans look like the healthy ones, or nearly so."""


def one_contrast(args: argparse.Namespace, method: str, sets: Sequence[str]) -> dict[str, float]:
    """Mean AP of each set, by a model that was trained on the healthy scans as they are."""
    folder = args.home / "results" / args.dataset / f"{method}__2d__{ABLATION}" / "fold_0"
    if not (folder / "model.json").exists():
        Commands(args.home).run(
            "disanat_train", "-d", args.dataset, "-c", "2d", "-np", "0", "-m", method,
            "--epochs", args.epochs, "--ablate", ABLATION,
        )  # fmt: skip
    found = {}
    for one in raw_sets(resolve_home(args.home)):
        if one.name in sets:
            target = folder / "predictions" / one.name
            estimate = measure(folder, one, target, "cpu").evaluation.average_precision
            found[one.name] = float("nan") if estimate.mean is None else estimate.mean
    return found


def all_contrasts(args: argparse.Namespace, methods: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean AP by method and set, from the comparison."""
    folder = args.home / "results" / args.dataset / "comparisons" / args.name
    found: dict[str, dict[str, float]] = {method: {} for method in methods}
    for row in rows_of(folder):
        if row["method"] in found and row["set"].endswith(OWN):
            found[row["method"]][row["set"]] = float(row["average_precision"])
    return found


def table(
    everything: Mapping[str, Mapping[str, float]], alone: Mapping[str, Mapping[str, float]]
) -> list[dict[str, str]]:
    """A row a set, for each method both trainings; the means below."""
    names = sorted({name for values in alone.values() for name in values})
    rows = []
    for name in (*names, "mean"):
        row = {"set": name}
        for method in alone:
            for kind, values in (("all", everything[method]), ("T1", alone[method])):
                mean = np.mean([values[n] for n in names]) if name == "mean" else values[name]
                row[f"{method}, {kind}"] = f"{mean:.3f}"
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("-d", "--dataset", default="Dataset005_IXI", help="full name")
    parser.add_argument("-m", "--methods", nargs="+", default=["dae"])
    parser.add_argument("--epochs", type=int, default=40, help="as in the comparison (default: 40)")
    parser.add_argument("--name", default="all_methods", help="of the comparison")
    args = parser.parse_args()
    args.home = args.home.resolve()
    everything = all_contrasts(args, args.methods)
    sets = sorted({name for values in everything.values() for name in values})
    alone = {method: one_contrast(args, method, sets) for method in args.methods}
    text = "\n".join(
        [
            "# Rivals trained on one contrast",
            "",
            "Written by `benchmarks/one_contrast.py`; not edited by hand. Mean AP on the T1 sets",
            "of methods that were trained on all rendered contrasts (all), and on the healthy T1",
            f"scans as they are (T1), {args.epochs} epochs each. T1c is T1 with contrast agent.",
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}",
            "",
            markdown_table(table(everything, alone)),
            "",
        ]
    )
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
