"""The home folder, atomic writes and JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from disanat.errors import DatasetError, PlanError
from disanat.home import Home, atomic_path, read_json, resolve_home, write_json


def test_the_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_home().root == Path("disanat_home")
    monkeypatch.setenv("DISANAT_HOME", "/from/environment")
    assert resolve_home().root == Path("/from/environment")
    assert resolve_home("/from/flag").results == Path("/from/flag/results")
    assert resolve_home("~/x").root == Path.home() / "x"


@pytest.mark.parametrize("wanted", ["5", "005", "Dataset005_IXI"])
def test_a_dataset_by_number_or_name(tmp_path: Path, wanted: str) -> None:
    for name in ("raw/Dataset005_IXI", "preprocessed/Dataset005_IXI", "raw/Dataset050_B", "raw/x"):
        (tmp_path / name).mkdir(parents=True)
    home = Home(tmp_path)
    assert home.dataset_name(wanted) == "Dataset005_IXI"
    assert home.dataset_names() == ["Dataset005_IXI", "Dataset050_B"]


def test_unknown_and_ambiguous_datasets(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no dataset '7' .*found: none"):
        Home(tmp_path).dataset_name("7")
    for name in ("Dataset005_A", "Dataset005_B"):
        (tmp_path / "raw" / name).mkdir(parents=True)
    with pytest.raises(DatasetError, match="used by Dataset005_A, Dataset005_B"):
        Home(tmp_path).dataset_name("5")
    with pytest.raises(DatasetError, match="found: Dataset005_A, Dataset005_B"):
        Home(tmp_path).dataset_name("Dataset005")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "a.nii.gz"
    with atomic_path(target) as temporary:
        assert temporary.name.endswith("a.nii.gz")
        temporary.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        fail()
    assert target.read_text() == "old"
    assert [p.name for p in target.parent.iterdir()] == ["a.nii.gz"]


def test_json_errors_name_file_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(PlanError, match=r"a.json does not exist: do this\."):
        read_json(path, PlanError, "do this")
    path.write_text("{")
    with pytest.raises(PlanError, match=r"a.json cannot be read as JSON .*: do this\."):
        read_json(path, PlanError, "do this")
    write_json({"é": [1, 2.5, None]}, path)
    assert read_json(path, PlanError, "do this") == {"é": [1, 2.5, None]}
