"""Which model is taken when one ships with the package."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from disanat.errors import ModelError
from disanat.home import Home
from disanat.inference.find import find_members, find_model

NAME = "Dataset005_Mini"
Ship = Callable[[], Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def trained(home: Home, trained_home: Path, *methods: str) -> None:
    for method in methods:
        name = f"{NAME}/{method}__2d"
        shutil.copytree(trained_home / "results" / name, home.results / name)


def test_with_nothing_trained_it_is_taken(home: Home, ship: Ship) -> None:
    folder = ship()
    assert find_model(home) == folder
    (folder / "model.json").unlink()
    with pytest.raises(ModelError, match="No model has been trained yet"):
        find_model(home)


def test_a_trained_model_wins_and_a_baseline_does_not(
    home: Home, ship: Ship, trained_home: Path
) -> None:
    folder = ship()
    trained(home, trained_home, "threshold")
    assert find_model(home) == folder
    assert find_model(home, "threshold").parent.name == "threshold__2d"
    assert find_model(home, dataset=NAME).parent.name == "threshold__2d"
    trained(home, trained_home, "dal")
    assert find_model(home).parent.name == "dal__2d"


def test_a_damaged_one_does_not_stand_in_the_way_of_others(
    home: Home, ship: Ship, trained_home: Path
) -> None:
    (ship() / "model.json").write_text("{")
    with pytest.raises(ModelError, match="install disanat again"):
        find_model(home)
    trained(home, trained_home, "dal")
    assert find_model(home).parent.name == "dal__2d"


def test_an_unfinished_training_does_not_win(home: Home, ship: Ship, trained_home: Path) -> None:
    folder = ship()
    trained(home, trained_home, "dal")
    (home.results / NAME / "dal__2d" / "fold_0" / "model.json").unlink()
    assert find_model(home) == folder


def test_it_can_be_named_whatever_was_trained(
    home: Home, ship: Ship, trained_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ship()
    trained(home, trained_home, "dal", "threshold")
    (tmp_path / "pretrained").mkdir()
    monkeypatch.chdir(tmp_path)  # where a folder has the same name
    assert find_model(home, "pretrained") == folder


@pytest.mark.parametrize("choice", [{"dataset": NAME}, {"configuration": "2d"}, {"fold": "0"}])
def test_what_narrows_the_choice_leaves_it_out(
    home: Home, ship: Ship, choice: dict[str, str]
) -> None:
    ship()
    with pytest.raises(ModelError, match=r"No model has been trained yet .*by -m pretrained alone"):
        find_model(home, **choice)
    with pytest.raises(ModelError, match="-m pretrained names one single model: leave out"):
        find_model(home, "pretrained", **choice)


def test_an_ensemble_of_it_is_refused(home: Home, ship: Ship) -> None:
    ship()
    with pytest.raises(ModelError, match="leave out -d, -c and -f"):
        find_members(home, ["0", "1"], "pretrained")


def test_without_it_the_name_is_refused_and_the_old_error_stays(home: Home) -> None:
    with pytest.raises(ModelError, match="was installed without a trained model"):
        find_model(home, "pretrained")
    with pytest.raises(ModelError) as caught:
        find_model(home)
    assert "pretrained" not in str(caught.value)
    with pytest.raises(ModelError, match="one of dal, threshold.*pretrained"):
        find_model(home, "gan")


@pytest.mark.parametrize("narrowed", [{}, {"dataset": NAME}, {"model": "dal"}, {"fold": "0"}])
def test_a_training_without_some_part_is_taken_only_by_its_folder(
    home: Home, trained_home: Path, narrowed: dict[str, str]
) -> None:
    trained(home, trained_home, "dal")
    ablated = home.results / NAME / "dal__2d__no_prior+soft"
    shutil.copytree(home.results / NAME / "dal__2d", ablated)
    described = ablated / "fold_0" / "model.json"
    data = json.loads(described.read_text())
    described.write_text(json.dumps(data | {"finished": "9999-01-01"}))
    assert find_model(home, **narrowed).parent.name == "dal__2d"
    assert find_model(home, str(ablated)).parent == ablated
    shutil.rmtree(home.results / NAME / "dal__2d")
    with pytest.raises(ModelError, match="No finished model fits"):
        find_model(home, **narrowed)


@pytest.mark.parametrize("narrowed", [{}, {"dataset": NAME}, {"model": "dal"}, {"fold": "0"}])
def test_a_comparisons_training_is_taken_only_by_its_folder(
    home: Home, trained_home: Path, narrowed: dict[str, str]
) -> None:
    trained(home, trained_home, "dal")
    compared = home.results / NAME / "comparisons" / "compare__2d" / "models" / "dal"
    shutil.copytree(home.results / NAME / "dal__2d" / "fold_0", compared)
    data = json.loads((compared / "model.json").read_text())
    (compared / "model.json").write_text(json.dumps(data | {"finished": "9999-01-01"}))
    assert find_model(home, **narrowed).parent.name == "dal__2d"
    assert find_model(home, str(compared)) == compared
    shutil.rmtree(home.results / NAME / "dal__2d")
    with pytest.raises(ModelError, match="No model has been trained yet"):
        find_model(home, **narrowed)
