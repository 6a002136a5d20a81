"""Work on many cases at once on many machines, by Dask."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from disanat.errors import DatasetError, PlanError
from disanat.preprocessing.parallel import workers_that_fit

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["LOCAL", "Cluster", "connected"]

log = logging.getLogger(__name__)

T = TypeVar("T")

LOCAL = "local"
_USUAL_PEAK_GB = 2.5
_AHEAD = 3
"""Cases for each worker that wait at the scheduler; the others wait here."""
_RETRIES = 2
_PATIENCE_S = "30s"
_INSIDE = "127.0.0.1:0"
"""The page about a local cluster can only be read on this machine, at some free port."""
_one_at_a_time = threading.Lock()


class Cluster:
    """Workers of a Dask scheduler, who see the same folders under the same names."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def each_result(
        self, work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], names: Sequence[str]
    ) -> Iterator[T]:
        """What a function gives for each job, one task for each, in the order in which they finish.

        The job of a worker that is lost is done again by another one. One that fails is tried
        twice more.

        Args:
            work: called with the parts of a job; must survive pickling.
            jobs: arguments of each call.
            names: of the jobs' cases, for messages.

        Raises:
            DatasetError: a job lost all workers that it was given, or the scheduler is gone.
        """
        from distributed import CancelledError, KilledWorker, as_completed

        left = iter(zip(jobs, names, strict=True))
        running: dict[Future, str] = {}

        def submit_next() -> Future | None:
            job, name = next(left, (None, ""))
            if job is None:
                return None
            future = self._client.submit(_alone, work, job, pure=False, retries=_RETRIES)
            running[future] = name
            return future

        begun = [submit_next() for _ in range(self._wide())]
        done = as_completed([future for future in begun if future is not None])
        for future in done:
            name = running.pop(future)
            try:
                result: T = future.result()
            except KilledWorker as cause:
                raise DatasetError(
                    f"Case {name} ended every worker that it was given (often for want of "
                    "memory): leave it out, or give the workers more memory."
                ) from cause
            except (CancelledError, OSError) as cause:
                raise DatasetError(
                    f"The Dask scheduler is gone, case {name} and others were not done: start it "
                    "again and give the same command again."
                ) from cause
            further = submit_next()
            if further is not None:
                done.add(further)
            yield result

    def _wide(self) -> int:
        """How many tasks the scheduler has at a time: enough for workers that join, too."""
        threads = sum(self._client.nthreads().values())
        return max(16, _AHEAD * threads)


def _alone(work: Callable[..., T], job: tuple[Any, ...]) -> T:
    """Do a job; a worker with several threads does one at a time: numpy has one generator."""
    with _one_at_a_time:
        return work(*job)


@contextmanager
def connected(scheduler: str | None, processes: int | None = None) -> Iterator[Cluster | None]:
    """The cluster behind `--scheduler`; None without one.

    Args:
        scheduler: an address such as `tcp://host:8786`; or `local`, for workers of this machine.
        processes: workers, if it is local; None takes the cores there are, and fewer where memory
            is short.

    Raises:
        PlanError: Dask is not installed, or no scheduler answers there.
    """
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise PlanError(
            "--scheduler needs the package distributed: pip install 'disanat[dask]'."
        ) from None
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler != LOCAL:
        with _client(Client, scheduler) as client:
            yield _told(client, scheduler)
        return
    count = processes or workers_that_fit(os.cpu_count() or 1, _USUAL_PEAK_GB)
    with (
        LocalCluster(
            n_workers=count, threads_per_worker=1, dashboard_address=_INSIDE, memory_limit=0
        ) as local,
        Client(local) as client,
    ):
        yield _told(client, "this machine")


@contextmanager
def _client(kind: Any, address: str) -> Iterator[Client]:
    try:
        client = kind(address, timeout=_PATIENCE_S)
    except (OSError, ValueError, TimeoutError) as cause:
        raise PlanError(
            f"No Dask scheduler answers at {address}: start one with dask scheduler, and give its "
            "address, such as tcp://host:8786, to --scheduler."
        ) from cause
    with client:
        yield client


def _told(client: Client, where: str) -> Cluster:
    workers = len(client.nthreads())
    log.info("Working on %d Dask worker%s of %s.", workers, "" if workers == 1 else "s", where)
    if not workers:
        log.warning("The scheduler has no workers yet: waiting for the first (dask worker).")
    return Cluster(client)
