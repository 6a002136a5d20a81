"""Every method on all sets of `make real`, by `disanat_compare`, and what that says of `dal`.

`benchmarks/compare.md` is only ever written by this script. It needs what `make real` converts and
plans; methods that were trained with the same plan are taken as they are.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from disanat.errors import DatasetError, DisanatError
from disanat.evaluation.bootstrap import estimate_mean
from disanat.home import atomic_path
from disanat.methods.registry import method_names
from disanat.reporting.markdown import markdown_table
from steps import ROOT, Commands, commit, machine

PAGE = "benchmarks/compare.md"
OURS = "dal"
ASKED = {"average_precision": 0.1832, "best_dice": 0.1364}
"""What the paper claims over the best other method (Yang et al., 2026), in AP and Dice."""
NAMES = {"average_precision": "AP", "best_dice": "best_dice"}
PUBLISHED = (
    ("ae", "MSLUB FLAIR", "0.163", "0.271", "Meissen et al., arXiv 2109.06023"),
    ("threshold", "MSLUB FLAIR", "0.271", "0.374", "Meissen et al., arXiv 2109.06023"),
    ("dae", "BraTS2021, slices", "0.755", "0.711", "MedIAnomaly, table 7"),
    ("pddpm", "BraTS / MSLUB", "-", "0.438 / 0.104", "as re-reported by others"),
)
"""Method, set, AP, best Dice and source: other scans, other masks and other preprocessing."""


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The comparison's table as `disanat_compare` wrote it, a row for each set and method."""
    source = folder / "compare.csv"
    if not source.exists():
        raise DatasetError(f"{source} is not there: the comparison wrote no table.")
    with open(source, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def verdict(rows: Sequence[dict[str, str]], measure: str) -> tuple[list[dict[str, str]], str]:
    """`dal` against the best other method of each set, and the mean over the sets in words."""
    table, gains = [], []
    for name in dict.fromkeys(row["set"] for row in rows):
        scores = {r["method"]: float(r[measure]) for r in rows if r["set"] == name and r[measure]}
        others = {method: score for method, score in scores.items() if method != OURS}
        if OURS not in scores or not others:
            continue
        best = max(others, key=lambda method: others[method])
        gains.append(scores[OURS] - others[best])
        table.append(
            {
                "set": name,
                "dal": f"{scores[OURS]:.3f}",
                "best other": f"{others[best]:.3f} ({best})",
                "dal - best other": f"{gains[-1]:+.3f}",
            }
        )
    found = estimate_mean(gains)
    said = (
        f"{NAMES[measure]}: **{np.mean(gains):+.3f}** over the best other method of each set, mean "
        f"over {len(gains)} sets (95% interval over sets {found.text()}); the paper claims "
        f"+{ASKED[measure]:.3f} over the best other method of all sets."
    )
    return table, said


def about_longer(rows: Sequence[dict[str, str]], longer: Sequence[dict[str, str]]) -> list[str]:
    """The verdict on a `dal` that was trained for longer, against the same others."""
    theirs = [row for row in longer if row["method"] == OURS]
    joined = [*(row for row in rows if row["method"] != OURS), *theirs]
    first = theirs[0]
    return [
        "## The model that ships, against the same others",
        "",
        f"`dal` trained for {first['epochs']} x {first['steps']} x {first['batch_size']} samples"
        f" ({first['minutes']} min), from the weights of an earlier training: no equal budget.",
        "",
        *(verdict(joined, measure)[1] for measure in ASKED),
        "",
        markdown_table(verdict(joined, "average_precision")[0]),
        "",
    ]


def page(folder: Path, home: Path, longer: Path | None = None) -> str:
    """The page: the verdict, then the comparison's own tables."""
    rows = rows_of(folder)
    text = (folder / "compare.md").read_text(encoding="utf-8").replace(f"{home}/", "")
    text = text.replace(f"{home.resolve()}/", "")
    body = re.sub(r"^!\[.*\n", "", text.partition("\n")[2], flags=re.M)
    judged = [verdict(rows, measure) for measure in ASKED]
    published = [
        dict(zip(("method", "set", "AP", "best_dice", "source"), entry)) for entry in PUBLISHED
    ]
    return "\n".join(
        [
            "# All methods on real lesions",
            "",
            "Written by `benchmarks/compare.py`; not edited by hand. Trained on healthy scans and",
            "label maps; few cases a set: read differences accordingly. Budgets are samples seen",
            "(epochs x steps x batch), as the table of trainings says. `dal` alone learns from",
            "synthetic lesions.",
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}",
            "",
            "## `dal` against the best other method of each set",
            "",
            *(said for _, said in judged),
            "",
            "AP:",
            "",
            markdown_table(judged[0][0]),
            "",
            *(about_longer(rows, rows_of(longer)) if longer else []),
            body.replace("\n# ", "\n## ").strip(),
            "",
            "## What their authors published",
            "",
            "On other scans of these diseases, prepared otherwise, each method at its best Dice.",
            "",
            markdown_table(published),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("-m", "--methods", nargs="+", default=list(method_names()))
    parser.add_argument("--epochs", type=int, help="of each training (default: to its plateau)")
    parser.add_argument("--name", default="all_methods", help="of the comparison")
    parser.add_argument(
        "--longer", type=Path, metavar="FOLDER",
        help="another comparison, from which the page takes the `dal` of a longer training too",
    )  # fmt: skip
    args = parser.parse_args()
    home = args.home.resolve()
    epochs = ["--epochs", str(args.epochs)] if args.epochs else []
    Commands(home).run(
        "disanat_compare", "-d", "5", "-c", "2d", "-m", *args.methods, "--name", args.name,
        *epochs, accept=(0, 1),
    )  # fmt: skip
    found = sorted(home.glob(f"results/*/comparisons/{args.name}"))
    try:
        text = page(found[0], home, args.longer)
    except DisanatError as mistake:
        parser.error(str(mistake))
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
