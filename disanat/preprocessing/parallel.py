"""Work on many cases at once, in processes of their own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

__all__ = ["each_result"]

T = TypeVar("T")


def each_result(
    work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], processes: int
) -> Iterator[T]:
    """What a function gives for each job, in the order in which they finish.

    Args:
        work: called with the parts of a job; must survive pickling.
        jobs: arguments of each call.
        processes: how many work at once; 0 works in this process, in the jobs' order.
    """
    if processes == 0:
        yield from (work(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = [pool.submit(work, *job) for job in jobs]
        for done in as_completed(running):
            yield done.result()
