"""The recipe of the model that ships with disanat, from the folder of real scans to its card.

    python benchmarks/pretrained.py                      everything: hours on a CPU
    python benchmarks/pretrained.py --model FOLDER       ship a model that was trained already
    python benchmarks/pretrained.py --from card          write the card anew

What it writes into `disanat/pretrained/dal/` is what ships; nothing there is edited by hand.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from disanat.ablations import is_ablated
from disanat.errors import DatasetError, DisanatError
from disanat.home import read_json, write_json
from disanat.inference.bundled import bundled_folder
from disanat.inference.export import export_model
from disanat.inference.model import DESCRIPTION
from pretrained_card import CARD, SCORES, write_card
from steps import ROOT, Commands, Stopwatch, commit, machine
from training_set import convert_training_set

SHIPPED = bundled_folder().resolve()
HOME = Path("pretrained_home")
RECORD = ROOT / HOME / "run.json"
STEPS = ("convert", "plan", "train", "ship", "time", "card")
CORES = 2
TIMED = {
    "stripped, 1 mm": "brats2021/*/*_t1.nii.gz",
    "whole head": "elderly_t1_flair/t1/*.nii.gz",
}
"""Of each kind of scan the first file that fits; neither set has a part in the training."""


def trained_folder(fold: str) -> Path:
    """The model that this script's training made.

    Raises:
        DatasetError: there is none.
    """
    there = (ROOT / HOME / "results").glob(f"*/dal__*/fold_{fold}/{DESCRIPTION}")
    found = sorted(path for path in there if not is_ablated(path.parent.parent.name))
    if not found:
        raise DatasetError(f"{HOME} holds no finished model of fold {fold}: run --from train.")
    return found[-1].parent


def ship(source: Path) -> None:
    """Put a trained model into the package; an older card goes with the older model."""
    (SHIPPED / CARD).unlink(missing_ok=True)
    size = export_model(source, SHIPPED)
    print(f"Shipped {source}: {size:.1f} MB in {SHIPPED.relative_to(ROOT)}")


def measure_times(commands: Commands, data: Path) -> list[dict[str, Any]]:
    """Time the command with the shipped model on one scan of each kind, on two cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rows = []
    for kind, pattern in TIMED.items():
        scan = next(iter(sorted(data.glob(pattern))), None)
        if scan is None:
            raise DatasetError(f"{data / pattern} does not exist: set DISANAT_TEST_DATA.")
        output = ROOT / HOME / "timed" / scan.name.split(".")[0]
        shutil.rmtree(output, ignore_errors=True)
        start = time.monotonic()
        commands.run(
            "disanat_predict", "-m", "pretrained", "-i", scan, "-o", output, "--device", "cpu"
        )
        whole = time.monotonic() - start
        with open(output / "predictions.csv", newline="", encoding="utf-8") as handle:
            [case] = csv.DictReader(handle)
        rows.append(
            {
                "kind": kind,
                "set": pattern.split("/")[0],
                "brain_ml": float(case["brain_volume_ml"]),
                "command_s": whole,
                "case_s": float(case["seconds"]),
            }
        )
    return rows


def noted(action: Callable[[], Any]) -> dict[str, Any]:
    """Do a step; what it cost, where and when."""
    watch = Stopwatch()
    with watch.step("it"):
        result = action()
    return {
        "commit": commit([str(SHIPPED.relative_to(ROOT))]),
        "date": datetime.datetime.now().isoformat(" ", "minutes"),
        "machine": machine(),
        "minutes": watch.total,
        "result": result,
    }


def run_steps(args: argparse.Namespace, data: Path) -> None:
    """Run the steps from the first one asked for on; each is noted in run.json."""
    first = STEPS.index(args.first)
    if first == 0:
        shutil.rmtree(ROOT / HOME, ignore_errors=True)
    earlier = read_json(RECORD, DatasetError, "run all steps") if RECORD.exists() else {}
    record = {step: earlier[step] for step in STEPS[:first] if step in earlier}
    if args.model:
        record = {}
    commands = Commands(HOME)
    memory = ["--gpu_memory_gb", str(args.gpu_memory_gb)] if args.gpu_memory_gb else []
    epochs = ["--epochs", str(args.epochs)] if args.epochs else []
    start = ["--pretrained_weights", args.pretrained_weights] if args.pretrained_weights else []
    actions: dict[str, Callable[[], Any]] = {
        "convert": lambda: convert_training_set(commands, HOME, data),
        "plan": lambda: commands.run("disanat_plan_and_preprocess", "-d", "5", *memory),
        "train": lambda: commands.run(
            "disanat_train", "-d", "5", "-f", args.fold, *epochs, *start
        ),
        "ship": lambda: ship(args.model or trained_folder(args.fold)),
        "time": lambda: measure_times(commands, data),
    }
    for step in STEPS[first:-1]:
        record[step] = noted(actions[step])
        write_json(record, RECORD)
    write_card(SHIPPED, record)
    print(f"\nWritten: {(SHIPPED / CARD).relative_to(ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--from", dest="first", choices=STEPS, default=STEPS[0],
        help="start with this step and reuse what earlier ones left in pretrained_home",
    )  # fmt: skip
    parser.add_argument(
        "--model", type=Path,
        help="ship the finished model in this folder: starts with the step 'ship'",
    )  # fmt: skip
    parser.add_argument("--fold", default="all", help="0 to 4, or all (default)")
    parser.add_argument("--epochs", type=int, help="instead of the plan's")
    parser.add_argument("--pretrained_weights", help="folder of a model to start training from")
    parser.add_argument("--gpu_memory_gb", type=float, help="plan for a GPU with this memory")
    args = parser.parse_args()
    if args.model:
        args.first, args.model = STEPS[3], args.model.resolve()
    data = (ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")).resolve()
    if args.first != "card" and not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    if ROOT not in SHIPPED.parents:
        parser.error(f"the disanat that is imported lies in {SHIPPED.parents[2]}, not in {ROOT}.")
    if not (ROOT / SCORES).exists():
        parser.error(f"{SCORES} is not there: run make real first.")
    try:
        run_steps(args, data)
    except DisanatError as mistake:
        parser.error(str(mistake))


if __name__ == "__main__":
    main()
