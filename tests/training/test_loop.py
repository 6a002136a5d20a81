"""Checkpoints, memory and broken losses."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from disanat.errors import ModelError, PlanError
from disanat.methods.interface import Batch, ChannelResult, Method, PreparedChannel
from disanat.plans import Plans, load_json
from disanat.training.checkpoints import restore_rng, rng_state
from disanat.training.loop import train_networks, trained_epochs
from disanat.training.settings import TrainingSettings
from disanat.training.splits import Split

SPLIT = Split(("h0", "h1"), (), ("h2",), ("h3",))


class Toy(Method):
    """One weight, whose loss is its distance to 3."""

    name = "toy"
    fails: type[Exception] | None = None
    factor = 1.0

    def networks(self) -> nn.ModuleDict:
        if not hasattr(self, "layer"):
            self.layer = nn.Linear(1, 1, bias=False)
            nn.init.zeros_(self.layer.weight)
        return nn.ModuleDict({"layer": self.layer})

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        if self.fails:
            raise self.fails("no room")
        return {"distance": self.factor * (self.layer.weight.sum() - 3).square()}

    def validate(self, batch: Batch) -> dict[str, float]:
        return {"error": float((self.layer.weight.sum() - 3).abs())}

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        return []


@pytest.fixture
def plans(planned_home: Path) -> Plans:
    plans = load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)
    short = replace(plans.configuration("2d"), iterations_per_epoch=2, batch_size=2)
    rungs = tuple(replace(short, name=f"2d_rung{i}") for i in (1, 2))
    return replace(plans, configurations={"2d": short}, ladder=rungs)


def fit(
    planned_home: Path,
    plans: Plans,
    folder: Path,
    toy: Toy,
    name: str = "2d",
    epochs: int = 3,
    **settings_too: bool,
) -> dict[str, Tensor]:
    cases = planned_home / "preprocessed" / "Dataset005_Mini" / "2d"
    settings = TrainingSettings(epochs=epochs, workers=0, **settings_too)
    chosen = plans.configuration(name)
    return train_networks(toy, plans, chosen, cases, SPLIT, folder, settings)


def test_weights_move_towards_the_goal_and_are_averaged(
    planned_home: Path, plans: Plans, tmp_path: Path
) -> None:
    toy = Toy(plans, plans.configuration("2d"))
    weights = fit(planned_home, plans, tmp_path, toy)
    state = torch.load(tmp_path / "checkpoint_latest.pt", weights_only=True)
    average, last = (float(w) for w in (weights["layer.weight"], state["networks"]["layer.weight"]))
    assert 0 < average < last < 3
    assert len((tmp_path / "training_log.txt").read_text().splitlines()) == 3
    assert [r["epoch"] for r in state["records"]] == [0, 1, 2]
    assert state["records"][2]["losses"]["distance"] < state["records"][0]["losses"]["distance"]


class Noisy(Toy):
    """Draws from both generators in every step, and sees the batch."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        drawn = torch.rand(()) + float(np.random.rand()) + batch["image"].mean()
        return {"distance": (self.layer.weight.sum() - 3 - drawn).square()}


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_a_training_that_was_stopped_ends_as_if_it_had_not_been(
    planned_home: Path, plans: Plans, tmp_path: Path, stopped_after: int
) -> None:
    np.random.seed(98)
    whole = fit(planned_home, plans, tmp_path / "a", Noisy(plans, plans.configuration("2d")))
    log = (tmp_path / "a" / "training_log.txt").read_text()

    class Stopped(Noisy):
        epochs = 0

        def validate(self, batch: Batch) -> dict[str, float]:
            if len(trained_epochs(tmp_path / "b")) == stopped_after:
                raise KeyboardInterrupt  # at the end of the next epoch, before it is kept
            return super().validate(batch)

    np.random.seed(97)
    with contextlib.suppress(KeyboardInterrupt):
        fit(planned_home, plans, tmp_path / "b", Stopped(plans, plans.configuration("2d")))
    np.random.seed(99)
    toy = Noisy(plans, plans.configuration("2d"))
    again = fit(planned_home, plans, tmp_path / "b", toy, resume=True)
    assert torch.equal(whole["layer.weight"], again["layer.weight"])
    told = [line.split(" | held")[0] for line in log.splitlines()]
    gone_on = (tmp_path / "b" / "training_log.txt").read_text().splitlines()
    assert [line.split(" | held")[0] for line in gone_on] == told


