"""Networks take turns."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from disanat.networks.turns import StoppedError, Turns, stopped_by


def test_one_thread_at_a_time_and_turns_within_turns() -> None:
    turns, inside, most = Turns(), 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        with turns.one(), turns.one():
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(6)))
    assert most == 1
    assert 0.06 <= turns.busy_s <= time.monotonic() - began


def test_who_holds_them_keeps_others_from_turns_and_counts_only_its_own() -> None:
    turns, order, holding = Turns(), [], threading.Event()

    def holder() -> None:
        with turns.held():
            holding.set()
            for _ in range(2):
                with turns.one():
                    order.append("holder")
                time.sleep(0.1)  # without a turn, another would come in

    def other() -> None:
        holding.wait(20)
        with turns.one():
            order.append("other")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda work: work(), (holder, other)))
    assert order == ["holder", "holder", "other"]
    assert turns.busy_s < 0.1


def test_who_was_called_off_gets_no_turn_and_leaves_it_to_the_others() -> None:
    turns, stop = Turns(), threading.Event()
    with stopped_by(stop):
        with turns.one():
            pass
        stop.set()
        with pytest.raises(StoppedError), turns.one():
            pytest.fail("had the turn")

    def other() -> bool:
        with turns.one():
            return True

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(other).result(timeout=20)
