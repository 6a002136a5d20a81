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
    groups = [set(split.train), set(split.validation), set(split.reference), set(split.threshold)]
    assert sum(map(len, groups)) == count and set.union(*groups) == set(names)
    assert split.train and split.reference and split.threshold
    assert len(groups[2]) + len(groups[3]) == max(3, count // 5)
    assert split == split_cases(names[::-1], fold)


def test_no_member_of_an_ensemble_has_seen_what_calibrates_it() -> None:
    names = [f"c{i:02d}" for i in range(40)]
    splits = [split_cases(names, fold) for fold in (*range(5), "all")]
    assert len({(s.reference, s.threshold) for s in splits}) == 1


def test_folds_validate_on_every_other_case_once() -> None:
    names = [f"c{i:02d}" for i in range(40)]
    splits = [split_cases(names, fold) for fold in range(5)]
    aside = {*splits[0].reference, *splits[0].threshold}
    out = [name for s in splits for name in s.validation]
    assert len(out) == len(set(out)) and set(out) == set(names) - aside
    assert all(6 <= len(s.validation) <= 7 for s in splits)


def test_all_trains_on_everything_but_what_calibrates() -> None:
    names = [f"c{i:02d}" for i in range(20)]
    split = split_cases(names, "all")
    assert len(split.train) == 16 and split.validation == ()
    assert split.watched == split.reference
    assert split_cases(names, 0).watched == split_cases(names, 0).validation


def test_with_few_cases_a_fold_leaves_out_one() -> None:
    assert [len(split_cases(list("abcde"), fold).train) for fold in range(5)] == [1] * 5
    assert split_cases(list("abcd"), 3).validation == ()


def test_too_few_cases() -> None:
    with pytest.raises(DatasetError, match="3 healthy cases are too few"):
        split_cases(["a", "b", "c"], 0)
