"""Which cases train and which are set aside."""

from __future__ import annotations

import pytest

from disanat.errors import DatasetError
from disanat.training.splits import split_cases

FOLDS = (0, 1, 2, 3, 4, "all", "3")


@pytest.mark.parametrize("count", [4, 5, 7, 16, 80])
@pytest.mark.parametrize("fold", FOLDS)
def test_groups_are_disjoint_and_complete(count: int, fold: int | str) -> None:
    names = [f"c{i:02d}" for i in range(count)]
    split = split_cases(names, fold)
    groups = [set(split.train), set(split.reference), set(split.threshold)]
    assert sum(map(len, groups)) == count and set.union(*groups) == set(names)
    assert all(groups)
    aside = len(groups[1]) + len(groups[2])
    assert aside >= 3 and aside >= count // 5
    assert aside <= max(3, -(-count // 5))
    assert split == split_cases(names[::-1], fold)


def test_folds_hold_every_case_out_once() -> None:
    names = [f"c{i:02d}" for i in range(40)]
    out = [set(names) - set(split_cases(names, fold).train) for fold in range(5)]
    assert all(len(group) == 8 for group in out) and set.union(*out) == set(names)


def test_too_few_cases() -> None:
    with pytest.raises(DatasetError, match="3 healthy cases are too few"):
        split_cases(["a", "b", "c"], 0)
