"""Faults other than a killed command: two at once, dead workers, damaged checkpoints, full disks.

    python benchmarks/faults/others.py --times 5 --seed 0

Writes `benchmarks/faults/records/others.json`; `reliability.py` makes the page of it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import psutil  # noqa: E402
from drill import (  # noqa: E402
    DATASET,
    STAGES,
    Run,
    contents,
    differences,
    finish,
    launch,
    make_start,
    shrink,
)
from records import load_record, save_record  # noqa: E402
from tqdm import tqdm  # noqa: E402

PLAN, TRAIN, PREDICT = (stage.words for stage in STAGES)
PLAN_WITH_WORKERS = (*PLAN[:-1], "2")
MODEL = Path("results") / DATASET / "dal__2d" / "fold_0"


@dataclass
class Fault:
    """How often a fault was tried, and each time that it did not end as it should."""

    name: str
    expected: str
    tried: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Files whose content is not that of an undisturbed run."""


@dataclass
class Places:
    """Homes: before each stage, and what an undisturbed run made of it."""

    home: Path
    start: dict[str, Path]
    whole: dict[str, dict[str, str]]

    def fresh(self, stage: str) -> Path:
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.start[stage], self.home)
        return self.home

    def lost(self, stage: str) -> list[str]:
        return differences(contents(self.home), self.whole[stage])


def prepare(root: Path) -> Places:
    """All three commands undisturbed; their starts and results."""
    places = Places(root / "home", {}, {})
    make_start(places.home)
    for stage in STAGES:
        places.start[stage.name] = root / f"before_{stage.words[0]}"
        shutil.copytree(places.home, places.start[stage.name])
        run = finish(launch(stage.words, places.home))
        if run.code != 0:
            sys.exit(f"{stage.name} failed undisturbed:\n{run.said[-2000:]}")
        places.whole[stage.name] = contents(places.home)
        if stage.name == "plan and preprocess":
            shrink(places.home)
    return places


