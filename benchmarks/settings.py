"""What norms and steps of preparation do to a method: one training each, all else alike.

`benchmarks/settings.md` is only ever written by this script. It needs what `make real` converts;
what is planned, trained or predicted already is taken as it is.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from compare import rows_of
from contrast_shifts import SHIFTS
from disanat.evaluation.bootstrap import estimate_mean
from disanat.home import atomic_path, resolve_home
from disanat.plans import Plans, load_json
from disanat.reporting.markdown import markdown_table
from disanat.synthesis.probes import PROBE_KINDS, paste_probe
from disanat.tissues import class_kinds
from held_out import Judged, judge
from steps import ROOT, Commands, commit, machine

PAGE = "benchmarks/settings.md"
DATASET = "5"
USUAL = "as planned"
SETTINGS: dict[str, tuple[str, ...]] = {
    USUAL: (),
    "group norm": ("--norm", "group"),
    "layer norm": ("--norm", "layer"),
    "N4": ("--bias_correction",),
    "one scale": ("--standardisation", "dataset"),
    "no resampling": ("--no_resampling",),
}
NORMS = (USUAL, "group norm", "layer norm")
MEASURES = {"AP": "average_precision", "best_dice": "best_dice", "dice": "stored_dice"}
PROBE_ML = (3.0, 10.0)
UNCHANGED = "as it is"


def plan_name(setting: str) -> str:
    """The plan that belongs to a setting."""
    return f"settings-{setting.replace(' ', '-')}"


def train(args: argparse.Namespace, setting: str) -> dict[str, dict[str, str]]:
    """Plan, train, predict and evaluate what is not there yet; the table's rows by set."""
    home, name = args.home, plan_name(setting)
    commands = Commands(home)
    if not list(home.glob(f"preprocessed/*/plans_{name}/2d/*.json")):
        commands.run(
            "disanat_plan_and_preprocess", "-d", DATASET, "-c", "2d", "--plans_name", name,
            "--overwrite_target_spacing", *args.spacing, *SETTINGS[setting],
        )  # fmt: skip
    commands.run(
        "disanat_compare", "-d", DATASET, "-c", "2d", "-p", name, "-m", args.method,
        "--epochs", args.epochs, "--name", name, accept=(0, 1),
    )  # fmt: skip
    [folder] = home.glob(f"results/*/comparisons/{name}")
    return {row["set"]: row for row in rows_of(folder)}


def setting_rows(found: Mapping[str, Mapping[str, Mapping[str, str]]]) -> list[dict[str, str]]:
    """A row a setting: means over the sets that all have, and what it changes in AP."""
    shared = set.intersection(*(set(rows) for rows in found.values()))
    sets = sorted(s for s in shared if all(rows[s]["average_precision"] for rows in found.values()))
    table = []
    for setting, rows in found.items():
        row = {"setting": setting, "sets": str(len(sets))}
        for name, column in MEASURES.items():
            row[name] = f"{np.mean([float(rows[s][column]) for s in sets]):.3f}"
        row["AP - as planned"] = "-"
        if setting != USUAL and USUAL in found:
            column = MEASURES["AP"]
            changes = [float(rows[s][column]) - float(found[USUAL][s][column]) for s in sets]
            row["AP - as planned"] = estimate_mean(changes).text()
        first = next(iter(rows.values()))
        row["training"] = f"{first['epochs']} x {first['steps']} x {first['batch_size']}"
        row["minutes"] = first["minutes"]
        table.append(row)
    return table


def shifted(judged: Judged, seed: int) -> dict[str, list[float]]:
    """AP of a pasted probe in each case, as it is and under each change of its intensities."""
    fluid = class_kinds(judged.model.method.scheme, "csf")
    calibration = judged.model.calibration
    found: dict[str, list[float]] = {}
    for number, case in enumerate(tqdm(judged.cases, desc="shifts", disable=None)):
        rng = np.random.default_rng([seed, number])
        volume = float(rng.uniform(*PROBE_ML))
        kind = PROBE_KINDS[number % len(PROBE_KINDS)]
        probe = paste_probe(rng, case.image, case.tissue, fluid, case.spacing, kind, volume)
        shown = {
            UNCHANGED: probe.image,
            **{s: make(rng, probe.image, case.brain, case.spacing) for s, make in SHIFTS.items()},
        }
        for name, image in shown.items():
            channel, _ = judged.channel(image, case.brain)
            [result] = judged.model.method.predict([channel])
            joined = result.joined(calibration.shares_for(result.contrast))
            score = calibration(joined, result.contrast, case.brain)
            truth = probe.mask[case.brain]
            found.setdefault(name, []).append(
                float(average_precision_score(truth, score[case.brain]))
            )
    return found


def shift_rows(found: Mapping[str, Mapping[str, Sequence[float]]]) -> list[dict[str, str]]:
    """A row a change, a column a norm: mean AP, and what it keeps of that of the scan as it is."""
    rows = []
    for name in next(iter(found.values())):
        row = {"scan": name}
        for setting, values in found.items():
            mean, whole = np.mean(values[name]), np.mean(values[UNCHANGED])
            kept = "" if name == UNCHANGED else f" ({mean / whole:.0%})"
            row[setting] = f"{mean:.3f}{kept}"
        rows.append(row)
    return rows


def page(args: argparse.Namespace, trained: list[dict[str, str]], shifts: list[str]) -> str:
    """The page."""
    return "\n".join(
        [
            "# Norms and steps of preparation",
            "",
            "Written by `benchmarks/settings.py`; not edited by hand. Each setting is planned,",
            f"trained (`{args.method}` at {' x '.join(args.spacing)} mm, {args.epochs} epochs, one",
            "seed) and judged on the sets of `make real` like the others. One training a setting:",
            "differences of a few hundredths may be chance.",
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}",
            "",
            "## On real lesions",
            "",
            "Means over the sets. AP - as planned: mean over the sets with its 95% interval. dice:",
            "at the threshold that healthy scans chose.",
            "",
            markdown_table(trained),
            "",
            *shifts,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("-m", "--method", default="dal")
    parser.add_argument("--epochs", type=int, default=40, help="of each training (default: 40)")
    parser.add_argument("--spacing", nargs=3, default=["2", "2", "2"], help="mm (default: 2 2 2)")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--cases", type=int, default=8, help="healthy scans for the shifts")
    parser.add_argument("--seed", type=int, default=0, help="of the shifts (default: 0)")
    args = parser.parse_args()
    args.home, args.device = args.home.resolve(), "cpu"
    found = {setting: train(args, setting) for setting in args.settings}
    norms = [s for s in NORMS if s in found] if args.method == "dal" else []
    shifts = {}
    for setting in norms:
        name = plan_name(setting)
        plan = next(resolve_home(args.home).preprocessed.glob(f"*/plans_{name}/plans.json"))
        dataset = load_json(plan, Plans).dataset
        models = args.home / "results" / dataset / "comparisons" / name / "models"
        args.model = str(next(models.glob("dal*/**/model.json")).parent)
        shifts[setting] = shifted(judge(args), args.seed)
    told = []
    if shifts:
        told = [
            "## Norms under other intensities and artefacts",
            "",
            f"{args.cases} healthy scans that no network was trained on, each with a lesion of a",
            f"kind that training never sees ({PROBE_ML[0]:g} to {PROBE_ML[1]:g} mL): mean AP, and",
            "its share of the AP on the scan as it is.",
            "",
            markdown_table(shift_rows(shifts)),
            "",
        ]
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(page(args, setting_rows(found), told), encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
