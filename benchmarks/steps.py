"""What the benchmarks share: running commands as a user would, timing them, naming the machine."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ROOT", "Commands", "Stopwatch", "commit", "machine", "synthetic_lesion_parser"]

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Commands:
    """Runs disanat's commands from this interpreter's environment with DISANAT_HOME set."""

    home: Path

    def run(self, *words: str | Path, accept: Sequence[int] = (0,)) -> int:
        """Print a command line, run it in the repository's root, return its exit code.

        Ends the benchmark when the exit code is not an accepted one.
        """
        line = [str(word) for word in words]
        print(f"\n$ {shlex.join(line)}", flush=True)
        scripts = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            "DISANAT_HOME": str(self.home),
            "PATH": os.pathsep.join((scripts, os.environ.get("PATH", ""))),
        }
        code = subprocess.run([f"{scripts}/{line[0]}", *line[1:]], cwd=ROOT, env=environment)
        if code.returncode not in accept:
            sys.exit(f"\n{line[0]} ended with exit code {code.returncode}: the benchmark stops.")
        return code.returncode


@dataclass
class Stopwatch:
    """Minutes of each step, in the order they ran."""

    minutes: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        spent = (time.monotonic() - start) / 60
        self.minutes[name] = self.minutes.get(name, 0.0) + spent

    @property
    def total(self) -> float:
        return sum(self.minutes.values())


def _git(*words: str) -> str:
    try:
        done = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def commit(written_here: Sequence[str] = ()) -> str:
    """Short hash of HEAD, with `+dirty` when other files than the benchmark's own differ."""
    changed = _git("status", "--porcelain", "--", ".", *(f":!{name}" for name in written_here))
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("+dirty" if changed else "")


def machine() -> str:
    """Processor, cores that may be used, and memory."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text(encoding="utf-8").splitlines() if "model name" in x]
        model = names[0].split(":", 1)[1].strip() if names else model
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {cores} cores, {memory:.0f} GiB memory"


def synthetic_lesion_parser(description: str) -> argparse.ArgumentParser:
    """Flags of the pages on synthetic lesions in healthy scans: model, home, cases and seed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-m", "--model", default="pretrained", help="default: the shipped model")
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("--cases", type=int, default=13, help="healthy cases (default: 13)")
    parser.add_argument("--seed", type=int, default=0, help="of the lesions (default: 0)")
    return parser
