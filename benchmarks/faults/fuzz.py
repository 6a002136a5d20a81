"""Spoilt inputs of every kind: each must be refused by one sentence, or read as what it is.

    python benchmarks/faults/fuzz.py --count 1000 --seed 0 [--data FOLDER]

Each input is fed to the function or command that a user would feed it to, in a process with a limit
of time and of memory. Writes `benchmarks/fuzz.md`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from material import make_material  # noqa: E402
from targets import KINDS, DisanatError, Kind, fingerprint_of  # noqa: E402

from steps import ROOT, commit, machine  # noqa: E402

TARGET = "benchmarks/fuzz.md"
SECONDS, MEMORY_GB = 60.0, 12
OUTCOMES = (
    "refused",
    "read as it was",
    "other data, nothing shows it",
    "accepted wrongly",
    "no sentence",
    "traceback",
    "hang",
)
_CLEAN = 3
"""How many of the outcomes are as they should be."""


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    number: int
    kind: str
    what: str
    outcome: str
    said: str = ""


def _good(message: str, folder: Path) -> bool:
    """One sentence that names a file and what to do about it."""
    names = {folder.name, *(p.name for p in folder.rglob("*"))}
    named = any(name in message or repr(name)[1:-1] in message for name in names)
    return named and ": " in message and message.endswith(".") and "\n" not in message


def _copy(kind: Kind, material: Path, folder: Path) -> None:
    for part in kind.parts:
        source = material / part
        if source.is_dir():
            shutil.copytree(source, folder / part)
        else:
            shutil.copy(source, folder / part)


def _sound(kind: Kind, material: Path, name: Path, known: dict[tuple[str, Path], str]) -> str:
    """The digest of what is read from the same input before it is spoilt."""
    if (kind.name, name) not in known:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "input"
            folder.mkdir()
            _copy(kind, material, folder)
            known[kind.name, name] = fingerprint_of(kind.use(folder, folder / name))
    return known[kind.name, name]


def _try(number: int, seed: int, material: Path, known: dict[tuple[str, Path], str]) -> Result:
    kind, rng = KINDS[number % len(KINDS)], Random(f"{seed} {number}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "input"
        folder.mkdir()
        _copy(kind, material, folder)
        path = rng.choice(sorted(folder.glob(kind.files)))
        sound = _sound(kind, material, path.relative_to(folder), known)
        what = f"{path.relative_to(folder)}: {rng.choice(kind.ways)(rng, path)}"
        shown = kind.shows(path)
        result = Result(number, kind.name, what, "")
        try:
            same = fingerprint_of(kind.use(folder, path)) == sound
        except DisanatError as mistake:
            good = _good(str(mistake), folder)
            return replace(result, outcome="refused" if good else "no sentence", said=str(mistake))
        except BaseException:
            return replace(result, outcome="traceback", said=traceback.format_exc())
        if shown and not (same and kind.name in ("checkpoint",)):
            return replace(result, outcome="accepted wrongly", said=f"{shown} shows it")
        return replace(result, outcome=OUTCOMES[1 if same else 2])


def _work(pipe: Connection, seed: int, material: Path) -> None:
    limit = MEMORY_GB * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what C++ libraries say of broken files
    known: dict[tuple[str, Path], str] = {}
    while (number := pipe.recv()) is not None:
        pipe.send(_try(number, seed, material, known))


class _Worker:
    """A process that tries inputs; one that hangs or dies is replaced."""

    def __init__(self, seed: int, material: Path) -> None:
        self._settings = (seed, material)
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, *self._settings), daemon=True)
        self._process.start()
        other.close()

    def run(self, number: int) -> Result:
        self._pipe.send(number)
        kind = KINDS[number % len(KINDS)].name
        if not self._pipe.poll(SECONDS):
            self.stop()
            self._start()
            return Result(number, kind, "", "hang", f"more than {SECONDS:.0f} s")
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._start()
            return Result(number, kind, "", "traceback", f"the process died ({code})")

    def stop(self) -> None:
        self._process.kill()
        self._process.join()


def _table(results: list[Result]) -> list[str]:
    counts = Counter((r.kind, r.outcome) for r in results)
    names = [kind.name for kind in KINDS]
    heading = ("kind of input", "inputs", *OUTCOMES)
    rows = [
        (name, sum(counts[name, o] for o in OUTCOMES), *(counts[name, o] for o in OUTCOMES))
        for name in names
    ]
    total = ("all", *(sum(int(row[i]) for row in rows) for i in range(1, len(heading))))
    lines = [[str(cell) for cell in row] for row in (heading, *rows, total)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heading))]
    text = [
        "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in
                          enumerate(zip(line, widths))) + " |"
        for line in lines
    ]  # fmt: skip
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths))
    return [text[0], rule + "|", *text[1:]]


def _page(results: list[Result], seed: int, minutes: float, real: bool) -> str:
    wrong = [r for r in results if r.outcome not in OUTCOMES[:_CLEAN]]
    listed = [
        f"- {r.number}, {r.kind}, {r.what}: {r.outcome} ({r.said.strip().splitlines()[-1][:160]})"
        for r in wrong
    ]
    scans = "simulated ones and real ones" if real else "simulated ones"
    return "\n".join([
        "# Spoilt inputs",
        "",
        "Written by `benchmarks/faults/fuzz.py`; not edited by hand. Sound inputs are spoilt at",
        "random and fed to what a user would feed them to. Refused: by one sentence that names a",
        "file and what to do. Read as it was: what is spoilt says nothing that is used. Other",
        "data, nothing shows it: what was read differs, but no checksum, header or length says so.",
        "",
        f"- date {datetime.now():%Y-%m-%d %H:%M}, commit {commit((TARGET,))}",
        f"- machine: {machine()}; {minutes:.0f} min",
        f"- {len(results)} inputs, seed {seed}, from {scans}; limits: {SECONDS:.0f} s and "
        f"{MEMORY_GB} GB each",
        "",
        *_table(results),
        "",
        *(listed or ["Nothing was accepted wrongly, nothing hung, and nothing ended otherwise."]),
        "",
    ])  # fmt: skip


def _real_scans(data: Path, target: Path) -> bool:
    """Copy the smallest compressed NIfTI file of each real set."""
    target.mkdir()
    for folder in sorted(p for p in data.iterdir() if p.is_dir()):
        files = sorted(folder.rglob("*.nii.gz"), key=lambda p: p.stat().st_size)
        scans = [p for p in files if p.stat().st_size > 50_000]
        if scans:
            shutil.copy(scans[0], target / f"{folder.name}.nii.gz")
    return any(target.iterdir())


def main() -> int:
    """Run; 0 if all outcomes are as they should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=os.environ.get("DISANAT_TEST_DATA"))
    parser.add_argument("--only", type=int, nargs="+", help="numbers of inputs to try alone")
    parser.add_argument("--all", action="store_true", help="say what became of every input")
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        material = Path(place) / "material"
        material.mkdir()
        make_material(material)
        real = bool(args.data and args.data.is_dir() and _real_scans(args.data, material / "real"))
        if not real:
            shutil.copytree(material / "images", material / "real")
        worker = _Worker(args.seed, material)
        results = []
        for number in args.only or range(args.count):
            results.append(worker.run(number))
            last = results[-1]
            if args.only or args.all or last.outcome not in OUTCOMES[:_CLEAN]:
                print(last.number, last.kind, last.what, last.outcome, last.said, flush=True)
        worker.stop()
    if not args.only:
        page = _page(results, args.seed, (time.monotonic() - began) / 60, real)
        (ROOT / TARGET).write_text(page, encoding="utf-8")
        print("\n".join(_table(results)))
    return int(any(r.outcome not in OUTCOMES[:_CLEAN] for r in results))


if __name__ == "__main__":
    sys.exit(main())
