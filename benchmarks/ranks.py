"""One process against two that share each batch: the same losses, and how much faster.

    python benchmarks/ranks.py [--home HOME]

writes `benchmarks/ranks.md`. The plan and the prepared cases of Dataset005_IXI in a home folder, as
`make real` leaves it; or small synthetic brains and a network of ordinary depth. On the CPU, one
thread for each process; the trainings are run in turn, twice. Beside them two trainings that
have nothing to do with each other run at once: how much more work two cores do than one.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).resolve().parent / "faults")]

from drill import DATASET, make_start  # noqa: E402

from disanat.home import atomic_path  # noqa: E402
from disanat.plans import NetworkPlan, Plans, load_json, save_json  # noqa: E402
from disanat.reporting.markdown import markdown_table  # noqa: E402
from disanat.training.loop import trained_epochs  # noqa: E402
from disanat.training.progress import EpochRecord  # noqa: E402
from planning import plan_and_preprocess  # noqa: E402
from steps import ROOT, commit, machine  # noqa: E402

PAGE = "benchmarks/ranks.md"
PLANNED = "Dataset005_IXI"
EPOCHS, STEPS, BATCH, REPEATS = 2, 100, 16, 2
"""As many steps as an epoch has that is planned for a CPU."""
FEATURES = (24, 48, 96)
_LIMIT_S = 900.0


@dataclass(frozen=True)
class Training:
    """What one training brought."""

    ranks: int
    epochs: list[EpochRecord]
    busiest_s: float
    """Processor time of the busiest process."""
    others: float
    """Cores that other programs kept busy meanwhile, on average."""


@dataclass(frozen=True)
class Round:
    """One training in one process, one in two, and two apart."""

    one: Training
    two: Training
    apart: list[float]
    """Steps a second of each of two trainings that run at once, while both do."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, help="with a plan and prepared cases of IXI")
    given = parser.parse_args().home
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        dataset = _synthetic(home) if given is None else _as_planned(given.resolve(), home)
        rounds = [_round(home, dataset) for _ in range(REPEATS)]
        what = _described(home, dataset)
    with atomic_path(ROOT / PAGE) as page:
        page.write_text(_page(rounds, what), encoding="utf-8")
    print(ROOT / PAGE)


def _round(home: Path, dataset: str) -> Round:
    return Round(_train(home, dataset, 1), _train(home, dataset, 2), _apart_at_once(home, dataset))


def _synthetic(home: Path) -> str:
    make_start(home)
    plan_and_preprocess("5", home, processes=0)
    _shape(home)
    return DATASET


def _as_planned(given: Path, home: Path) -> str:
    """The plan of another home with so many steps, beside a link to its prepared cases."""
    source, target = (one / "preprocessed" / PLANNED for one in (given, home))
    target.mkdir(parents=True)
    (target / "2d").symlink_to(source / "2d", target_is_directory=True)
    plans = load_json(source / "plans.json", Plans)
    short = replace(plans.configuration("2d"), iterations_per_epoch=STEPS, epochs=EPOCHS)
    exact = replace(plans, configurations={"2d": short}, number_format="float32")
    save_json(exact, target / "plans.json")
    return PLANNED


def _described(home: Path, dataset: str) -> str:
    plan = load_json(home / "preprocessed" / dataset / "plans.json", Plans).configuration("2d")
    cases = "small synthetic brains" if dataset == DATASET else f"the plan of {dataset}"
    return (
        f"{cases}, slices of {'x'.join(map(str, plan.patch_size))}, batches of {plan.batch_size}, "
        f"features {', '.join(map(str, plan.encoder.features))}"
    )


def _command(home: Path, module: str, *words: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DISANAT_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    line = [sys.executable, "-m", module, *words]
    return subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL)


def _shape(home: Path) -> None:
    """Networks of three stages in the plan, and so many steps."""
    source = home / "preprocessed" / DATASET / "plans.json"
    plans = load_json(source, Plans)
    plan = plans.configuration("2d")

    def shaped(network: NetworkPlan) -> NetworkPlan:
        strides, kernels = network.strides[: len(FEATURES)], network.kernel_sizes[: len(FEATURES)]
        return NetworkPlan(FEATURES[: len(strides)], strides, kernels, 2)

    changed = replace(
        plan,
        batch_size=BATCH,
        encoder=shaped(plan.encoder),
        restorer=shaped(plan.restorer),
        comparator=shaped(plan.comparator),
        iterations_per_epoch=STEPS,
        epochs=EPOCHS,
    )
    save_json(replace(plans, configurations={"2d": changed}), source)


def _train(home: Path, dataset: str, ranks: int) -> Training:
    """Train in so many processes; what is measured lies between the first and the last epoch."""
    more = ["--num_cpu_ranks", str(ranks)] if ranks > 1 else ["--device", "cpu"]
    process, folder = _started(home, dataset, 0, more)
    watched = psutil.Process(process.pid)
    began = _after_epoch(folder, 1, process), *_spent(watched, ranks)
    ended = _after_epoch(folder, EPOCHS, process), *_spent(watched, ranks)
    _stop(watched)
    own = [after - before for before, after in zip(began[1], ended[1], strict=True)]
    idle_free = (ended[2] - began[2]) / (ended[0] - began[0])
    others = max(0.0, idle_free - sum(own) / (ended[0] - began[0]))
    print(f"{ranks}: {sum(own):.1f} s of processors, others kept {others:.2f} cores busy")
    return Training(ranks, trained_epochs(folder), max(own), others)


