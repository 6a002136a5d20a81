"""Many cases at once."""

from __future__ import annotations

import os
from operator import mul

import pytest

from disanat.preprocessing.parallel import each_result


def test_in_this_process_results_come_in_order() -> None:
    assert list(each_result(mul, [(2, 3), (4, 5), (6, 7)], 0)) == [6, 20, 42]


def test_processes_give_the_same_in_any_order() -> None:
    assert sorted(each_result(mul, [(2, 3), (4, 5), (6, 7)], 2)) == [6, 20, 42]
    assert os.getpid() not in list(each_result(os.getpid, [(), ()], 1))


def test_a_mistake_in_a_process_is_raised() -> None:
    with pytest.raises(TypeError):
        list(each_result(mul, [("a", "b")], 1))
