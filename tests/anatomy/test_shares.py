"""Shares of tissues that a healthy brain can have."""

from __future__ import annotations

import re

import numpy as np
import pytest

from disanat.anatomy.shares import implausible_share
from disanat.tissues import EIGHT_CLASSES, THREE_CLASSES, TWELVE_CLASSES

USUAL = {
    "outer_csf": 930,
    "ventricles": 120,
    "cortical_grey": 3760,
    "white": 3530,
    "deep_grey": 370,
    "cerebellar_grey": 870,
    "cerebellar_white": 210,
    "brainstem": 140,
}
"""The median of IXI's label maps."""


def labels(**changed: int) -> np.ndarray:
    counts = [(USUAL | changed)[tissue.name] for tissue in EIGHT_CLASSES]
    return np.repeat(np.arange(9, dtype=np.uint8), [5000, *counts])


def test_usual_brains_are_plausible() -> None:
    assert implausible_share(labels(), EIGHT_CLASSES) is None
    assert implausible_share(labels(outer_csf=4500), EIGHT_CLASSES) is None  # a wide brain mask
    old = labels(ventricles=900, outer_csf=2200, cortical_grey=3100, white=3200)
    assert implausible_share(old, EIGHT_CLASSES) is None


def test_partial_volume_counts_for_what_it_is_part_of() -> None:
    assert implausible_share(labels(), TWELVE_CLASSES) is None
    apart = labels()
    cortex = np.flatnonzero(apart == 3)
    apart[cortex[::4]] = 1 + [tissue.name for tissue in TWELVE_CLASSES].index("sulci")
    assert implausible_share(apart, TWELVE_CLASSES) is None
    found = implausible_share(labels(brainstem=0), TWELVE_CLASSES)
    assert found == "brainstem is missing"
    assert "deep_grey is" in (implausible_share(labels(deep_grey=1500), TWELVE_CLASSES) or "")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"deep_grey": 0}, "deep_grey is missing"),
        ({"ventricles": 3000}, r"ventricles is 25\.3% of the brain, but 0\.3 to 22% is usual"),
        ({"outer_csf": 9000}, r"outer_csf is 50\.0%"),
        ({"white": 800}, "white is 12"),
        ({"brainstem": 20}, "brainstem is 0.2%"),
    ],
)
def test_what_cannot_be_is_said(changed: dict[str, int], words: str) -> None:
    found = implausible_share(labels(**changed), EIGHT_CLASSES)
    assert found is not None
    assert re.match(words, found)


def test_three_tissues_must_only_be_there() -> None:
    some = np.repeat(np.arange(4, dtype=np.uint8), [10, 1, 50, 2])
    assert implausible_share(some, THREE_CLASSES) is None
    assert implausible_share(some[some != 1], THREE_CLASSES) == "csf is missing"
    assert implausible_share(np.zeros(5, np.uint8), THREE_CLASSES) == "csf is missing"
