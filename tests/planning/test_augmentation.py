"""How far training data are worsened follows from the fingerprint."""

from __future__ import annotations

import pytest

from disanat.plans import ChannelFingerprint, Fingerprint, Triple
from planning.augmentation import plan_augmentation


def channel(noise: float, bias: float, resolution: Triple, name: str = "T1") -> ChannelFingerprint:
    levels = (0.0, 1.0, 2.0, 3.0, 4.0)
    return ChannelFingerprint(
        name, 5, levels, noise / 2, noise, bias / 2, bias, resolution, background_differs=False
    )


def fingerprint(*channels: ChannelFingerprint) -> Fingerprint:
    names = tuple(c.name for c in channels)
    spacing = (2.0, 2.0, 2.0)
    return Fingerprint("D", names, (), spacing, (70, 90, 70), False, True, channels)


def test_good_scans_are_worsened_by_what_is_usual() -> None:
    made, decision = plan_augmentation(
        fingerprint(channel(0.02, 0.03, (2.0, 2.0, 2.0))), (2.0, 2.0, 2.0)
    )
    assert (made.noise, made.bias, made.blur_mm) == (0.2, 0.2, 2.4)
    assert "0.02" in decision.reason and "0.03" in decision.reason


def test_the_worst_channel_decides() -> None:
    good, bad = channel(0.02, 0.18, (2.0, 2.0, 2.0)), channel(0.15, 0.1, (5.0, 4.4, 4.4), "T2")
    made, _ = plan_augmentation(fingerprint(good, bad), (2.0, 2.0, 2.0))
    assert made.noise == 0.3 and made.bias == 0.36
    assert made.blur_mm == pytest.approx(1.5 * 4.4 / 2.355, abs=1e-3)


def test_there_is_an_end_to_it() -> None:
    made, _ = plan_augmentation(fingerprint(channel(0.9, 0.8, (1.0, 1.0, 1.0))), (1.0, 1.0, 1.0))
    assert made.noise == made.bias == 0.5


def test_nothing_measured_gives_the_usual() -> None:
    absent = ChannelFingerprint("T1", 0, (), None, None, None, None, None, False)
    made, _ = plan_augmentation(fingerprint(absent), (1.0, 1.0, 1.0))
    assert (made.noise, made.bias, made.blur_mm) == (0.2, 0.2, 1.2)
