"""One process at a time: folders that are being written to are held, and say by whom."""

from __future__ import annotations

import json
import logging
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

import portalocker
from portalocker import LockFlags
from portalocker.exceptions import AlreadyLocked, LockException

from disanat.errors import BusyError
from disanat.home import BOOKS, remove_temporaries

__all__ = ["Owner", "hold"]

log = logging.getLogger(__name__)

_LOCK = "lock"


@dataclass(frozen=True)
class Owner:
    """Who holds a folder. `since` is in ISO format, UTC."""

    doing: str
    command: str
    process: int
    host: str
    since: str

    @classmethod
    def this_process(cls, doing: str) -> Owner:
        words = [Path(sys.argv[0]).name, *sys.argv[1:]]
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return cls(doing, shlex.join(words)[:300], os.getpid(), platform.node(), now)

    @property
    def sentence(self) -> str:
        """In words, with its age."""
        try:
            held = datetime.now(timezone.utc) - datetime.fromisoformat(self.since)
            seconds = round(held.total_seconds())
            age = f" for {seconds // 60} min" if seconds >= 60 else f" for {seconds} s"
        except (ValueError, TypeError):
            age = ""
        return f"{self.doing}{age}, process {self.process} on {self.host} ({self.command})"


@contextmanager
def hold(folder: Path, doing: str, *, shared: bool = False, part: str = "") -> Iterator[None]:
    """Hold a folder while the block runs; a second process is refused at once.

    The lock is the operating system's: it ends with its process, however that dies, and is then
    taken without asking. What a dead process left half written is removed. Where the file system
    knows no locks, or a folder that is only read may not be written to, the block runs without.

    Args:
        folder: made if need be.
        doing: for the sentence that the other gets, such as `training`.
        shared: only read what is there: others may hold it too if they also share.
        part: of the work in this folder; different parts are held by different processes.

    Raises:
        BusyError: another process holds it; the message says which and for how long.
    """
    path = folder / BOOKS / (f"{_LOCK}.{part}" if part else _LOCK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path, "a+", encoding="utf-8")  # noqa: SIM115 (closed below)
    except OSError:
        if not shared:
            raise
        yield
        return
    owner = Owner.this_process(doing)
    with handle:
        _lock(handle, path, shared)
        former = _owner_in(handle)
        if not shared:
            _tell_of_the_dead(former, folder)
            if not part:
                remove_temporaries(folder)
        _write(handle, owner)
        try:
            yield
        finally:
            if _owner_in(handle) == owner:
                handle.truncate(0)


def _lock(handle: IO[str], path: Path, shared: bool) -> None:
    flags = (LockFlags.SHARED if shared else LockFlags.EXCLUSIVE) | LockFlags.NON_BLOCKING
    try:
        portalocker.lock(handle, flags)
    except AlreadyLocked as cause:
        owner = _owner_in(handle)
        by = owner.sentence if owner else "another disanat process"
        raise BusyError(
            f"{path.parent.parent} is in use by {by}: wait until it has ended, or stop it."
        ) from cause
    except (LockException, OSError) as cause:
        log.warning(
            "%s lies on a file system without locks (%s): see to it yourself that no other disanat "
            "writes there.",
            path.parent.parent,
            cause,
        )


def _owner_in(handle: IO[str]) -> Owner | None:
    """Who the file says holds it; None where it is empty or cannot be understood."""
    try:
        handle.seek(0)
        return Owner(**json.loads(handle.read()))
    except (OSError, ValueError, TypeError):
        return None


def _write(handle: IO[str], owner: Owner) -> None:
    handle.truncate(0)
    handle.write(json.dumps(asdict(owner)))
    handle.flush()


def _tell_of_the_dead(former: Owner | None, folder: Path) -> None:
    if former is not None:
        log.info("%s was left by a process that did not end well: %s.", folder, former.sentence)
