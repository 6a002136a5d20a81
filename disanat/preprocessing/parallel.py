"""Work on many cases at once, in processes of their own, none of which is waited for in vain."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import psutil
from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_info, threadpool_limits

from disanat.errors import DatasetError

__all__ = [
    "MINUTES_PER_JOB",
    "Elsewhere",
    "Processes",
    "each_result",
    "part_of_the_cores",
    "workers_that_fit",
]

log = logging.getLogger(__name__)

T = TypeVar("T")
Library = Literal["blas", "openmp"]


class Elsewhere(Protocol):
    """Workers that are no processes of this one, such as those of a cluster."""

    def each_result(
        self, work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], names: Sequence[str]
    ) -> Iterator[T]:
        """As the function `each_result`."""
        ...


Processes = int | Elsewhere
"""Who works: so many processes (0: this one), or a cluster."""

MINUTES_PER_JOB = 60.0
"""After so long a job hangs, in all likelihood: its process is stopped and its case named."""
_GLANCE_S = 5.0
_FREE_SHARE = 0.8


def each_result(
    work: Callable[..., T],
    jobs: Sequence[tuple[Any, ...]],
    processes: Processes,
    names: Sequence[str],
    minutes: float = MINUTES_PER_JOB,
) -> Iterator[T]:
    """What a function gives for each job, in the order in which they finish.

    The job of a process that dies (killed, or for want of memory) is done once more in this
    process; the other processes go on. If they all die before they could begin, this one does all.

    Args:
        work: called with the parts of a job; must survive pickling.
        jobs: arguments of each call.
        processes: how many work at once; 0 works in this process, in the jobs' order. A cluster
            has its own way with workers that are lost.
        names: of the jobs' cases, for messages.
        minutes: how long one job may take in a process of its own.

    Raises:
        DatasetError: a job took too long, or its memory ran out in this process as well; the
            message names the case.
    """
    if not isinstance(processes, int):
        yield from processes.each_result(work, jobs, names)
        return
    if processes == 0 or not jobs:
        yield from (work(*job) for job in jobs)
        return
    workers = min(processes, len(jobs))
    with _worker_pool(workers, len(jobs)) as (pool, by_whom):
        waiting: dict[Future[T], _Task] = {}
        for place, (job, name) in enumerate(zip(jobs, names, strict=True)):
            future = pool.schedule(_noted, args=(place, work, job), timeout=60 * minutes)
            waiting[future] = _Task(job, name, place)
        yield from _as_they_finish(work, pool, waiting, by_whom, minutes)


@dataclass(frozen=True)
class _Task:
    """A job, the name of its case, and its place among the jobs."""

    job: tuple[Any, ...]
    name: str
    place: int


@contextmanager
def _worker_pool(workers: int, jobs: int) -> Iterator[tuple[ProcessPool, Any]]:
    """Processes, and an array in which they note who began each of so many jobs."""
    context = multiprocessing.get_context("spawn")
    by_whom = context.Array("q", jobs, lock=False)
    pool = ProcessPool(workers, context=context, initializer=_begin, initargs=(workers, by_whom))
    try:
        yield pool, by_whom
    finally:
        pool.stop()
        pool.join(timeout=10)


def _as_they_finish(
    work: Callable[..., T],
    pool: ProcessPool,
    waiting: dict[Future[T], _Task],
    by_whom: Any,
    minutes: float,
) -> Iterator[T]:
    """The results of all that waits; what a process left undone is done in this one."""
    orphans: set[Future[T]] = set()
    while waiting:
        finished = wait(waiting, timeout=_GLANCE_S, return_when=FIRST_COMPLETED).done
        if not finished:
            seen = {future for future, task in waiting.items() if _is_gone(by_whom[task.place])}
            # Seen twice: the pool has had its time to tell of the death itself.
            for lost in orphans & seen:
                yield _once_more(work, waiting.pop(lost), None)
            orphans = seen
        for done in finished:
            task = waiting.pop(done)
            try:
                yield done.result(timeout=0)
            except ProcessExpired as death:
                yield _once_more(work, task, death.exitcode)
            except TimeoutError as cause:
                raise DatasetError(
                    f"Case {task.name} was not done after {minutes:g} minutes: look at its files, "
                    "or work on it in one process with -np 0."
                ) from cause
            except Exception as cause:
                if pool.active:
                    raise
                log.warning(
                    "The worker processes ended (%s): going on in the main process.", cause
                )
                yield from (work(*left.job) for left in (task, *waiting.values()))
                return


def part_of_the_cores(workers: int, library: Library | None = None) -> threadpool_limits:
    """Let calculations here use their part of the cores, for good or in a `with` block.

    Several that use all cores each mostly wait for each other. Limits that are lower already stay.

    Args:
        workers: how many share the cores.
        library: limit only `blas` (products of matrices by numpy), or only `openmp` (torch);
            both by default.
    """
    import numpy  # noqa: F401 (its library has to be there to be limited)

    most = max(1, (os.cpu_count() or 1) // workers)
    found = [one for one in threadpool_info() if library in (None, one["user_api"])]
    return threadpool_limits({one["prefix"]: min(most, one["num_threads"]) for one in found})


_notes: list[Any] = []
"""In a worker: which process began each job."""


def _begin(workers: int, by_whom: Any) -> None:
    part_of_the_cores(workers)
    _notes.append(by_whom)


def _noted(place: int, work: Callable[..., T], job: tuple[Any, ...]) -> T:
    """Work on a job, and leave a note of who does: the pool forgets one who dies at once."""
    _notes[-1][place] = os.getpid()
    return work(*job)


def _is_gone(process: int) -> bool:
    return process != 0 and not psutil.pid_exists(process)


def _once_more(work: Callable[..., T], task: _Task, code: int | None) -> T:
    log.warning(
        "The process that worked on case %s %s: doing it once more in the main process.",
        task.name,
        _cause(code),
    )
    try:
        return work(*task.job)
    except MemoryError as cause:
        raise DatasetError(
            f"Case {task.name} needs more memory than there is: crop its images, or leave it out."
        ) from cause


def _cause(code: int | None) -> str:
    """Why a process ended, in words; None: nobody was there to see it."""
    if code is None:
        return "was lost"
    if code < 0:
        killed = f"was ended by {signal.Signals(-code).name}"
        return f"{killed} (often for want of memory)" if -code == signal.SIGKILL else killed
    return f"ended by itself (exit code {code})"


def workers_that_fit(wanted: int, peak_gb: float) -> int:
    """How many processes of such a peak the free memory has room for: at least one, at most wanted.

    Args:
        wanted: how many would be good for speed.
        peak_gb: memory of one process at its peak, in units of 10^9 bytes.
    """
    free = psutil.virtual_memory().available / 1e9
    return max(1, min(wanted, int(_FREE_SHARE * free / peak_gb)))
