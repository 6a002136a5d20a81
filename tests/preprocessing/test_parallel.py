"""Many cases at once."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import namedtuple
from operator import mul
from pathlib import Path

import pytest
from pebble.pool.process import TaskManager
from threadpoolctl import threadpool_info, threadpool_limits

from disanat.errors import DatasetError
from disanat.preprocessing import parallel
from disanat.preprocessing.parallel import each_result, part_of_the_cores, workers_that_fit

MAIN = os.getpid()
THREE = ["a", "b", "c"]


def die_in_a_process(number: int, main: int) -> int:
    """Twice the number; 2 kills its process, unless it is the main one."""
    if number == 2 and os.getpid() != main:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def die_or_wait(number: int, main: int) -> int:
    """As above; the first waits until the other process has died."""
    if number == 0:
        time.sleep(5)
    return die_in_a_process(number, main)


def die_of_memory(main: int) -> None:
    if os.getpid() != main:
        os._exit(3)
    raise MemoryError


class Deadly:
    """Ends every process that receives it but the main one."""

    def __reduce__(self) -> tuple[object, ...]:
        return _receive, (MAIN,)


def _receive(main: int) -> Deadly:
    if os.getpid() != main:
        os._exit(9)
    return Deadly()


def second(_: Deadly, number: int) -> int:
    return number


def sleep_for_long(folder: Path) -> None:
    (folder / "begun").touch()
    time.sleep(60)


def test_in_this_process_results_come_in_order() -> None:
    assert list(each_result(mul, [(2, 3), (4, 5), (6, 7)], 0, THREE)) == [6, 20, 42]
    assert list(each_result(mul, [], 2, [])) == []


def test_processes_give_the_same_in_any_order() -> None:
    assert sorted(each_result(mul, [(2, 3), (4, 5), (6, 7)], 2, THREE)) == [6, 20, 42]
    assert os.getpid() not in list(each_result(os.getpid, [(), ()], 1, THREE[:2]))


def test_a_mistake_in_a_process_is_raised() -> None:
    with pytest.raises(TypeError):
        list(each_result(mul, [("a", "b")], 1, ["x"]))


def test_the_case_of_a_killed_process_is_named_and_done_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs = [(number, MAIN) for number in range(6)]
    with caplog.at_level(logging.WARNING):
        found = sorted(each_result(die_in_a_process, jobs, 2, [f"c{n}" for n, _ in jobs]))
    assert found == [0, 2, 4, 6, 8, 10]
    [said] = caplog.messages
    assert "case c2 was ended by SIGKILL (often for want of memory): doing it once more" in said


def test_a_process_that_dies_before_the_pool_knew_its_job_is_not_waited_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = TaskManager.task_start

    def late(manager: TaskManager, task_id: int, worker_id: int | None) -> None:
        if task_id == 2:
            time.sleep(2)
        start(manager, task_id, worker_id)

    monkeypatch.setattr(TaskManager, "task_start", late)
    monkeypatch.setattr(parallel, "_GLANCE_S", 0.5)
    jobs = [(0, 1), (10, 1), (2, MAIN)]
    with caplog.at_level(logging.WARNING):
        found = sorted(each_result(die_or_wait, jobs, 2, ["a", "b", "c2"], minutes=0.5))
    assert found == [0, 4, 20]
    assert "case c2 was lost: doing it once more" in caplog.text


def test_processes_that_all_die_before_they_begin(caplog: pytest.LogCaptureFixture) -> None:
    jobs = [(Deadly(), number) for number in range(3)]
    assert sorted(each_result(second, jobs, 2, THREE)) == [0, 1, 2]
    assert "The worker processes ended (" in caplog.text and "main process" in caplog.text


def test_memory_that_runs_out_again_names_the_case(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DatasetError, match="Case big needs more memory than there is: crop"):
        list(each_result(die_of_memory, [(MAIN,)], 1, ["big"]))
    assert "case big ended by itself (exit code 3)" in caplog.text


def test_a_job_that_hangs_is_stopped_and_named(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(DatasetError, match=r"Case slow was not done after 0\.1 minutes: .* -np 0"):
        list(each_result(sleep_for_long, [(tmp_path,)], 1, ["slow"], minutes=0.1))
    assert (tmp_path / "begun").exists() and time.monotonic() - began < 40


@pytest.mark.parametrize(
    ("free_gb", "peak_gb", "workers"), [(100, 1, 4), (4, 1, 3), (4, 1.5, 2), (1, 10, 1)]
)
def test_as_many_processes_as_memory_has_room_for(
    monkeypatch: pytest.MonkeyPatch, free_gb: float, peak_gb: float, workers: int
) -> None:
    memory = namedtuple("memory", "available")(free_gb * 1e9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    assert workers_that_fit(4, peak_gb) == workers


def threads_of_products(_: int) -> list[int]:
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


def test_processes_share_the_cores_for_products_of_matrices() -> None:
    """With all cores each they would wait for each other: it took twice as long."""
    cores = os.cpu_count() or 1
    for threads in each_result(threads_of_products, [(1,), (2,)], 2, ["a", "b"]):
        assert threads and max(threads) <= max(1, cores // 2)


def test_a_part_of_the_cores_ends_with_its_block_and_never_is_more_than_before() -> None:
    before = threads_of_products(0)
    with threadpool_limits(4):  # of which this machine may have fewer
        four = threads_of_products(0)
        with part_of_the_cores((os.cpu_count() or 1), "blas"):
            assert set(threads_of_products(0)) == {1}
        assert threads_of_products(0) == four
        with threadpool_limits(1), part_of_the_cores(1):
            assert set(threads_of_products(0)) == {1}
    assert threads_of_products(0) == before
