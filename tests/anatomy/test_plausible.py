"""Volumes that a brain can have."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.anatomy.plausible import brain_ml, is_plausible


def test_volume_of_a_mask() -> None:
    mask = np.zeros((4, 5, 6), bool)
    mask[1:3, 1:3, 1:3] = True
    assert brain_ml(mask, (10.0, 5.0, 2.0)) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("volume", "plausible"),
    [(0.0, False), (399.0, False), (450.0, True), (1400.0, True), (2200.0, True), (2301.0, False)],
)
def test_newborns_and_large_adults_are_plausible(volume: float, plausible: bool) -> None:
    assert is_plausible(volume) == plausible