def wait_for(
    there: Callable[[], object], process: subprocess.Popen[str], limit_s: float = 120
) -> bool:
    """Wait until something is there; False if the process ended before."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until and process.poll() is None:
        if there():
            return True
        time.sleep(0.02)
    return False


def is_held(folder: Path) -> Callable[[], bool]:
    lock = folder / ".disanat" / "lock"
    return lambda: lock.exists() and lock.stat().st_size > 0


def check(fault: Fault, run: Run, codes: tuple[int, ...], words: str = "") -> None:
    """Whether a command ended as it should."""
    last = (run.said.strip().splitlines() or [""])[-1]
    if run.code not in codes or words not in run.said or "Traceback" in run.said:
        fault.wrong.append(f"code {run.code}: {last[:160]}")


def second_at_once(
    fault: Fault,
    places: Places,
    stage: str,
    first: tuple[str, ...],
    second: tuple[str, ...],
    held: Path,
) -> None:
    home = places.fresh(stage)
    process = launch(first, home)
    if wait_for(is_held(home / held), process):
        os.killpg(process.pid, signal.SIGSTOP)  # else it could end before the second begins
        check(fault, finish(launch(second, home)), (2,), "is in use by")
        os.killpg(process.pid, signal.SIGCONT)
    else:
        fault.wrong.append("the first was never seen at work")
    check(fault, finish(process), (0,))
    # Planning anew during a training is allowed, and writes its own plan over the small one here.
    fault.lost += [name for name in places.lost(stage) if not name.endswith("plans.json")]


def dead_worker(
    fault: Fault, places: Places, stage: str, words: tuple[str, ...], rng: random.Random
) -> None:
    home = places.fresh(stage)
    process = launch(words, home)

    def workers() -> list[psutil.Process]:
        try:
            children = psutil.Process(process.pid).children(recursive=True)
            return [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        except psutil.Error:
            return []

    if wait_for(workers, process):
        time.sleep(rng.uniform(0.0, 6.0))
        for worker in workers()[:1]:
            worker.kill()
    check(fault, finish(process), (0,))
    fault.lost += places.lost(stage)


def damaged_checkpoint(fault: Fault, places: Places, rng: random.Random) -> None:
    home = places.fresh("train")
    process = launch(TRAIN, home)
    latest, previous = (home / MODEL / f"checkpoint_{n}.pt" for n in ("latest", "previous"))
    wait_for(lambda: latest.exists() and previous.exists(), process)
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    victim = latest if latest.exists() else previous
    data = bytearray(victim.read_bytes())
    if rng.random() < 0.5:
        victim.write_bytes(data[: rng.randrange(len(data))])
    else:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        victim.write_bytes(data)
    both = latest.exists() and previous.exists()
    check(fault, finish(launch(TRAIN, home)), (0,) if both else (0, 2))
    if both:
        fault.lost += places.lost("train")


def parts_with_a_kill(fault: Fault, places: Places, rng: random.Random) -> None:
    home = places.fresh("predict")
    words = [(*PREDICT, "--num_parts", "2", "--part_id", part) for part in "01"]
    both = [launch(one, home) for one in words]
    time.sleep(rng.uniform(2.0, 12.0))
    killed = both[1].poll() is None
    if killed:
        os.killpg(both[1].pid, signal.SIGKILL)
    runs = [finish(one) for one in both]
    check(fault, runs[0], (0,))
    if killed:
        check(fault, finish(launch(words[1], home)), (0,))
    fault.lost += places.lost("predict")


def full_disk(fault: Fault, places: Places, kib: int) -> None:
    """Predict onto a disk that is too small, then with room; needs the right to mount one."""
    home = places.fresh("predict")
    disk = home / "predictions"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        raise PermissionError("no right to mount")
    try:
        check(fault, finish(launch(PREDICT, home)), (1, 2))
        made = {n: d for n, d in contents(home).items() if n.endswith(".nii.gz")}
        whole = places.whole["predict"]
        fault.lost += [name for name, digest in made.items() if whole.get(name) != digest]
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        check(fault, finish(launch(PREDICT, home)), (0,))
        fault.lost += places.lost("predict")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def vanished_scan(fault: Fault, places: Places) -> None:
    home = places.fresh("predict")
    victim = sorted((home / "scans").iterdir())[-1]
    kept = victim.read_bytes()
    process = launch(PREDICT, home)
    wait_for(is_held(home / "predictions"), process)
    victim.unlink()
    check(fault, finish(process), (0, 1))
    victim.write_bytes(kept)
    check(fault, finish(launch(PREDICT, home)), (0,))
    fault.lost += places.lost("predict")


def drills(places: Places, rng: random.Random) -> list[tuple[Fault, Callable[[Fault], None]]]:
    fold, out, cases = MODEL, Path("predictions"), Path("preprocessed") / DATASET / "2d"
    refuses = "the second is refused, the first ends"
    rendered = (*TRAIN[:3], "-np", "1", *TRAIN[5:])
    return [
        (Fault("two trainings into one folder", refuses),
         lambda f: second_at_once(f, places, "train", TRAIN, TRAIN, fold)),
        (Fault("preprocessing during training", refuses),
         lambda f: second_at_once(f, places, "train", TRAIN, PLAN, fold)),
        (Fault("two preprocessings at once", refuses),
         lambda f: second_at_once(f, places, "plan and preprocess", PLAN, PLAN, cases.parent)),
        (Fault("two predictions into one folder", refuses),
         lambda f: second_at_once(f, places, "predict", PREDICT, PREDICT, out)),
        (Fault("two parts at once, one killed and given again", "one whole table"),
         lambda f: parts_with_a_kill(f, places, rng)),
        (Fault("a preprocessing worker killed", "its case is done again"),
         lambda f: dead_worker(f, places, "plan and preprocess", PLAN_WITH_WORKERS, rng)),
        (Fault("a rendering worker of a training killed", "its batch is rendered again"),
         lambda f: dead_worker(f, places, "train", rendered, rng)),
        (Fault("the last checkpoint cut or a bit of it flipped", "the one before is taken"),
         lambda f: damaged_checkpoint(f, places, rng)),
        (Fault("a full disk while predicting", "a sentence; nothing partial; goes on with room"),
         lambda f: full_disk(f, places, rng.randrange(40, 250))),
        (Fault("a scan that vanishes while predicting", "a sentence for its case alone"),
         lambda f: vanished_scan(f, places)),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="each fault (default: 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="faults whose name has a word")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    record = load_record("others") if args.only else None
    done = {one["name"]: one for one in record["measured"]} if record else {}
    with tempfile.TemporaryDirectory() as temporary:
        places = prepare(Path(temporary))
        for fault, drill in drills(places, rng):
            if args.only and not any(word in fault.name for word in args.only):
                continue
            for _ in tqdm(range(args.times), desc=fault.name, unit="time"):
                try:
                    drill(fault)
                except PermissionError as cause:
                    print(f"{fault.name}: not tried ({cause})", flush=True)
                    break
                fault.tried += 1
            done[fault.name] = asdict(fault)
            print(fault, flush=True)
            save_record("others", list(done.values()), args.seed)


if __name__ == "__main__":
    main()
