"""What workers of a cluster do in tests; they import it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def doubled(number: int, folder: Path) -> tuple[int, int]:
    """Twice a number, and whose process found it; the first to get a 3 is killed by it."""
    if number == 3 and not (folder / "killed").exists():
        (folder / "killed").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return 2 * number, os.getpid()


def deadly(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def once_broken(folder: Path) -> str:
    """Fails when it is called for the first time."""
    if not (folder / "tried").exists():
        (folder / "tried").touch()
        raise OSError("the network file system has hiccups")
    return "done"
