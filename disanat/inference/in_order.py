"""A few items in work at a time, their results in the order of the items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from disanat.networks.turns import stopped_by

__all__ = ["in_order"]

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    function: Callable[[T], R], items: Sequence[T], at_once: int
) -> Generator[R, None, None]:
    """The function's result for each item, with up to `at_once` items in work in threads.

    The next item is begun when the first of those in work is done, so that no more than `at_once`
    are ever held in memory. When the caller closes the generator, or the function raises,
    nothing further is begun and networks that are at work give up.

    Args:
        function: called once for each item.
        items: to work on.
        at_once: how many; with 1, or a single item, all is done in the caller's own thread.
    """
    if at_once == 1 or len(items) < 2:
        yield from map(function, items)
        return
    stop = threading.Event()

    def guarded(item: T) -> R:
        with stopped_by(stop):
            return function(item)

    with ThreadPoolExecutor(at_once, thread_name_prefix="case") as threads:
        rest = iter(items)
        begun: deque[Future[R]] = deque(threads.submit(guarded, i) for i in islice(rest, at_once))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(threads.submit(guarded, item) for item in islice(rest, 1))
                yield result
        finally:
            stop.set()
            for waiting in begun:
                waiting.cancel()
