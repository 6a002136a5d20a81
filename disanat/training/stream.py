"""The batches of a training, each decided by its number alone."""

from __future__ import annotations

import logging
import multiprocessing
from collections import deque
from concurrent.futures import TimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from disanat.errors import ModelError
from disanat.plans import Configuration, Plans
from disanat.training.loaders import Renderer

__all__ = ["BatchStream", "Source"]

log = logging.getLogger(__name__)

_AHEAD = 3
"""Batches that each process works ahead."""
_MINUTES_PER_BATCH = 10.0


@dataclass(frozen=True)
class Source:
    """What batches are drawn from, and by which seed; it can be sent to other processes."""

    folder: Path
    names: tuple[str, ...]
    plans: Plans
    configuration: Configuration
    seed: int
    deform: bool = True
    lesions: bool = True
    pairs: range | None = None
    """Which pairs of each batch; all by default."""

    def renderer(self) -> Renderer:
        return Renderer(
            self.folder,
            self.names,
            self.plans,
            self.configuration,
            self.seed,
            self.deform,
            self.lesions,
            self.pairs,
        )


class BatchStream:
    """An endless iterator over the batches of a source, from any of them on.

    Batch n is the same whoever renders it and whatever came before: with any number of processes,
    after an interruption, and where a process died, whose batch is then rendered in this one.
    Processes that ended are replaced; only if none ever gave a batch does this one go on alone.

    Args:
        source: of the batches.
        workers: processes that render; 0 renders in this one.
        first: number of the first batch.
    """

    def __init__(self, source: Source, workers: int, first: int = 0) -> None:
        self._source = source
        self._next = first
        self._workers = workers
        self._pool: ProcessPool | None = None
        self._running: deque[ProcessFuture[dict[str, np.ndarray]]] = deque()
        self._given = False
        self._own: Renderer | None = None
        if workers > 0:
            self._open(first)

    def _open(self, first: int) -> None:
        """Start the processes, with the batches from this one on."""
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPool(
            self._workers, initializer=_prepare, initargs=(self._source,), context=context
        )
        self._given = False
        ahead = range(first, first + _AHEAD * self._workers)
        self._running.extend(_asked(self._pool, number) for number in ahead)

    def __iter__(self) -> BatchStream:
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        number = self._next
        self._next += 1
        if self._pool is None:
            return self._here(number)
        if not self._running:
            self._lost(number, "with nothing to do")
            return self._here(number)
        waiting = self._running.popleft()
        try:
            batch = waiting.result(timeout=60 * _MINUTES_PER_BATCH)
            self._given = True
            self._refill(number)
            return batch
        except ProcessExpired as death:
            log.warning(
                "A process that renders training batches ended (%s; often for want of memory): "
                "batch %d is rendered in the main process.",
                _code(death.exitcode),
                number,
            )
            self._refill(number)
            return self._here(number)
        except TimeoutError as cause:
            raise ModelError(
                f"A training batch was not rendered within {_MINUTES_PER_BATCH:g} minutes: train "
                "with -np 0 to render in the main process."
            ) from cause
        except Exception as cause:
            if self._pool.active:
                raise
            self._lost(number, cause)
            return self._here(number)

    def _lost(self, number: int, cause: Exception | str) -> None:
        """All processes ended, none seen at a batch: start others, if these ever gave one."""
        worked = self._given
        self.close()
        if worked:
            log.warning("The rendering processes ended (%s): others take their place.", cause)
            self._open(number + 1)
        else:
            log.warning("The rendering processes ended (%s): going on in the main one.", cause)

    def _refill(self, number: int) -> None:
        """Ask for one more batch than those that are on their way after this one."""
        if self._pool is not None and self._pool.active:
            self._running.append(_asked(self._pool, number + 1 + len(self._running)))

    def _here(self, number: int) -> dict[str, np.ndarray]:
        if self._own is None:
            self._own = self._source.renderer()
        return self._own.batch(number)

    def close(self) -> None:
        """Stop the processes."""
        if self._pool is not None:
            self._running.clear()
            self._pool.stop()
            self._pool.join(timeout=10)
            self._pool = None

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()


def _code(exitcode: int | None) -> str:
    return f"signal {-exitcode}" if exitcode is not None and exitcode < 0 else f"code {exitcode}"


def _asked(pool: ProcessPool, number: int) -> ProcessFuture[dict[str, np.ndarray]]:
    return pool.schedule(_render, args=[number], timeout=60 * _MINUTES_PER_BATCH)


_renderers: list[Renderer] = []
"""The one of this worker process."""


def _prepare(source: Source) -> None:
    torch.set_num_threads(1)
    _renderers.append(source.renderer())


def _render(number: int) -> dict[str, np.ndarray]:
    return _renderers[-1].batch(number)
