"""Workers of a Dask scheduler killed in the midst of preparing and predicting: what is lost.

    python benchmarks/faults/cluster.py [--rounds 3]

writes `benchmarks/cluster.md`. A real scheduler and two worker processes on loopback; in each round
one worker is killed with -9 as soon as the first case is done. What comes out is compared bit for
bit with what one process makes.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from drill import DATASET, HEALTHY, Run, finish, make_scans, make_start, shrink  # noqa: E402

from disanat.home import BOOKS, atomic_path  # noqa: E402
from disanat.reporting.markdown import markdown_table  # noqa: E402
from steps import ROOT, commit, machine  # noqa: E402

PAGE = "benchmarks/cluster.md"
SCANS = 12
_COMMAND = "import sys; from {module} import main; sys.exit(main())"
_CLOCKS = ("prediction.json", "predictions.csv", "predictions.json")
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Drilled:
    """A command whose worker was killed."""

    command: str
    code: int
    seconds: float
    killed: bool
    differing: tuple[str, ...]
    files: int
    said: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        make_start(home)
        make_scans(home / "scans", SCANS)
        _alone(home)
        drilled = [
            one
            for number in range(rounds)
            for one in _round(home, Path(temporary) / f"round_{number}")
        ]
    with atomic_path(ROOT / PAGE) as page:
        page.write_text(_page(drilled), encoding="utf-8")
    print(ROOT / PAGE)


def _alone(home: Path) -> None:
    """What one process makes, and a model."""
    _run(home, "planning.cli", "-d", "5", "-np", "0")
    shrink(home)
    _run(home, "disanat.cli.train", "-d", "5", "-np", "0", "--device", "cpu")
    _run(home, "disanat.cli.predict", "-i", "scans", "-o", "predictions", "--device", "cpu")


def _round(start: Path, home: Path) -> Iterator[Drilled]:
    shutil.copytree(start, home)
    shutil.rmtree(home / "preprocessed")
    shutil.rmtree(home / "predictions")
    prepared = home / "preprocessed" / DATASET / "2d"
    with _scheduler(home) as (address, workers):
        words = ("planning.cli", "-d", "5", "--scheduler", address)
        yield _killed(start, home, words, prepared, "*.json", workers[0])
    shutil.rmtree(home / "preprocessed")
    with _scheduler(home) as (address, workers):
        words = ("disanat.cli.predict", "-i", "scans", "-o", "predictions", "--device", "cpu")
        records = home / "predictions" / BOOKS / "cases"
        yield _killed(
            start, home, (*words, "--scheduler", address), records, "*.json", workers[1]
        )
    shutil.rmtree(home)


def _killed(
    start: Path,
    home: Path,
    words: Sequence[str],
    results: Path,
    pattern: str,
    worker: subprocess.Popen[bytes],
) -> Drilled:
    """Run a command, kill a worker after its first result, and compare what is made."""
    process = _command(home, *words)
    until = time.monotonic() + _PATIENCE_S
    while not list(results.glob(pattern)) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    midway = process.poll() is None
    worker.send_signal(signal.SIGKILL)
    ended: Run = finish(process, 600)
    kind = "preprocessed" if words[0] == "planning.cli" else "predictions"
    expected, found = (_contents(one / kind) for one in (start, home))
    differing = tuple(
        name for name in sorted(expected | found) if expected.get(name) != found.get(name)
    )
    name = "disanat_plan_and_preprocess" if kind == "preprocessed" else "disanat_predict"
    print(f"{name}: code {ended.code}, killed midway: {midway}, differing: {differing}", flush=True)
    return Drilled(name, ended.code, ended.seconds, midway, differing, len(found), ended.said)


def _command(home: Path, module: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND.format(module=module), *words],
        cwd=home,
        env=_environment(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _run(home: Path, module: str, *words: str) -> None:
    ended = finish(_command(home, module, *words))
    if ended.code:
        sys.exit(f"{module} {' '.join(words)} ended with {ended.code}:\n{ended.said}")


def _environment(home: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**os.environ, **threads, "DISANAT_HOME": str(home), "PYTHONPATH": path}


@contextmanager
def _scheduler(home: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, as they are started on a cluster; all are stopped at the end."""
    contact = home / "scheduler.json"
    contact.unlink(missing_ok=True)
    dask = [sys.executable, "-m", "dask"]
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    lines = [
        [*dask, "scheduler", *local, "--port", "0", "--scheduler-file", str(contact)],
        *([[*dask, "worker", *local, "--nthreads", "1", "--no-nanny"]] * 2),
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for line in lines:
            if started:
                until = time.monotonic() + _PATIENCE_S
                while not contact.exists() and time.monotonic() < until:
                    time.sleep(0.05)
                line = [*line, "--scheduler-file", str(contact)]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            started.append(subprocess.Popen(line, env=_environment(home), cwd=home, **quiet))
        address = json.loads(contact.read_text(encoding="utf-8"))["address"]
        _wait_for_workers(address)
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _wait_for_workers(address: str) -> None:
    from distributed import Client

    with Client(address, timeout="60s") as client:
        client.wait_for_workers(2, timeout=_PATIENCE_S)


def _contents(folder: Path) -> dict[str, bytes]:
    """All that was made, but for what a clock wrote and the books of who did it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and BOOKS not in path.parts
        and path.name not in (*_CLOCKS, "plans.json", "dataset_fingerprint.json")
    }


def _page(drilled: Sequence[Drilled]) -> str:
    rows = []
    for name in dict.fromkeys(one.command for one in drilled):
        ours = [one for one in drilled if one.command == name]
        rows.append(
            {
                "command, one of two workers killed with -9": name,
                "rounds": str(len(ours)),
                "killed before its end": str(sum(one.killed for one in ours)),
                "exit code not 0": str(sum(one.code != 0 for one in ours)),
                "files made": str(ours[0].files),
                "files that differ or lack": str(sum(len(one.differing) for one in ours)),
            }
        )
    return f"""# Dask: a worker killed

Written by `benchmarks/faults/cluster.py`; not edited by hand. A real scheduler and two worker
processes on loopback, {HEALTHY} healthy scans to prepare and {SCANS} scans to predict, small
synthetic brains and tiny networks. In each round one of the two workers is killed as soon as the
first case is done; nothing replaces it. The files are compared, bit for bit, with those of one
process without Dask (the plan itself, which the drill makes smaller, and what a clock wrote left
out).

{markdown_table(rows)}

Measured {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit()}, {machine()}.
"""


if __name__ == "__main__":
    main()