def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    planned_home: Path, plans: Plans, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = fit(planned_home, plans, tmp_path, Toy(plans, plans.configuration("2d")))
    latest = tmp_path / "checkpoint_latest.pt"
    latest.write_bytes(latest.read_bytes()[:-100])
    assert len(trained_epochs(tmp_path)) == 2
    toy = Toy(plans, plans.configuration("2d"))
    again = fit(planned_home, plans, tmp_path, toy, resume=True)
    assert torch.equal(whole["layer.weight"], again["layer.weight"])
    assert "checkpoint_latest.pt is damaged" in caplog.text
    for name in ("checkpoint_latest.pt", "checkpoint_previous.pt"):
        (tmp_path / name).write_bytes(b"rubbish")
    with pytest.raises(ModelError, match=r"previous.pt is damaged .*: train anew with --restart"):
        fit(planned_home, plans, tmp_path, toy, resume=True)


def test_out_of_memory_names_the_next_smaller_plan(
    planned_home: Path, plans: Plans, tmp_path: Path
) -> None:
    toy = Toy(plans, plans.configuration("2d"))
    toy.fails = torch.OutOfMemoryError
    with pytest.raises(PlanError, match=r"disanat_train -d Dataset005_Mini -c 2d_rung1"):
        fit(planned_home, plans, tmp_path, toy)
    with pytest.raises(PlanError, match="-c 2d_rung2"):
        fit(planned_home, plans, tmp_path, toy, "2d_rung1")
    with pytest.raises(PlanError, match="gpu_memory_gb"):
        fit(planned_home, plans, tmp_path, toy, "2d_rung2")
    assert not (tmp_path / "training_log.txt").exists(), "it was found out before the first epoch"


def test_a_cpu_that_cannot_allocate_is_out_of_memory_too(
    planned_home: Path, plans: Plans, tmp_path: Path
) -> None:
    class Greedy(Toy):
        def losses(self, batch: Batch) -> dict[str, Tensor]:
            return {"distance": torch.empty(2**55)}

    with pytest.raises(PlanError, match=r"-c 2d_rung1"):
        fit(planned_home, plans, tmp_path, Greedy(plans, plans.configuration("2d")))


def test_endless_nan_stops_with_a_sentence(
    planned_home: Path, plans: Plans, tmp_path: Path
) -> None:
    toy = Toy(plans, plans.configuration("2d"))
    toy.factor = float("nan")
    with pytest.raises(ModelError, match="No step of epoch 1 had a finite loss"):
        fit(planned_home, plans, tmp_path, toy, epochs=20)


def test_generators_go_on_where_they_were() -> None:
    torch.manual_seed(1)
    np.random.seed(1)
    state = rng_state()
    first = torch.rand(3), np.random.rand(3)
    restore_rng(state)
    torch.testing.assert_close(torch.rand(3), first[0])
    np.testing.assert_array_equal(np.random.rand(3), first[1])


@pytest.mark.parametrize(("asked", "epochs"), [(True, 10), (False, 12)])
def test_a_training_stops_at_its_plateau_if_asked_to(
    planned_home: Path, plans: Plans, tmp_path: Path, asked: bool, epochs: int
) -> None:
    class Stuck(Toy):
        def validate(self, batch: Batch) -> dict[str, float]:
            return {"error": 1.0}

    plans = replace(
        plans, configurations={"2d": replace(plans.configuration("2d"), iterations_per_epoch=1)}
    )
    for resume in (False, True):  # nor does it go on when it is resumed
        toy = Stuck(plans, plans.configuration("2d"))
        fit(
            planned_home, plans, tmp_path, toy, epochs=12, until_plateau=asked, resume=resume
        )  # fmt: skip
        assert len(trained_epochs(tmp_path)) == epochs


def test_without_an_error_to_watch_it_goes_on_to_the_end(
    planned_home: Path, plans: Plans, tmp_path: Path
) -> None:
    class Silent(Toy):
        def validate(self, batch: Batch) -> dict[str, float]:
            return {"agreement": 1.0}

    plans = replace(
        plans, configurations={"2d": replace(plans.configuration("2d"), iterations_per_epoch=1)}
    )
    toy = Silent(plans, plans.configuration("2d"))
    fit(planned_home, plans, tmp_path, toy, epochs=11, until_plateau=True)
    assert len(trained_epochs(tmp_path)) == 11
