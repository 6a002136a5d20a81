"""Evaluations made up by hand, and predictions without a process of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from disanat.evaluation.bootstrap import estimate_mean
from disanat.evaluation.evaluate import CaseResult, Evaluation
from disanat.evaluation.lesions import SIZE_BINS, LesionRecall
from disanat.experiments.measure import Cost, Measured
from disanat.experiments.results import SetResult, TrainedMethod
from disanat.experiments.sets import LabelledSet


class _Here:
    """Stands in for a pool: does the work at once, in this process."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def schedule(self, function: Callable[..., Any], args: Sequence[Any], timeout: float) -> _Here:
        assert timeout > 0
        self.made = function(*args)
        return self

    def stop(self) -> None:
        pass

    def join(self, timeout: float) -> None:
        pass

    def result(self) -> Any:
        return self.made


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own for each prediction would take most of a test's time."""
    monkeypatch.setattr("disanat.experiments.measure.ProcessPool", _Here)


def case(name: str, ap: float | None, found: int = 0, false_ml: float = 0.5) -> CaseResult:
    """With one lesion of 1 to 5 mL; healthy where there is no AP."""
    ill = ap is not None
    recall = tuple(
        LesionRecall(size, int(ill and size == "1-5 mL"), int(ill and size == "1-5 mL") * found)
        for size, _, _ in SIZE_BINS
    )
    score = 1.0 + 10 * ap if ap is not None else 0.5
    half = None if ap is None else ap / 2
    return CaseResult(
        name, not ill, 2.0 * ill, 100 * ill, 0, ap, ap, 1.0, half, false_ml, score, recall
    )


def measured(cases: Sequence[CaseResult], seconds: float = 1.5) -> Measured:
    aps = [one.average_precision for one in cases]
    nothing = estimate_mean([])
    evaluation = Evaluation(
        tuple(cases), (), estimate_mean(aps), nothing, nothing, 0.321, 0.654, None, nothing,
        0, 0, (),
    )  # fmt: skip
    return Measured(evaluation, Cost(seconds, 512.0, "cpu"), ())


def trained(name: str, **other: Any) -> TrainedMethod:
    facts: dict[str, Any] = {
        "folder": Path("models") / name, "own": False, "epochs": 12, "steps": 250,
        "batch_size": 8, "minutes": 30.5, "stopped": "plateau", "parameters": 1234567,
        "features": 16, "published_features": None,
    }  # fmt: skip
    return TrainedMethod(name=name, **(facts | other))


def set_result(name: str, cases: int, **found: Measured) -> SetResult:
    return SetResult(LabelledSet(name, Path("scans"), Path("labels"), (0,)), cases, found)


class ByHand:
    """The functions above, for tests."""

    case = staticmethod(case)
    measured = staticmethod(measured)
    trained = staticmethod(trained)
    set_result = staticmethod(set_result)


@pytest.fixture
def by_hand() -> ByHand:
    """Makes results up."""
    return ByHand()
