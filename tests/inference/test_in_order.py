"""A few items in work at a time."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from disanat.inference.in_order import in_order
from disanat.networks.turns import StoppedError, check_stopped


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_results_come_in_the_order_of_the_items_and_few_are_in_work(at_once: int) -> None:
    lock, working, most = threading.Lock(), 0, 0

    def slow(number: int) -> int:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        time.sleep(0.02 if number % 2 else 0.001)
        with lock:
            working -= 1
        return number * number

    assert list(in_order(slow, range(9), at_once)) == [n * n for n in range(9)]
    assert most == at_once


def test_a_single_item_is_done_in_the_callers_thread() -> None:
    assert list(in_order(lambda _: threading.get_ident(), [0], 2)) == [threading.get_ident()]
    assert list(in_order(str, [], 2)) == []


def test_after_an_error_nothing_further_is_begun() -> None:
    seen = []

    def fails(number: int) -> int:
        seen.append(number)
        if number == 1:
            raise ValueError("one")
        return number

    found = []
    with pytest.raises(ValueError, match="one"):
        found.extend(in_order(fails, range(50), 2))
    assert max(seen) < 5


def test_networks_give_up_when_the_caller_does() -> None:
    begun, gave_up = threading.Event(), threading.Event()

    def endless(number: int) -> int:
        if number == 0:
            begun.wait(20)
            return number
        begun.set()
        try:
            while True:
                check_stopped()
                time.sleep(0.001)
        except StoppedError:
            gave_up.set()
            raise

    with closing(in_order(endless, range(3), 2)) as found:
        assert next(found) == 0
    assert gave_up.is_set()
    check_stopped()  # who works outside is not stopped
