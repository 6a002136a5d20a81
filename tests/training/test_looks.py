"""What calibration shows to a method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from disanat.io.store import stored_cases
from disanat.methods.interface import ChannelResult, Detector, PreparedChannel
from disanat.plans import Plans, load_json
from disanat.synthesis.probes import Probe, draw_probe
from disanat.training import looks
from disanat.training.calibrate import with_either_kind
from disanat.training.looks import LOOKS, predictions


class Echo(Detector):
    """Says that what it sees is its score."""

    name = "echo"

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        return [ChannelResult(c.image, c.image, "any") for c in channels]


@pytest.fixture
def asked(planned_home: Path) -> tuple[Echo, Plans, Path, list[str]]:
    [folder] = (planned_home / "preprocessed").iterdir()
    plans = load_json(folder / "plans.json", Plans)
    cases = folder / "2d"
    return Echo(plans, plans.configuration("2d")), plans, cases, stored_cases(cases)[:2]


def test_every_other_lesion_is_a_probe_and_none_is_tiny(
    asked: tuple[Echo, Plans, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    method, plans, cases, names = asked
    drawn: list[Probe] = []

    def spy(*arguments: object) -> Probe:
        drawn.append(draw_probe(*arguments))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(looks, "draw_probe", spy)
    configuration = plans.configuration("2d")
    voxel_ml = float(np.prod(configuration.spacing)) / 1000
    rng = np.random.default_rng(0)
    found = list(predictions(rng, method, configuration, cases, names, True))
    assert len(found) == len(names) * len(LOOKS)
    probed = [any(np.array_equal(one.truth, p.mask) for p in drawn) for one in found]
    assert probed in ([False, True] * 3, [True, False] * 3)
    assert all(one.truth.sum() * voxel_ml >= 0.5 for one in found)
    assert all(not one.truth[~one.brain].any() for one, p in zip(found, probed, strict=True) if p)


def test_without_lesions_nothing_is_marked_and_a_seed_repeats_itself(
    asked: tuple[Echo, Plans, Path, list[str]],
) -> None:
    method, plans, cases, names = asked
    configuration = plans.configuration("2d")
    first, again = (
        list(predictions(np.random.default_rng(3), method, configuration, cases, names, False))
        for _ in range(2)
    )
    for one, other in zip(first, again, strict=True):
        assert one.brain.any() and not one.truth.any()
        np.testing.assert_array_equal(one.result.score, other.result.score)
    assert not np.array_equal(first[0].result.score, first[1].result.score)


@pytest.mark.parametrize("count", range(1, 9))
def test_each_case_is_weighed_at_an_even_and_at_an_odd_place(count: int) -> None:
    names = [f"c{n}" for n in range(count)]
    twice = with_either_kind(names)
    assert len(twice) == 2 * count
    for name in names:
        places = [at for at, one in enumerate(twice) if one == name]
        assert [at % 2 for at in places] in ([0, 1], [1, 0])


def test_looks_with_lesions_show_vessels_and_these_are_no_lesion(
    asked: tuple[Echo, Plans, Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    method, plans, cases, names = asked
    tissues: list[np.ndarray] = []

    def everywhere(
        _rng: np.random.Generator, tissue: np.ndarray, *_others: object
    ) -> np.ndarray:
        tissues.append(tissue)
        return np.ones(tissue.shape, np.float32)

    monkeypatch.setattr(looks, "draw_vessels", everywhere)
    configuration = plans.configuration("2d")
    asked_for = (method, configuration, cases, names)
    for one in predictions(np.random.default_rng(4), *asked_for, False):
        assert tissues == [] and one.brain.any()
    shown = 0
    for one in predictions(np.random.default_rng(4), *asked_for, True):
        beyond = one.brain & (tissues[-1] == 0)
        shown += beyond.any()
        assert one.probed or not one.truth[beyond].any()
    assert len(tissues) == len(names) * len(LOOKS) and 0 < shown < len(tissues)
