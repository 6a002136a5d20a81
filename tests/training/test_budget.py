"""So many minutes turned into epochs and steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from disanat.methods.ae import DenseAutoencoder
from disanat.plans import Configuration, Plans, load_json
from disanat.training.budget import fitted, within_minutes
from disanat.training.settings import TrainingSettings
from disanat.training.splits import Split

SPLIT = Split(("h0", "h1"), (), ("h2",), ("h3",))


@pytest.fixture
def plans(planned_home: Path) -> Plans:
    return load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)


def spent(configuration: Configuration) -> int:
    """Steps in all, with two for each epoch's validation."""
    return configuration.epochs * (configuration.iterations_per_epoch + 2)


@pytest.mark.parametrize("steps", [10, 100, 252, 253, 1000, 12345])
def test_so_many_steps_in_epochs_no_longer_than_planned(plans: Plans, steps: int) -> None:
    planned = replace(plans.configuration("2d"), epochs=7, iterations_per_epoch=250)
    found = fitted(planned, steps)
    assert found.iterations_per_epoch <= 250
    assert abs(spent(found) - steps) <= found.epochs / 2
    assert replace(found, epochs=7, iterations_per_epoch=250) == planned


def test_too_little_time_is_one_step(plans: Plans) -> None:
    found = fitted(plans.configuration("2d"), 0.1)
    assert (found.epochs, found.iterations_per_epoch) == (1, 1)


def test_a_trial_decides_and_a_resumed_training_keeps_to_it(
    planned_home: Path, plans: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = planned_home / "preprocessed" / "Dataset005_Mini" / "2d"
    planned = replace(plans.configuration("2d"), batch_size=2, iterations_per_epoch=4)
    monkeypatch.setattr("disanat.training.budget._TRIAL_STEPS", {2: 2})

    def fit(resume: bool, minutes: float) -> Configuration:
        settings = TrainingSettings(resume=resume)
        given = (DenseAutoencoder, plans, planned, cases, SPLIT, tmp_path, settings, minutes)
        return within_minutes(*given)

    first = fit(False, 0.2)
    kept = json.loads((tmp_path / "schedule.json").read_text())
    assert kept == {"epochs": first.epochs, "iterations": first.iterations_per_epoch}
    assert [path.name for path in tmp_path.iterdir()] == ["schedule.json"]
    (tmp_path / "schedule.json").write_text(json.dumps({"epochs": 77, "iterations": 3}))
    assert fit(True, 0.2).epochs != 77, "there is nothing to resume yet"
    (tmp_path / "schedule.json").write_text(json.dumps({"epochs": 77, "iterations": 3}))
    (tmp_path / "checkpoint_latest.pt").touch()
    assert fit(True, 0.2).epochs == 77
