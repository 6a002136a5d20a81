"""`make real`: train on healthy IXI T1, predict every test set and contrast, write the table.

`benchmarks/real.md` is only ever written by this script.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError, DisanatError
from disanat.evaluation.evaluate import (
    Evaluation,
    evaluate_folder,
    label_path,
    write_evaluation,
)
from disanat.home import read_json, write_json
from disanat.io.cases import Case, find_cases
from disanat.reporting.panels import case_panel
from real_table import Row, write_page
from steps import ROOT, Commands, Stopwatch, commit
from training_set import convert_training_set

HOME = Path("real_home")
RECORD = ROOT / HOME / "run.json"
PAGE = "benchmarks/real.md"
METHODS = ("dal", "threshold")
STEPS = ("convert", "plan", "train", "predict", "evaluate")
TEST_SETS = {
    "brats2013": "Dataset101_BraTS2013",
    "brats2021": "Dataset102_BraTS2021",
    "mslub": "Dataset103_MSLUB",
    "mslesseg": "Dataset104_MSLesSeg",
    "isbi2015": "Dataset105_ISBI2015",
    "lgg": "Dataset106_LGG",
}


def convert(commands: Commands, data: Path) -> None:
    """All sets into the raw layout."""
    convert_training_set(commands, HOME, data)
    for name in TEST_SETS:
        commands.run("disanat_convert", name, "-i", data / name, "--link")


def plan(commands: Commands) -> None:
    commands.run("disanat_plan_and_preprocess", "-d", "5")


def train(commands: Commands, resume: bool, model: str | None) -> None:
    if model is None:
        commands.run("disanat_train", "-d", "5", *(["--resume"] if resume else []))
    commands.run("disanat_train", "-d", "5", "-m", "threshold")


def trained_minutes() -> float:
    """What the models themselves say their trainings took, epochs before a break included."""
    found = (ROOT / HOME / "results" / "Dataset005_IXI").glob("*/fold_0/model.json")
    return sum(
        float(read_json(path, DatasetError, "train again")["facts"]["minutes"]) for path in found
    )


def contrasts(dataset: str) -> dict[int, str]:
    """Channel number and name of each contrast of a raw dataset."""
    described = read_json(
        ROOT / HOME / "raw" / dataset / "dataset.json", DatasetError, "run make real from the start"
    )
    return {int(k): str(v) for k, v in described["channel_names"].items()}


def output(method: str, dataset: str, contrast: str) -> Path:
    return HOME / "predictions" / method / f"{dataset[11:]}_{contrast}"


def cases_with(dataset: str, channel: int) -> list[Case]:
    """The cases of a test set that have this contrast."""
    cases = find_cases(ROOT / HOME / "raw" / dataset / "imagesTs")
    return [case for case in cases if channel in case.channels]


def predict(commands: Commands, model: str | None) -> None:
    """Every set and contrast with both methods; one that fails is left to the table to tell."""
    chosen = {method: ("-m", method, "-d", "5") for method in METHODS}
    if model is not None:
        chosen["dal"] = ("-m", model)
    for dataset in TEST_SETS.values():
        scans = HOME / "raw" / dataset / "imagesTs"
        for channel, contrast in contrasts(dataset).items():
            for method in METHODS:
                folder = output(method, dataset, contrast)
                shutil.rmtree(ROOT / folder, ignore_errors=True)
                commands.run(
                    "disanat_predict", *chosen[method], "-i", scans, "-o", folder,
                    "--use_channels", str(channel), accept=range(256),
                )  # fmt: skip


def evaluate(dataset: str, channel: int, contrast: str) -> Row:
    """Judge one set and contrast with both methods, and say what went wrong."""
    wanted = {case.name for case in cases_with(dataset, channel)}
    found: dict[str, Evaluation] = {}
    notes = []
    for method in METHODS:
        folder = ROOT / output(method, dataset, contrast)
        try:
            found[method] = evaluate_folder(folder, ROOT / HOME / "raw" / dataset / "labelsTs")
        except DisanatError as mistake:
            notes.append(f"{method}: {str(mistake).replace(f'{ROOT}/', '')}")
            continue
        write_evaluation(found[method], folder)
        lacking = sorted(wanted - {result.case for result in found[method].cases})
        if lacking:
            notes.append(f"{method}: no prediction for {', '.join(lacking)}")
    return Row(dataset[11:], contrast, len(wanted), found, tuple(notes))


def draw(dataset: str, channel: int, contrast: str) -> list[str]:
    """A picture of each case as `dal` sees it; returns what could not be drawn."""
    folder = ROOT / output("dal", dataset, contrast)
    notes = []
    for case in cases_with(dataset, channel):
        if not (folder / f"{case.name}.nii.gz").is_file():
            continue
        name = f"{dataset[11:]}_{contrast}_{case.name}"
        label = label_path(ROOT / HOME / "raw" / dataset / "labelsTs", case.name)
        target = ROOT / HOME / "panels" / f"{name}.png"
        title = name.replace("_", " ")
        try:
            case_panel(case.channels[channel], folder, case.name, channel, label, target, title)
        except DisanatError as mistake:
            notes.append(f"{name} has no picture: {str(mistake).replace(f'{ROOT}/', '')}")
    return notes


def evaluate_all() -> tuple[list[Row], list[str]]:
    """Rows of the table in the order of the sets, and notes on pictures."""
    rows, notes = [], []
    for dataset in TEST_SETS.values():
        for channel, contrast in contrasts(dataset).items():
            row = evaluate(dataset, channel, contrast)
            print(f"evaluated {row.dataset} {row.contrast}", flush=True)
            rows.append(row)
            notes += draw(dataset, channel, contrast)
    return rows, notes


def measured_model() -> str:
    """What was measured as `dal`: when that model was finished, and whether it is the shipped one.

    Raises:
        DatasetError: it was not one and the same everywhere.
    """
    found = [
        dict(read_json(path, DatasetError, "predict again"))
        for path in sorted((ROOT / HOME / "predictions" / "dal").glob("*/prediction.json"))
    ]
    said = {(bool(one.get("bundled")), one.get("finished", "unknown")) for one in found}
    if len(said) != 1:
        raise DatasetError(f"{HOME} holds predictions of {len(said)} models: run --from predict.")
    [(bundled, finished)] = said
    return f"{'the one that ships with disanat' if bundled else 'dal'}, finished {finished}"


def load_record() -> dict[str, Any]:
    return dict(read_json(RECORD, DatasetError, "run make real without --from first"))


def run_steps(
    first: str, data: Path, resume: bool, model: str | None
) -> tuple[dict[str, Any], list[Row], list[str]]:
    """Run the steps from `first` on; what each cost and which commit ran it is kept in run.json."""
    record: dict[str, Any] = {}
    if first == STEPS[0]:
        shutil.rmtree(ROOT / HOME, ignore_errors=True)
    else:
        earlier = STEPS[: STEPS.index(first)]
        record = {step: entry for step, entry in load_record().items() if step in earlier}
    if model is not None:
        record.pop("train", None)  # it made another model than the one that is measured
    commands = Commands(HOME)
    actions = {
        "convert": lambda: convert(commands, data),
        "plan": lambda: plan(commands),
        "train": lambda: train(commands, resume, model),
        "predict": lambda: predict(commands, model),
        "evaluate": evaluate_all,
    }
    result: Any = None
    for step in STEPS[STEPS.index(first) :]:
        watch = Stopwatch()
        with watch.step(step):
            result = actions[step]()
        record[step] = {
            "commit": commit([PAGE]),
            "date": datetime.datetime.now().isoformat(" ", "minutes"),
            "minutes": watch.total,
        }
        if step == "train" and resume:
            record[step] |= {"minutes": trained_minutes(), "note": "interrupted and resumed"}
        if step == "evaluate":
            record[step]["model"] = measured_model()
        write_json(record, RECORD)
    rows, notes = result
    return record, rows, notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="first", choices=STEPS, default=STEPS[0],
        help="start with this step and reuse what earlier ones left in real_home (development)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true",
        help="with --from train: go on with a training that was interrupted",
    )  # fmt: skip
    parser.add_argument(
        "--model",
        help="measure this model's folder, or the shipped one (pretrained), in place of training",
    )
    args = parser.parse_args()
    data = Path(os.environ.get("DISANAT_TEST_DATA", "../shared/data"))
    if not (ROOT / data).is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    record, rows, notes = run_steps(args.first, data, args.resume, args.model)
    page = write_page(record, rows, notes, ROOT / PAGE)
    write_json([asdict(row) for row in rows], ROOT / HOME / "real.json")
    print(f"\n{page}\nWritten: {PAGE}, {HOME}/real.json, {HOME}/panels/SET_CONTRAST_CASE.png")


if __name__ == "__main__":
    main()
