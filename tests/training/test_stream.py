"""The batches of a training, whoever renders them."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest

from disanat.plans import Plans, load_json
from disanat.training.stream import BatchStream, Source


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
        workers = [p for p in mine.children() if "spawn_main" in " ".join(p.cmdline())]
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        found += [next(stream)["image"] for _ in range(10)]
    assert workers
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    if caplog.messages:  # it may die between two batches
        assert "ended (signal 9; often for want of memory)" in caplog.text
    assert not [p for p in mine.children() if p.pid in {w.pid for w in workers}]
