"""A whole comparison on the miniature dataset: done once, interrupted, resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import BusyError, DatasetError, ModelError
from disanat.evaluation.participants import Participants, read_participants
from disanat.experiments import compare as module
from disanat.experiments.compare import Budget, Comparison, compare
from disanat.experiments.sets import raw_sets
from disanat.home import Home
from disanat.inference.find import find_model
from disanat.locks import hold
from disanat.plans import Plans, load_json

NAME = "Dataset005_Mini"
pytestmark = pytest.mark.usefixtures("in_this_process")


def with_test_set(miniature: Any, home: Path) -> Home:
    folder = home / "raw" / "Dataset007_Ill"
    for number in range(2):
        brain = miniature.brain(100 + number, "flair", lesion=number > 0)
        miniature.write(folder / "imagesTs" / f"p{number}_0000.nii.gz", brain.image)
        truth = brain.lesion.astype(np.uint8)
        miniature.write(folder / "labelsTs" / f"p{number}.nii.gz", truth)
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "FLAIR"}}))
    return Home(home)


@pytest.fixture
def home(miniature: Any, planned_home: Path, tmp_path: Path) -> Home:
    shutil.copytree(planned_home, tmp_path / "home")
    miniature.shrink(tmp_path / "home", 2)
    return with_test_set(miniature, tmp_path / "home")


def comparison(home: Home, *methods: str, **other: Any) -> Comparison:
    plans = load_json(home.plans_folder(NAME) / "plans.json", Plans)
    given: dict[str, Any] = {
        "plans": plans,
        "configuration": plans.configuration(),
        "sets": tuple(raw_sets(home)),
        "budget": Budget(epochs=1),
    }
    return Comparison(home=home, methods=methods, **(given | other))


def everyone(wanted: Comparison, folder: Path) -> dict[str, Participants]:
    """A table of all participants, for each set."""
    table = folder / "participants.tsv"
    table.write_text("participant_id\tsex\nsub-p0\tF\nsub-p1\tM\n")
    return {one.name: read_participants(table) for one in wanted.sets}


def stamps(folder: Path) -> dict[str, int]:
    kept = [p for part in ("models", "predictions") for p in (folder / part).rglob("*.*")]
    return {str(p): p.stat().st_mtime_ns for p in kept}


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the methods that are trained from now on."""
    done: list[str] = []
    truly = module.train

    def noted(home: Home, dataset: str, method: str, *given: Any, **named: Any) -> Path:
        done.append(method)
        return truly(home, dataset, method, *given, **named)

    monkeypatch.setattr(module, "train", noted)
    return done


