"""Several members, one opinion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from disanat.methods.ensemble import Ensemble
from disanat.methods.interface import ChannelResult, Detector, PreparedChannel
from disanat.plans import Plans, load_json

SHAPE = (2, 3, 4)


class Fixed(Detector):
    """Says the same about everything."""

    name = "fixed"

    def __init__(self, plans: Plans, result: ChannelResult) -> None:
        super().__init__(plans, plans.configuration())
        self.result = result

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        return [self.result for _ in channels]


@pytest.fixture
def plans(planned_home) -> Plans:  # type: ignore[no-untyped-def]
    return load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)


def full(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


def result(score: float, contrast: str, label: int, **further: float) -> ChannelResult:
    anatomy = np.full(SHAPE, label, np.uint8)
    more = {name: full(value) for name, value in further.items()}
    return ChannelResult(full(score), full(2 * score), contrast, anatomy, anatomy, more)


def channel() -> PreparedChannel:
    brain = np.ones(SHAPE, bool)
    return PreparedChannel(full(0), brain, (1, 1, 1), full(0), brain, (1, 1, 1))


def test_scores_are_averaged_and_labels_voted(plans: Plans) -> None:
    members = [
        Fixed(plans, result(1, "t1", 2, head=0.0)),
        Fixed(plans, result(2, "flair", 3, head=3.0)),
        Fixed(plans, result(6, "flair", 3, head=6.0)),
    ]
    said = Ensemble(members).predict([channel(), channel()])
    assert len(said) == 2
    np.testing.assert_allclose(said[1].score, 3)
    np.testing.assert_allclose(said[1].phi, 6)
    assert said[1].contrast == "flair"
    assert said[1].anatomy is not None and (said[1].anatomy == 3).all()
    assert said[1].score.dtype == said[1].joined({"head": 0.5}).dtype == np.float32
    np.testing.assert_allclose(said[1].joined({"head": 0.5}), 4.5)
    np.testing.assert_allclose(said[1].joined({}), 3)


def test_of_equal_votes_the_smaller_label_wins(plans: Plans) -> None:
    members = [Fixed(plans, result(0, "t1", 5)), Fixed(plans, result(0, "t1", 2))]
    anatomy = Ensemble(members).predict([channel()])[0].anatomy
    assert anatomy is not None and (anatomy == 2).all()


def test_a_further_score_counts_only_where_every_member_has_one(plans: Plans) -> None:
    members = [
        Fixed(plans, result(0, "t1", 5, head=1.0, residual=1.0)),
        Fixed(plans, result(0, "t1", 2, head=3.0)),
    ]
    [said] = Ensemble(members).predict([channel()])
    assert set(said.further) == {"head"}
    np.testing.assert_allclose(said.further["head"], 2)


def test_figures_are_averaged_and_may_be_missing(plans: Plans) -> None:
    members = [
        Fixed(plans, replace(result(1, "t1", 1), figures={"noise": noise})) for noise in (0.1, 0.3)
    ]
    assert Ensemble(members).predict([channel()])[0].figures == {"noise": pytest.approx(0.2)}
    without = [Fixed(plans, result(1, "t1", 1))] * 2
    assert Ensemble(without).predict([channel()])[0].figures == {}
