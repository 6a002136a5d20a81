"""`make demo`: everything from raw data to a table, on simulated brains, in ten minutes or so."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

from dataset_conversion import simulated
from disanat.errors import DatasetError
from disanat.evaluation.evaluate import label_path
from disanat.home import Home, atomic_path, read_json
from disanat.io.cases import find_cases
from disanat.reporting.markdown import markdown_table
from disanat.reporting.panels import PanelRow, case_panel, set_panel
from steps import ROOT, Commands, Stopwatch, commit, machine

HOME = Path("demo_home")
SCANS = HOME / "raw" / "Dataset005_Simulated" / "imagesTs"
LABELS = HOME / "raw" / "Dataset005_Simulated" / "labelsTs"
MEASURES = (("average_precision", "AP"), ("best_dice", "best_dice"), ("stored_dice", "dice"))
METHODS = ("dal", "threshold")
NOTICE = """\
disanat demo
The brains in this demo are SIMULATED: healthy ones are random deformations of the grey- and
white-matter maps that nilearn ships, rendered in several contrasts; the lesions of the test cases
are painted by a computer. The numbers at the end show that the parts work together. They say
nothing about real patients."""


def run_commands(commands: Commands, watch: Stopwatch) -> None:
    """The three commands as a user types them, their evaluation, and the same for the baseline."""
    dal, baseline = (HOME / "predictions" / method for method in METHODS)
    with watch.step("plan and preprocess"):
        commands.run("disanat_plan_and_preprocess", "-d", "5")
    with watch.step("train"):
        commands.run("disanat_train")
    with watch.step("predict"):
        commands.run("disanat_predict", "-i", SCANS, "-o", dal)
    with watch.step("evaluate"):
        commands.run("disanat_evaluate", "-i", dal, "-l", LABELS)
    with watch.step("baseline"):
        commands.run("disanat_train", "-d", "5", "-m", "threshold")
        commands.run("disanat_predict", "-m", "threshold", "-d", "5", "-i", SCANS, "-o", baseline)
        commands.run("disanat_evaluate", "-i", baseline, "-l", LABELS)


def result_rows() -> list[dict[str, str]]:
    """A row for each case with lesions, and the mean."""
    found = {
        method: read_json(
            HOME / "predictions" / method / "evaluation.json", DatasetError, "run make demo again"
        )
        for method in METHODS
    }
    cases = {m: {c["case"]: c for c in e["cases"]} for m, e in found.items()}
    rows = []
    for name, case in cases["dal"].items():
        row = {"case": name, "lesion mL": f"{case['lesion_ml']:.1f}"}
        for key, title in MEASURES:
            for method in METHODS:
                value = cases[method].get(name, {}).get(key)
                row[f"{title} {method}"] = "n/a" if value is None else f"{value:.3f}"
        rows.append(row)
    mean = {"case": "mean", "lesion mL": ""}
    for key, title in MEASURES:
        for method in METHODS:
            value = found[method][key]["mean"]
            mean[f"{title} {method}"] = "n/a" if value is None else f"{value:.3f}"
    return [*rows, mean]


def draw() -> None:
    """A picture of each case, and one of them all."""
    rows = []
    folder = HOME / "predictions" / "dal"
    for case in find_cases(ROOT / SCANS):
        channel, scan = next(iter(case.channels.items()))
        label = label_path(ROOT / LABELS, case.name)
        row = PanelRow(scan, ROOT / folder, case.name, channel, label, case.name)
        target = ROOT / HOME / "panels" / f"{case.name}.png"
        title = f"{case.name} (simulated)"
        case_panel(scan, row.predictions, case.name, channel, label, target, title)
        rows.append(row)
    set_panel(rows, ROOT / HOME / "overview.png", "disanat on simulated brains")


def report(watch: Stopwatch) -> str:
    """The demo's page: what ran, where, and how well."""
    times = ", ".join(f"{name} {minutes:.1f}" for name, minutes in watch.minutes.items())
    return "\n".join(
        [
            "# disanat demo",
            "",
            "**Simulated brains**: these numbers say nothing about real patients.",
            "",
            f"- date {datetime.date.today().isoformat()}, commit {commit()}",
            f"- machine: {machine()}",
            f"- {watch.total:.1f} minutes ({times})",
            "",
            markdown_table(result_rows()),
            "",
            "AP: average precision over voxels in the brain; best_dice: at the best threshold; "
            "dice: at the stored, label-free threshold.",
            "",
            "![scan, PHI, anomaly map, mask, truth](overview.png)",
        ]
    )


def main() -> None:
    print(NOTICE)
    shutil.rmtree(ROOT / HOME, ignore_errors=True)
    watch = Stopwatch()
    with watch.step("simulate"):
        simulated.convert(Home(ROOT / HOME))
    run_commands(Commands(HOME), watch)
    with watch.step("draw"):
        draw()
    page = report(watch)
    with atomic_path(ROOT / HOME / "demo.md") as temporary:
        temporary.write_text(page + "\n", encoding="utf-8")
    print(f"\n{page}\n\nWritten: {HOME}/demo.md, {HOME}/overview.png, {HOME}/panels/CASE.png")


if __name__ == "__main__":
    main()