def _apart_at_once(home: Path, dataset: str) -> list[float]:
    """Rates of two trainings side by side; the first to end goes on to calibrate until both do."""
    begun = [_started(home, dataset, fold, ["--device", "cpu"]) for fold in (0, 1)]
    for process, folder in begun:
        _after_epoch(folder, EPOCHS, process)
    for process, _ in begun:
        _stop(psutil.Process(process.pid))
    return [_rate(trained_epochs(folder)) for _, folder in begun]


def _started(
    home: Path, dataset: str, fold: int, more: list[str]
) -> tuple[subprocess.Popen[bytes], Path]:
    """A training that has begun, and the folder of its log."""
    folder = home / "results" / dataset / "dal__2d" / f"fold_{fold}"
    (folder / "training_log.txt").unlink(missing_ok=True)
    words = ["-d", "5", "-f", str(fold), "-np", "0", "--restart", "-c", "2d"]
    return _command(home, "disanat.cli.train", *words, *more), folder


def _stop(training: psutil.Process) -> None:
    """What follows the last epoch, calibration, is not measured, and takes long with real scans."""
    for process in (training, *training.children(recursive=True)):
        process.kill()
    training.wait()


def _after_epoch(folder: Path, epoch: int, process: subprocess.Popen[bytes]) -> float:
    until, log = time.monotonic() + _LIMIT_S, folder / "training_log.txt"
    while time.monotonic() < until and process.poll() is None:
        if log.exists() and len(log.read_text(encoding="utf-8").splitlines()) >= epoch:
            return time.monotonic()
        time.sleep(0.02)
    sys.exit("The training did not come to its end: see above.")


def _spent(watched: psutil.Process, ranks: int) -> tuple[list[float], float]:
    """Processor seconds of each training process so far, and of the whole machine."""
    trains = watched.children() if ranks > 1 else [watched]
    each = [one.cpu_times().user + one.cpu_times().system for one in trains]
    whole = psutil.cpu_times()
    return each, whole.user + whole.nice + whole.system


def _page(rounds: list[Round], what: str) -> str:
    alone, together = rounds[0].one, rounds[0].two
    names = list(alone.epochs[0].losses)
    curve = [
        {
            "epoch": str(one.epoch + 1),
            "one process": f"{sum(one.losses.values()):.5f}",
            "two": f"{sum(two.losses.values()):.5f}",
            "largest difference of a loss": f"{_apart(one, two, names):.1e}",
            "held-out error, one": f"{one.validation['error']:.4f}",
            "two ": f"{two.validation['error']:.4f}",
        }
        for one, two in zip(alone.epochs, together.epochs, strict=True)
    ]
    speed = [
        {
            "round": str(number + 1),
            "steps a second, one process": f"{_rate(of.one.epochs):.2f}",
            "two": f"{_rate(of.two.epochs):.2f}",
            "ratio": f"{_rate(of.two.epochs) / _rate(of.one.epochs):.2f}",
            "two trainings apart": f"{sum(of.apart) / _rate(of.one.epochs):.2f}",
            "processor seconds a step, one": f"{_work(of.one):.3f}",
            "busier of two": f"{_work(of.two):.3f}",
            "ratio ": f"{_work(of.one) / _work(of.two):.2f}",
            "cores others kept busy": f"{of.one.others:.2f}, {of.two.others:.2f}",
        }
        for number, of in enumerate(rounds)
    ]
    mean = sum(_rate(of.two.epochs) / _rate(of.one.epochs) for of in rounds) / len(rounds)
    apart = sum(sum(of.apart) / _rate(of.one.epochs) for of in rounds) / len(rounds)
    worst = max(
        _apart(one, two, names) for one, two in zip(alone.epochs, together.epochs, strict=True)
    )
    return f"""# One training in several processes

Written by `benchmarks/ranks.py`; not edited by hand. Method `dal`, 2D,
{EPOCHS} epochs of {STEPS} steps, seed 0; {what}.
Two processes (gloo) share each batch of the one; each process has one thread.

## The same losses

{markdown_table(curve)}

The losses are means over an epoch of the sums of all parts. The largest relative difference of any
part in any epoch is {worst:.1e}: sums are added in another order.

## Speed

{markdown_table(speed)}

In the mean two processes are **{mean:.2f} times** as fast as one. *Two trainings apart* exchange
nothing: they show what the cores themselves have to give, {apart:.2f} times in the mean (they share
memory, caches and the machine's other work).

All epochs but the first count, validation included. The ratio of steps a second holds where the
machine is free; the last column says how many of its cores other programs kept busy. The ratio of
processor seconds a step (one process against the busier of two) hardly depends on who else runs:
waiting for the other process is not in it; exchanging gradients is, and what process 0 writes after
each epoch.

Measured {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit()}, {machine()}.
"""


def _apart(one: EpochRecord, two: EpochRecord, names: list[str]) -> float:
    return max(abs(one.losses[n] - two.losses[n]) / abs(one.losses[n]) for n in names)


def _rate(epochs: list[EpochRecord]) -> float:
    """Steps a second, the first epoch left out."""
    return STEPS * len(epochs[1:]) / sum(epoch.seconds for epoch in epochs[1:])


def _work(training: Training) -> float:
    return training.busiest_s / (STEPS * (EPOCHS - 1))


if __name__ == "__main__":
    main()
