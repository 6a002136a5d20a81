"""Networks of several cases take turns, so that one case's are never slowed by another's.

A folder is predicted with two cases in work at a time: while the networks work on one, the other is
read, prepared, scored or written. Two networks at once would only share the same cores, or a GPU's
memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["StoppedError", "Turns", "check_stopped", "network_turns", "stopped_by"]

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


class StoppedError(BaseException):
    """The work was called off; not a failure of the case, and nothing to report."""


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Networks that run inside, in this thread, give up soon after the event is set."""
    before = _stop.set(event)
    try:
        yield
    finally:
        _stop.reset(before)


def check_stopped() -> None:
    """Networks call it between two batches.

    Raises:
        StoppedError: the work of this thread was called off.
    """
    event = _stop.get()
    if event is not None and event.is_set():
        raise StoppedError


class Turns:
    """Hands out turns, one thread at a time; a thread may take one within its own.

    Attributes:
        busy_s: seconds for which some thread has had the turn since the object was made.
    """

    def __init__(self) -> None:
        self.busy_s = 0.0
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no other thread have a turn while the block runs; only turns within it count as busy.

        Without it two cases whose networks follow each other closely go in step, and then are both
        without networks at the same time.

        Raises:
            StoppedError: the work of this thread was called off.
        """
        with self._lock:
            check_stopped()
            yield

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for the turn and keep it while the block runs.

        Raises:
            StoppedError: the work of this thread was called off.
        """
        with self.held():
            self._depth += 1
            began = time.monotonic()
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.busy_s += time.monotonic() - began


network_turns = Turns()
"""Those of this process."""
