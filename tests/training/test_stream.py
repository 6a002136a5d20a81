"""The batches of a training, whoever renders them."""

from __future__ import annotations

import logging
import os
import signal
import time
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import psutil
import pytest
from pebble.pool.base_pool import Task
from pebble.pool.process import PoolManager

from disanat.plans import Plans, load_json
from disanat.training.stream import BatchStream, Source

AT_A_BATCH = "ended (signal 9; often for want of memory)"
IDLE = "The rendering processes ended (with nothing to do): others take their place"
BETWEEN_TWO = "The rendering processes ended (All workers expired): others take their place"


@pytest.fixture(scope="module")
def source(planned_home: Path) -> Source:
    folder = planned_home / "preprocessed" / "Dataset005_Mini"
    plans = load_json(folder / "plans.json", Plans)
    return Source(folder / "2d", ("h0", "h1"), plans, plans.configuration("2d"), 3)


def test_it_goes_on_from_any_batch(source: Source) -> None:
    whole, later = BatchStream(source, 0), BatchStream(source, 0, first=2)
    batches = [next(whole) for _ in range(4)]
    for batch in batches[2:]:
        again = next(later)
        assert all(np.array_equal(again[key], batch[key]) for key in batch)


def test_processes_render_the_same_and_one_that_dies_is_replaced(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    expected = [next(BatchStream(source, 0, first=number))["image"] for number in range(12)]
    mine = psutil.Process()
    with caplog.at_level(logging.WARNING), BatchStream(source, 1) as stream:
        found = [next(stream)["image"] for _ in range(2)]
        workers = _workers()
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        found += [next(stream)["image"] for _ in range(10)]
    assert workers
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert AT_A_BATCH in caplog.text or BETWEEN_TWO in caplog.text or IDLE in caplog.text
    assert not [p for p in mine.children() if p.pid in {w.pid for w in workers}]


def test_processes_that_die_between_two_batches_are_replaced(
    source: Source, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PoolManager, "find_expired_task", _nobody_was_at_one)
    expected = [next(BatchStream(source, 0, first=number))["image"] for number in range(8)]
    with caplog.at_level(logging.WARNING), BatchStream(source, 1) as stream:
        found = [next(stream)["image"] for _ in range(2)]
        [first] = _workers()
        os.kill(first.pid, signal.SIGKILL)
        found += [next(stream)["image"] for _ in range(6)]
        [other] = _workers()
    for one, another in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, another)
    assert other.pid != first.pid
    assert BETWEEN_TWO in caplog.text and AT_A_BATCH not in caplog.text


def test_processes_that_die_with_nothing_to_do_are_replaced(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    expected = [next(BatchStream(source, 0, first=number))["image"] for number in range(8)]
    with caplog.at_level(logging.WARNING), BatchStream(source, 1) as stream:
        found = [next(stream)["image"]]
        wait(stream._running, timeout=60)
        [first] = _workers()
        os.kill(first.pid, signal.SIGKILL)
        until = time.monotonic() + 20
        while stream._pool is not None and stream._pool.active and time.monotonic() < until:
            time.sleep(0.05)
        found += [next(stream)["image"] for _ in range(7)]
        [other] = _workers()
    for one, another in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, another)
    assert other.pid != first.pid and IDLE in caplog.text


def test_where_all_processes_die_at_once_this_one_goes_on(
    source: Source, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PoolManager, "find_expired_task", _nobody_was_at_one)
    expected = next(BatchStream(source, 0))["image"]
    with caplog.at_level(logging.WARNING), BatchStream(source, 1) as stream:
        [worker] = _workers()
        os.kill(worker.pid, signal.SIGKILL)
        np.testing.assert_array_equal(next(stream)["image"], expected)
        next(stream)
        assert not _workers()
    assert "(All workers expired): going on in the main one" in caplog.text


def _nobody_was_at_one(manager: PoolManager, worker_id: int) -> Task:
    raise BrokenProcessPool("All workers expired")


def _workers() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
