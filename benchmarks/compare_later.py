"""A method that came after the comparison of all: its row in `benchmarks/compare.md`.

    python benchmarks/compare_later.py -m ccddpm --epochs 40

It is trained and judged as the others were, and set beside what the page says of them. `threshold`,
which needs no training, is judged again: how far its figures moved says what later versions of the
pipeline changed. When all methods are compared anew (`compare.py`), the section goes.
"""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from compare import PAGE, rows_of
from disanat.errors import DatasetError
from disanat.home import atomic_path
from disanat.reporting.markdown import markdown_table
from steps import ROOT, Commands, commit, machine

AGAIN = "threshold"
TITLE = "## Methods that came later"
BEFORE = "## Training\n"

Scores = dict[str, dict[str, float]]
"""By set and method, the AP."""


def scores_on(page: str) -> Scores:
    """What the page says of each set.

    Raises:
        DatasetError: it has no table of any set.
    """
    found: Scores = {}
    for name, table in re.findall(r"^## (\w+)\n\n\| method +\| cases.*\n\|[-|]+\n((?:\|.*\n)+)",
                                  page, flags=re.M):  # fmt: skip
        for line in table.splitlines():
            method, _, precision = (cell.strip() for cell in line.split("|")[1:4])
            found.setdefault(name, {})[method] = float(precision.split()[0])
    if not found:
        raise DatasetError(f"{PAGE} holds no table of a set: run benchmarks/compare.py first.")
    return found


def rank(precision: float, others: Mapping[str, float]) -> float:
    """Place among the others and itself, 1 is best, ties share."""
    above = sum(other > precision for other in others.values())
    return 1 + above + 0.5 * sum(other == precision for other in others.values())


def section(known: Scores, rows: Sequence[dict[str, str]]) -> str:
    """The section of the methods in `rows`, with a row a set."""
    later: Scores = {}
    for row in rows:
        if row["average_precision"]:
            later.setdefault(row["set"], {})[row["method"]] = float(row["average_precision"])
    sets = [name for name in known if name in later]
    methods = [m for m in dict.fromkeys(row["method"] for row in rows) if m != AGAIN]
    table = []
    for name in [*sets, "mean"]:
        chosen = sets if name == "mean" else [name]
        one = {"set": name}
        for title, source in (("page", known), ("again", later)):
            one[f"{AGAIN}: AP, {title}"] = f"{np.mean([source[s][AGAIN] for s in chosen]):.3f}"
        for method in methods:
            precisions = [later[s][method] for s in chosen]
            places = [rank(later[s][method], known[s]) for s in chosen]
            one[f"{method}: AP"] = f"{np.mean(precisions):.3f}"
            one[f"{method}: place"] = f"{np.mean(places):.2f}"
        for method in (m for m in ("cddpm", "dal") if m in known[sets[0]]):
            one[f"{method}: AP, page"] = f"{np.mean([known[s][method] for s in chosen]):.3f}"
        table.append(one)
    trainings = [
        f"- `{row['method']}`: {row['parameters']} parameters,"
        f" {row['epochs']} x {row['steps']} x {row['batch_size']} samples,"
        f" {row['minutes']} min; Dice at the best threshold {_mean(rows, row, 'best_dice')},"
        f" at the stored one {_mean(rows, row, 'stored_dice')}"
        for row in {r["method"]: r for r in rows if r["method"] != AGAIN}.values()
    ]
    return "\n".join(
        [
            TITLE,
            "",
            "Trained and judged like the others, by `benchmarks/compare_later.py`"
            f" ({datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}, {machine()}).",
            "place: among the methods of this page and itself, by AP, 1 is best. Figures of the",
            f"others are the page's; `{AGAIN}` was judged again, by the code as it is now.",
            "",
            *trainings,
            "",
            markdown_table(table),
            "",
            "",
        ]
    )


def _mean(rows: Sequence[dict[str, str]], of: dict[str, str], measure: str) -> str:
    values = [float(r[measure]) for r in rows if r["method"] == of["method"] and r[measure]]
    return f"{np.mean(values):.3f}"


def inserted(page: str, text: str) -> str:
    """The page with the section in it, in place of an earlier one."""
    page = re.sub(rf"^{TITLE}\n.*?(?=^## )", "", page, flags=re.M | re.S)
    before, mark, after = page.partition(BEFORE)
    return before + text + mark + after


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("-m", "--methods", nargs="+", required=True)
    parser.add_argument("--epochs", type=int, default=40, help="of each training (default: 40)")
    args = parser.parse_args()
    home, page = args.home.resolve(), ROOT / PAGE
    Commands(home).run(
        "disanat_compare", "-d", "5", "-c", "2d", "-m", AGAIN, *args.methods, "--name", "later",
        "--epochs", str(args.epochs), accept=(0, 1),
    )  # fmt: skip
    [folder] = home.glob("results/*/comparisons/later")
    try:
        text = section(scores_on(page.read_text(encoding="utf-8")), rows_of(folder))
    except DatasetError as mistake:
        parser.error(str(mistake))
    whole = inserted(page.read_text(encoding="utf-8"), text)
    with atomic_path(page) as temporary:
        temporary.write_text(whole, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
