"""What checkpoints say of the plan that a training began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from disanat.errors import ModelError
from disanat.training.checkpoints import check_plan

PLANNED: dict[str, Any] = {
    "name": "2d",
    "epochs": 100,
    "estimated_memory_gb": 1.5,
    "norm": "instance",
    "slice_axis": "S",
    "spacing": [2.0, 2.0, 2.0],
    "encoder": {"features": [8, 16], "strides": [[1, 1], [2, 2]]},
}


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"name": "2d_other", "epochs": 3, "estimated_memory_gb": 9.0},
        {"spacing": (2.0, 2.0, 2.0)},
        {"a setting of later": 1},
        {"encoder": {"features": (8, 16), "strides": ((1, 1), [2, 2])}},
    ],
)
def test_the_same_plan_in_other_words(now: dict[str, Any]) -> None:
    check_plan({"planned": PLANNED}, PLANNED | now, Path("fold_0"))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"norm": "layer"}, r"\(norm instance, now layer\)"),
        ({"spacing": [2.0, 1.0, 1.0]}, r"\(spacing \[2.0, 2.0, 2.0\], now \[2.0, 1.0, 1.0\]\)"),
        ({"encoder": {"features": [8, 32], "strides": [[1, 1], [2, 2]]}}, r"\(another encoder\)"),
        ({"norm": "group", "epochs": 1, "slice_axis": "P"}, r"\(norm .*, slice_axis S, now P\)"),
    ],
)
def test_what_differs_is_named(now: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=f"fold_0 began under another plan {said}"):
        check_plan({"planned": PLANNED}, PLANNED | now, Path("fold_0"))


def test_checkpoints_of_before_are_taken_as_they_are() -> None:
    check_plan({}, PLANNED, Path("fold_0"))
