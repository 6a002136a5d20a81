"""Signal equations against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.synthesis.signal import (
    PulseSequence,
    TissueProperties,
    draw_sequence,
    draw_tissues,
    signal,
    wetter,
)
from disanat.tissues import EIGHT_CLASSES, THREE_CLASSES, class_kinds


def tissue(t1: float, t2: float, pd: float = 1.0) -> TissueProperties:
    return TissueProperties(np.array([t1]), np.array([t2]), np.array([pd]))


@pytest.mark.parametrize(
    ("sequence", "properties", "expected"),
    [
        # TR = T1 and TE = T2: (1 - 1/e) / e.
        (PulseSequence("t2", 1000, 100), tissue(1000, 100), 0.232544),
        # Half the protons, TR = 2 T1, TE = T2 / 2: 0.5 (1 - e^-2) e^-0.5.
        (PulseSequence("t1", 1600, 40), tissue(800, 80, 0.5), 0.262223),
        # Inversion, TI = T1, TR = 5 T1: |1 - 2/e + e^-5| with TE = 0.
        (PulseSequence("t1_prepared", 5000, 0, ti_ms=1000), tissue(1000, 80), 0.270979),
        # Spoiled, 30 degrees, TR = T1 / 10: 0.5 (1 - E) / (1 - 0.866025 E), E = e^-0.1.
        (PulseSequence("t1_spoiled", 100, 0, flip_deg=30), tissue(1000, 80), 0.219889),
    ],
)
def test_known_values(
    sequence: PulseSequence, properties: TissueProperties, expected: float
) -> None:
    assert signal(sequence, properties)[0] == pytest.approx(expected, abs=1e-6)


def test_the_null_of_an_inversion_is_black() -> None:
    null = PulseSequence("flair", 1e9, 100, ti_ms=4200 * np.log(2))
    assert signal(null, tissue(4200, 1800))[0] == pytest.approx(0, abs=1e-9)


def test_drawn_flair_suppresses_water_and_keeps_tissue() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        sequence = draw_sequence(rng, "flair")
        assert signal(sequence, tissue(4200, 1800))[0] < 0.06
        values = signal(sequence, draw_tissues(rng, THREE_CLASSES, spread=0))
        assert values[0] < 0.6 * values[1:].min()


@pytest.mark.parametrize(
    ("weighting", "order"),
    [("t1", ("csf", "grey", "white")), ("t2", ("white", "grey", "csf"))],
)
def test_the_usual_order_of_tissues(weighting: str, order: tuple[str, ...]) -> None:
    rng = np.random.default_rng(1)
    right = 0
    for _ in range(60):
        values = signal(draw_sequence(rng, weighting), draw_tissues(rng, EIGHT_CLASSES))  # type: ignore[arg-type]
        means = [values[[k - 1 for k in class_kinds(EIGHT_CLASSES, kind)]].mean() for kind in order]  # type: ignore[arg-type]
        right += means == sorted(means)
    assert right >= 57


def test_water_mixes_relaxation_rates() -> None:
    half = wetter(tissue(800, 80, 0.7), 0.5)
    assert half.t1_ms[0] == pytest.approx(1 / (0.5 / 800 + 0.5 / 4200))
    assert half.t2_ms[0] == pytest.approx(1 / (0.5 / 80 + 0.5 / 1800))
    assert half.pd[0] == pytest.approx(0.85)
    same, water = wetter(tissue(800, 80, 0.7), 0.0), wetter(tissue(800, 80, 0.7), 1.0)
    assert same.t1_ms[0] == pytest.approx(800) and water.t2_ms[0] == pytest.approx(1800)


def test_drawn_tissues_stay_near_their_medians() -> None:
    rng = np.random.default_rng(2)
    drawn = np.array([draw_tissues(rng, THREE_CLASSES).t2_ms for _ in range(400)])
    expected = [c.t2_ms for c in THREE_CLASSES]
    np.testing.assert_allclose(np.median(drawn, 0), expected, rtol=0.03)
    np.testing.assert_allclose(np.log(drawn).std(0), 0.08, rtol=0.15)
