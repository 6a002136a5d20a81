"""The box of a mask; what prepares cases does without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from disanat.preprocessing.boxes import bounding_box


def test_the_box_holds_all_parts_and_no_more() -> None:
    mask = np.zeros((7, 8, 9), bool)
    mask[2, 3, 4] = mask[5, 3, 6] = True
    assert bounding_box(mask) == (slice(2, 6), slice(3, 4), slice(4, 7))
    assert bounding_box(np.ones((2, 3), bool)) == (slice(0, 2), slice(0, 3))


def test_the_box_of_nothing_is_everything() -> None:
    assert bounding_box(np.zeros((4, 5, 6), bool)) == (slice(0, 4), slice(0, 5), slice(0, 6))


@pytest.mark.parametrize("module", ["planning.dataset", "disanat.preprocessing.dataset"])
def test_workers_that_prepare_cases_load_no_torch(module: str) -> None:
    """Each is a process of its own, which torch would cost seconds and 200 MB."""
    code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