def test_killed_between_methods_it_goes_on_and_then_has_nothing_left_to_do(
    home: Home, trainings: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = comparison(home, "threshold", "ae", "dae")
    truly = module._measured

    def killed(order: Any, method: Any, one: Any) -> Any:
        if method.name == "ae":
            raise KeyboardInterrupt
        return truly(order, method, one)

    monkeypatch.setattr(module, "_measured", killed)
    with pytest.raises(KeyboardInterrupt):
        compare(wanted)
    assert trainings == ["threshold", "ae"]
    assert "| threshold" in (wanted.folder / "compare.md").read_text(), "what is done is there"
    monkeypatch.setattr(module, "_measured", truly)
    outcome = compare(wanted)
    assert trainings == ["threshold", "ae", "dae"] and not outcome.failed
    assert outcome.text == outcome.page.read_text()
    for expected in ("| ae ", "| dae ", "| threshold ", "## Ill_FLAIR", "1 epoch for each method"):
        assert expected in outcome.text
    record = json.loads((wanted.folder / "comparison.json").read_text())
    assert list(record["methods"]) == ["threshold", "ae", "dae"]
    assert record["schema_version"] == 1 and record["settings"]["budget"]["epochs"] == 1
    assert record["methods"]["dae"]["published_features"] == 64
    assert not (wanted.folder / "subgroups.md").exists() and "subgroups" not in outcome.text
    before = stamps(wanted.folder)
    again = compare(replace(wanted, participants=everyone(wanted, tmp_path)))
    assert "- subgroups: [subgroups.md](subgroups.md)" in again.text
    page = (wanted.folder / "subgroups.md").read_text()
    assert page.count("#### sex") == 3 and "by size and contrast" in page
    assert len(trainings) == 3 and stamps(wanted.folder) == before
    assert again.text.split("\n## ")[1:] == outcome.text.split("\n## ")[1:]
    with pytest.raises(ModelError, match="No model has been trained yet"):
        find_model(home)  # a comparison leaves no one's default model behind


def test_your_own_model_is_taken_as_it_is_unless_its_plan_is_another(
    miniature: Any, trained_home: Path, tmp_path: Path, trainings: list[str]
) -> None:
    shutil.copytree(trained_home, tmp_path / "home")
    home = with_test_set(miniature, tmp_path / "home")
    own = home.results / NAME / "threshold__2d" / "fold_0"
    before, default = (own / "model.json").read_bytes(), find_model(home)
    outcome = compare(comparison(home, "threshold"))
    assert trainings == [] and f"your own, {own}" in outcome.text
    assert (own / "model.json").read_bytes() == before and find_model(home) == default
    first = comparison(home, "threshold")
    changed = replace(first.configuration, edge_mm=first.configuration.edge_mm + 1)
    plans = replace(first.plans, configurations={"2d": changed})
    other = replace(first, plans=plans, configuration=changed, name="other")
    assert compare(other).failed == () and trainings == ["threshold"]
    assert find_model(home) == default


def test_a_method_that_fails_is_told_and_the_others_go_on(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly = module.train

    def fails(home: Home, dataset: str, method: str, *given: Any, **named: Any) -> Path:
        if method == "ae":
            raise ModelError("no room.")
        if method == "dae":
            raise RuntimeError("shapes differ")
        return truly(home, dataset, method, *given, **named)

    monkeypatch.setattr(module, "train", fails)
    outcome = compare(comparison(home, "ae", "dae", "threshold"))
    assert outcome.failed == (
        "ae was not trained: no room.",
        "dae was not trained because of a defect of disanat: RuntimeError: shapes differ",
    )
    assert all(f"- {sentence}" in outcome.text for sentence in outcome.failed)
    assert "## Ill_FLAIR\n\n| method    | cases" in outcome.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: replace(one, budget=Budget(minutes=3)), "another budget: give"),
        (lambda one: replace(one, seed=1, fold="1"), "another fold and another seed: give"),
        (
            lambda one: replace(one, configuration=replace(one.configuration, batch_size=99)),
            "another plan: give the same again, or give this comparison another name with --name",
        ),
    ],
)
def test_a_comparison_with_other_settings_is_refused_and_another_name_is_not(
    home: Home, change: Callable[[Comparison], Comparison], said: str
) -> None:
    first = comparison(home)
    compare(first)
    compare(first)
    with pytest.raises(DatasetError, match=said):
        compare(change(first))
    compare(replace(change(first), name="another"))


def test_budgets_reach_the_training(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def noted(*_: Any, **named: Any) -> Path:
        settings = _[5]
        given.append((settings.epochs, settings.minutes, settings.until_plateau))
        raise ModelError("enough.")

    monkeypatch.setattr(module, "train", noted)
    for number, budget in enumerate((Budget(), Budget(epochs=7), Budget(minutes=2.5))):
        order = comparison(home, "ae", budget=budget, name=f"n{number}")
        assert budget.text in compare(order).text
    assert given == [(None, None, True), (7, None, False), (None, 2.5, False)]


def test_two_comparisons_into_one_folder(home: Home) -> None:
    order = comparison(home, "threshold")
    with hold(order.folder, "comparing"), pytest.raises(BusyError, match="use by comparing"):
        compare(order)
