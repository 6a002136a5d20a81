"""Each of the three commands killed at random moments, and given again.

    python benchmarks/faults/kill.py --moments 50 --seed 0

Half of the kills hit the command's main process alone, half all of its processes. Writes
`benchmarks/faults/records/kill.json`; `reliability.py` makes the page of it.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import torch  # noqa: E402
from drill import (  # noqa: E402
    DATASET,
    STAGES,
    Stage,
    contents,
    differences,
    finish,
    launch,
    make_start,
    result_files,
    said,
    shrink,
)
from records import load_record, save_record  # noqa: E402
from tqdm import tqdm  # noqa: E402

from disanat.home import BOOKS  # noqa: E402
from disanat.training.checkpoints import load_checkpoint  # noqa: E402

_TRIES = 4
_GROWING = ("checkpoint_latest.pt", "checkpoint_previous.pt", "training_log.txt")
_GROWING += ("progress.png", "predictions.csv", "predictions.json")


@dataclass
class Tally:
    """What came of all moments of one command."""

    command: str
    moments: int = 0
    killed: int = 0
    """The others had ended before the moment came."""
    unreadable: list[str] = field(default_factory=list)
    """Files under their final names that were not whole after the kill."""
    not_continued: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    """Files whose content is not that of an undisturbed run."""
    done_again: int = 0
    """Cases or epochs that were finished before the kill and were made once more."""
    most_epochs_repeated: int = 0


def _fresh(start: Path, home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(start, home)


def _kill(process: subprocess.Popen[str], everyone: bool) -> None:
    if everyone:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGKILL)


def _unreadable(home: Path, whole: dict[str, str]) -> list[str]:
    """Files that cannot be read, or that differ though they never change once they are there."""
    found = []
    for path in result_files(home):
        name = str(path.relative_to(home))
        try:
            digest = said(path)
        except Exception as cause:
            found.append(f"{name}: {type(cause).__name__}")
            continue
        if path.name not in _GROWING and digest != whole.get(name):
            found.append(name)
    return found


def _finished_work(home: Path) -> dict[Path, int]:
    """Records of finished cases -> when they were written."""
    cases = (home / "preprocessed" / DATASET / "2d").glob("*.json")
    predicted = (home / "predictions" / BOOKS / "cases").glob("*.json")
    return {path: path.stat().st_mtime_ns for path in (*cases, *predicted)}


def _epochs(home: Path) -> int:
    folders = list((home / "results" / DATASET).glob("*/fold_0"))
    state = load_checkpoint(folders[0], torch.device("cpu")) if folders else None
    return len(state["records"]) if state else 0


def _moment(
    stage: Stage, start: Path, home: Path, whole: dict[str, str], after: float, everyone: bool
) -> tuple[bool, list[str], str, list[str], int, int]:
    """One kill and what follows."""
    _fresh(start, home)
    process = launch(stage.words, home)
    time.sleep(after)
    killed = process.poll() is None
    if killed:
        _kill(process, everyone)
    finish(process)
    unreadable = _unreadable(home, whole)
    work = _finished_work(home)
    epochs = _epochs(home) if stage.name == "train" else 0
    again = finish(launch(stage.words, home))
    failed = "" if again.code == 0 else again.said.strip().splitlines()[-1][:200]
    differing = differences(contents(home), whole)
    redone = sum(1 for p, t in work.items() if not p.exists() or p.stat().st_mtime_ns != t)
    trained = [int(n) for n in re.findall(r"^epoch (\d+)/", again.said, re.M)]
    repeated = max(0, epochs + 1 - trained[0]) if trained and killed else 0
    return killed, unreadable, failed, differing, redone, repeated


def drill(stage: Stage, start: Path, home: Path, moments: int, rng: random.Random) -> Tally:
    """An undisturbed run, then all moments; `home` ends as the undisturbed run left it."""
    _fresh(start, home)
    began = time.monotonic()
    run = finish(launch(stage.words, home))
    seconds = time.monotonic() - began
    if run.code != 0:
        sys.exit(f"{stage.name} failed undisturbed:\n{run.said[-2000:]}")
    whole = contents(home)
    kept = home.with_name(f"after_{stage.words[0]}")
    shutil.copytree(home, kept)
    tally = Tally(stage.words[0])
    for number in tqdm(range(moments), desc=stage.name, unit="kill"):
        for _ in range(_TRIES):  # how long a command takes varies with the machine's load
            after = rng.uniform(0.0, seconds)
            killed, unreadable, failed, differing, redone, repeated = _moment(
                stage, start, home, whole, after, number % 2 == 1
            )
            if killed:
                break
            seconds = after
        tally.moments += 1
        tally.killed += killed
        tally.unreadable += unreadable
        tally.not_continued += [failed] if failed else []
        tally.differing += differing
        tally.done_again += redone if killed else 0
        tally.most_epochs_repeated = max(tally.most_epochs_repeated, repeated)
    _fresh(kept, home)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--moments", type=int, default=50, help="in all (default: 50)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", choices=[stage.words[0] for stage in STAGES], help="drill this command alone"
    )
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        home, start = Path(temporary) / "home", Path(temporary) / "start"
        make_start(start)
        record = load_record("kill") if args.only else None
        tallies = {one["command"]: one for one in record["measured"]} if record else {}
        for number, stage in enumerate(STAGES):
            share = len(range(number, args.moments, len(STAGES)))
            wanted = args.only in (None, stage.words[0])
            tally = drill(stage, start, home, share if wanted else 0, rng)
            if wanted:
                tallies[tally.command] = asdict(tally)
            if stage.name == "plan and preprocess":
                shrink(home)
            shutil.rmtree(start)
            shutil.copytree(home, start)
            save_record("kill", list(tallies.values()), args.seed)
            print(tally, flush=True)


if __name__ == "__main__":
    main()
