"""Flags and mistakes of `disanat_compare`."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from disanat.cli import compare
from disanat.experiments.compare import Comparison, Outcome

FLAGS = (
    "-m -d -c -f -p -i -l --use_channels --epochs --minutes --name --device --seed -np --home "
    "--scheduler --verbose --participants --columns --cut"
)


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        compare.main(["--help"])
    assert left.value.code == 0
    assert set(FLAGS.split()) <= set(capsys.readouterr().out.replace(",", " ").split())


@pytest.fixture
def home(planned_home: Path, tmp_path: Path) -> Path:
    """A planned home with a test set of two channels, whose files are empty."""
    home = tmp_path / "home"
    for part in ("preprocessed", "raw"):
        (home / part).mkdir(parents=True)
    plans = planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json"
    (home / "preprocessed" / "Dataset005_Mini").mkdir()
    shutil.copy(plans, home / "preprocessed" / "Dataset005_Mini" / "plans.json")
    ill = home / "raw" / "Dataset007_Ill"
    (ill / "imagesTs").mkdir(parents=True)
    (ill / "labelsTs").mkdir()
    for channel in range(2):
        (ill / "imagesTs" / f"a_{channel:04d}.nii.gz").touch()
    (ill / "dataset.json").write_text(json.dumps({"channel_names": {"0": "FLAIR", "1": "T1"}}))
    return home


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """What the command asks for, in place of doing it."""
    given: list[Comparison] = []

    def noted(comparison: Comparison) -> Outcome:
        given.append(comparison)
        failed = ("ae failed",) if "ae" in comparison.methods else ()
        return Outcome(Path("compare.md"), "the table", failed)

    monkeypatch.setattr("disanat.experiments.compare.compare", noted)
    return given


def run(home: Path, *words: object) -> int:
    return compare.main([*map(str, words), "--home", str(home), "--device", "cpu"])


def test_defaults_are_the_last_plan_and_every_contrast_of_the_home(
    home: Path, asked: list[Comparison], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "-m", "dal", "threshold", "dal") == 0
    (one,) = asked
    assert one.methods == ("dal", "threshold") and one.plans.dataset == "Dataset005_Mini"
    assert (one.configuration.name, one.fold, one.seed, one.workers) == ("2d", "0", 0, 0)
    assert (one.budget.epochs, one.budget.minutes) == (None, None)
    assert [s.name for s in one.sets] == ["Ill_FLAIR", "Ill_T1"]
    assert one.folder == home / "results" / "Dataset005_Mini" / "comparisons" / "compare__2d"
    assert "the table" in capsys.readouterr().out


def test_each_flag_reaches_the_comparison(
    home: Path, asked: list[Comparison], tmp_path: Path
) -> None:
    ill = home / "raw" / "Dataset007_Ill"
    assert run(
        home, "-d", "5", "-m", "threshold", "-c", "2d", "-f", "all", "-i", ill / "imagesTs",
        "-l", ill / "labelsTs", "--use_channels", 1, 0, "--minutes", 2.5, "--name", "mine",
        "--seed", 3, "-np", 2,
    ) == 0  # fmt: skip
    (one,) = asked
    assert [(s.name, s.channels) for s in one.sets] == [("Ill", (1, 0))]
    assert (one.fold, one.seed, one.workers, one.budget.minutes) == ("all", 3, 2, 2.5)
    assert one.folder.name == "mine" and one.device == "cpu"
    assert run(home, "-m", "threshold", "--epochs", 4, "--use_channels", 1) == 0
    assert asked[1].budget.epochs == 4 and [s.name for s in asked[1].sets] == ["Ill_T1"]


def test_tables_of_participants_reach_the_comparison(
    home: Path, asked: list[Comparison], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tage\tsex\nsub-a\t30\tF\n")
    words = ("--participants", table, "--columns", "sex", "--cut", "age", 40)
    assert run(home, "-m", "threshold", *words) == 0
    assert set(asked[0].participants) == {"Ill_FLAIR", "Ill_T1"}
    one = asked[0].participants["Ill_T1"]
    assert (one.path, one.columns, one.cuts) == (table, ("sex", "age"), {"age": (40.0,)})
    assert "subgroups.md" in capsys.readouterr().out
    assert run(home, "-m", "threshold") == 0 and asked[1].participants == {}
    table.write_text("participant_id\tsex\nsub-b\tF\n")
    assert run(home, "-m", "threshold", "--participants", table) == 2
    assert "has no row of any case" in capsys.readouterr().err and len(asked) == 2


def test_a_named_plan_is_taken(home: Path, asked: list[Comparison]) -> None:
    usual = home / "preprocessed" / "Dataset005_Mini" / "plans.json"
    named = usual.parent / "plans_wide" / "plans.json"
    named.parent.mkdir()
    named.write_text(json.dumps(json.loads(usual.read_text()) | {"name": "wide"}))
    assert run(home, "-d", "5", "-m", "threshold", "-p", "wide") == 0
    assert asked[0].folder.name == "compare__wide__2d"


def test_a_method_that_failed_makes_exit_code_one(home: Path, asked: list[Comparison]) -> None:
    assert run(home, "-m", "ae", "threshold") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-m", "magic"), "There is no method 'magic': use one of dal, threshold"),
        (("-m", "ae", "-i", "."), "-i names 1 folders of scans, but -l 0 of labels: give one"),
        (("-m", "ae", "-l", "."), "-i names 0 folders of scans, but -l 1 of labels"),
        (("-m", "ae", "-i", ".", ".", "-l", "."), "-i names 2 folders of scans, but -l 1"),
        (("-m", "ae", "-i", "no", "-l", "."), "no is not a folder: check the path given with -i"),
        (("-m", "ae", "--use_channels", "7"), "imagesTs and labelsTs with a channel 7: put"),
        (("-m", "ae", "--epochs", "0"), "--epochs 0 trains nothing: give 1 or more"),
        (("-m", "ae", "--minutes", "0"), "--minutes 0 trains nothing: give more than 0"),
        (("-m", "ae", "--minutes", "nan"), "--minutes nan trains nothing"),
        (("-m", "ae", "--name", "../x"), "--name '../x' is no folder's name: give one of"),
        (("-m", "ae", "-f", "9"), "There is no fold '9': use 0 to 4, or all"),
        (("-m", "ae", "-np", "-1"), "-np -1 is no number of processes"),
        (("-m", "ae", "-c", "4d"), "has no configuration '4d': use 2d"),
        (("-m", "ae", "-d", "7"), "plans.json does not exist: run disanat_plan_and_preprocess"),
        (("-m", "ae", "-d", "9"), "There is no dataset '9'"),
        (("-m", "ae", "-p", "wide"), "plans_wide"),
        (("-m", "ae", "--participants", "no.tsv"), "no.tsv is not there: check the path given"),
        (("-m", "ae", "--columns", "sex"), "need a table: give it with --participants"),
        (("-m", "ae", "--cut", "age", "x"), "--cut age x is no list of numbers"),
    ],
)
def test_each_mistake_is_one_sentence(
    home: Path,
    asked: list[Comparison],
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(home, *words) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and not asked


def test_a_home_without_test_sets_or_plans_is_one_sentence(
    home: Path, asked: list[Comparison], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.rmtree(home / "raw" / "Dataset007_Ill")
    assert run(home, "-m", "ae") == 2
    assert "holds no dataset with imagesTs and labelsTs: put" in capsys.readouterr().err
    assert run(tmp_path / "empty", "-m", "ae") == 2
    assert "No dataset has been planned yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["-m"], ["-m", "ae", "--epochs", "1", "--minutes", "1"], ["-m", "ae", "-i"]]
)
def test_wrong_flags_leave_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        compare.main(words)
    assert left.value.code == 2 and "usage: disanat_compare" in capsys.readouterr().err


def test_a_scheduler_is_handed_down(
    home: Path, asked: list[Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "disanat.preprocessing.cluster.connected", lambda address: nullcontext(f"of {address}")
    )
    run(home, "-m", "threshold")
    assert asked.pop().cluster == "of None"
    run(home, "-m", "threshold", "--scheduler", "tcp://a:1")
    assert asked.pop().cluster == "of tcp://a:1"
