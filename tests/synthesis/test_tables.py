"""Intensities by label in drawn contrasts."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.synthesis.lesions import Compartment
from disanat.synthesis.signal import draw_sequence
from disanat.synthesis.tables import EXTRACEREBRAL, Looks, free_table, physics_table
from disanat.tissues import TWELVE_CLASSES

NUMBER = {c.name: i for i, c in enumerate(TWELVE_CLASSES, start=1)}
MIXED = [c for c in TWELVE_CLASSES if c.part_of]


def looks(seed: int, contrast: str) -> Looks:
    rng = np.random.default_rng(seed)
    if contrast == "free":
        return free_table(rng, TWELVE_CLASSES)
    return physics_table(rng, TWELVE_CLASSES, draw_sequence(rng, contrast))  # type: ignore[arg-type]


@pytest.mark.parametrize("contrast", ["t1", "t2", "flair", "free"])
def test_partial_volume_lies_between_its_two_tissues(contrast: str) -> None:
    for seed in range(10):
        table, wet = looks(seed, contrast)
        for values in (table, wet(Compartment(np.ones(1), 0.3))):
            for tissue in MIXED:
                own, other = values[NUMBER[tissue.part_of]], values[NUMBER[tissue.mixed_with]]
                low, high = sorted((own, other))
                assert low - 1e-6 <= values[NUMBER[tissue.name]] <= high + 1e-6
    assert len(MIXED) == 4


def test_partial_volume_holds_at_least_as_much_of_the_other_tissue() -> None:
    for seed in range(10):
        table, _ = looks(seed, "t2")
        for tissue in MIXED:
            own, other = table[NUMBER[tissue.part_of]], table[NUMBER[tissue.mixed_with]]
            at = table[NUMBER[tissue.name]]
            assert abs(at - other) <= abs(at - own) + 1e-6


def test_tissue_outside_the_brain_has_any_intensity() -> None:
    drawn = np.array([looks(seed, "t1")[0][EXTRACEREBRAL:] for seed in range(20)])
    assert drawn.shape == (20, 4) and drawn.std() > 0.1 and drawn.min() >= 0
