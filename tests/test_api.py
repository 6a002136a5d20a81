"""The public functions: quick to import, documented, typed, and what the commands call."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from predictions import table

import disanat
import planning
from disanat.errors import DisanatError, ModelError, PlanError

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "plan": planning.plan,
    "preprocess": planning.preprocess,
    "plan_and_preprocess": planning.plan_and_preprocess,
    "train": disanat.train,
    "load_predictor": disanat.load_predictor,
    "from_folder": disanat.Predictor.from_folder,
    "predict": disanat.Predictor.predict,
    "predict_folder": disanat.predict_folder,
    "evaluate": disanat.evaluate,
    "compare": disanat.compare,
}
HEAVY = ("torch", "numpy", "SimpleITK", "scipy", "sklearn", "matplotlib", "nilearn")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("package", ["disanat", "planning", "dataset_conversion"])
def test_an_import_loads_nothing_heavy(package: str) -> None:
    loaded = python(f"import sys, json, {package}; print(json.dumps(sorted(sys.modules)))")
    assert package in json.loads(loaded) and not set(HEAVY) & set(json.loads(loaded))


@pytest.mark.parametrize(
    ("needed", "without"),
    [
        ("from disanat import load_predictor, predict_folder", ("sklearn", "matplotlib", "pandas")),
        ("import disanat.preprocessing.dataset, planning.dataset", ("torch", "sklearn")),
    ],
)
def test_a_command_loads_what_it_needs_alone(needed: str, without: tuple[str, ...]) -> None:
    """Each of these takes about a second, more than a quarter of a short prediction."""
    loaded = json.loads(python(f"import sys, json; {needed}; print(json.dumps(list(sys.modules)))"))
    assert "numpy" in loaded and not set(without) & set(loaded)


@pytest.mark.parametrize("package", [disanat, planning])
def test_every_public_name_is_there(package: Any) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_name_every_argument_and_the_errors(name: str) -> None:
    function = FUNCTIONS[name]
    text = inspect.getdoc(function) or ""
    arguments = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
    assert "Raises:" in text
    if name != "from_folder":
        lines = {line.strip().split(":")[0] for line in text.splitlines()}
        assert set(arguments) <= lines, set(arguments) - lines


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_typed(name: str) -> None:
    signature = inspect.signature(FUNCTIONS[name])
    arguments = [p for k, p in signature.parameters.items() if k not in ("self", "cls")]
    assert all(p.annotation is not p.empty for p in arguments)
    assert signature.return_annotation is not signature.empty


def test_the_prediction_says_shapes_and_units() -> None:
    text = inspect.getdoc(disanat.Prediction) or ""
    for field in disanat.Prediction.__dataclass_fields__:
        assert f"{field}:" in text
    assert all(word in text for word in ("(S, P, L)", "mL", "float32", "-log10"))


@pytest.mark.parametrize("package", ["disanat", "planning", "dataset_conversion"])
def test_type_checkers_are_told_that_there_are_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in (ROOT / "setup.py").read_text()


def test_plan_then_preprocess_is_what_the_command_does(
    planned_home: Path, miniature: Any, tmp_path: Path
) -> None:
    miniature.dataset(tmp_path)
    plans = planning.plan("5", tmp_path, processes=0, progress=False)
    folder = tmp_path / "preprocessed" / miniature.dataset_name
    assert plans.dataset == miniature.dataset_name and not (folder / "2d").exists()
    assert planning.preprocess("5", tmp_path, processes=0) == (folder / "2d",)
    by_command = planned_home / "preprocessed" / miniature.dataset_name / "2d"
    assert {p.name for p in (folder / "2d").iterdir() if p.is_file()} == {
        p.name for p in by_command.iterdir() if p.is_file()
    }
    with pytest.raises(PlanError, match="no configuration '3d_fullres': use 2d"):
        planning.preprocess("5", tmp_path, configurations=["3d_fullres"], processes=0)


def test_preprocess_needs_a_plan(miniature: Any, tmp_path: Path) -> None:
    miniature.dataset(tmp_path)
    with pytest.raises(PlanError, match="plan it first"):
        planning.preprocess("5", tmp_path, processes=0)


def test_train_load_predict_evaluate(
    trained_home: Path, planned_home: Path, miniature: Any, tmp_path: Path
) -> None:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    folder = disanat.train("5", "threshold", home=home, device="cpu")
    assert folder == home / "results" / miniature.dataset_name / "threshold__2d" / "fold_0"
    predictor = disanat.load_predictor("threshold", home=home, device="cpu")
    assert predictor.model.folder == folder
    brain = miniature.brain(7, "flair", lesion=True)
    miniature.write(tmp_path / "scans" / "a.nii.gz", brain.image)
    miniature.write(tmp_path / "labels" / "a.nii.gz", brain.lesion.astype("uint8"))
    rows = disanat.predict_folder(predictor, tmp_path / "scans", tmp_path / "out")
    assert [row.case for row in rows] == list(table(tmp_path / "out")) == ["a"]
    found = disanat.evaluate(tmp_path / "out", str(tmp_path / "labels"))
    assert found.cases[0].average_precision and found.cases[0].average_precision > 0.95
    assert not (tmp_path / "out" / "evaluation.json").exists()
    again = disanat.evaluate(tmp_path / "out", tmp_path / "labels", tmp_path / "judged")
    assert again == found and (tmp_path / "judged" / "evaluation.csv").is_file()


def test_several_folds_are_an_ensemble(planned_home: Path, tmp_path: Path) -> None:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    folder = disanat.train("5", "threshold", folds=[1, 0, "1"], home=home, device="cpu")
    assert folder.name == "ensemble_0_1" and (folder / "model.json").is_file()
    loaded = disanat.load_predictor("threshold", home=home, folds=(0, 1), device="cpu")
    assert loaded.model.folder == folder


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"epochs": 0}, "--epochs 0 trains nothing"),
        ({"minutes": 0.0}, "--minutes 0 trains nothing"),
        ({"epochs": 1, "minutes": 1.0}, "leave one of them out"),
        ({"processes": -1}, "-np -1 is no number of processes"),
    ],
)
@pytest.mark.parametrize("function", ["train", "compare"])
def test_amounts_that_cannot_be(
    function: str, wrong: dict[str, Any], said: str, tmp_path: Path
) -> None:
    methods = (["threshold"],) if function == "compare" else ()
    with pytest.raises(PlanError, match=said):
        getattr(disanat, function)(*methods, home=tmp_path, **wrong)


def test_mistakes_are_the_errors_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No model has been trained yet"):
        disanat.load_predictor(home=tmp_path)
    for call in (
        lambda: disanat.train(home=tmp_path),
        lambda: disanat.compare(["threshold"], home=tmp_path),
        lambda: disanat.evaluate(tmp_path, tmp_path),
        lambda: planning.plan("5", tmp_path),
    ):
        with pytest.raises(DisanatError):
            call()


CALLS = {
    "train": ("-d", "5", "-f", "0", "--device", "cpu", "-np", "0"),
    "compare": ("-m", "dal", "threshold", "--minutes", "2", "--device", "cpu", "-np", "0"),
    "evaluate": ("-i", "predictions", "-l", "labels"),
    "predict": ("-i", "scans", "-o", "results", "--device", "cpu", "-m", "pretrained"),
}


@pytest.mark.parametrize("command", CALLS)
def test_the_command_calls_the_function(
    command: str, miniature: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function is replaced by a mistake, which the command then tells."""
    name = "load_predictor" if command == "predict" else command

    def told(*args: Any, **given: Any) -> None:
        inspect.signature(FUNCTIONS[name]).bind(*args, **given)
        raise DisanatError("called")

    monkeypatch.setattr(f"{FUNCTIONS[name].__module__}.{name}", told)
    assert miniature.run(command, *CALLS[command]) == 2


def test_the_planning_command_calls_the_function(
    miniature: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*args: Any, **given: Any) -> None:
        inspect.signature(FUNCTIONS["plan_and_preprocess"]).bind(*args, **given)
        raise DisanatError("called")

    monkeypatch.setattr("planning.dataset.plan_and_preprocess", told)
    assert miniature.run("plan", "-d", "5", "--no_pp") == 2
