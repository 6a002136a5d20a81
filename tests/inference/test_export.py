"""Models as they are given to others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from disanat.errors import ModelError
from disanat.inference.export import export_model
from disanat.inference.model import load_model
from disanat.methods.interface import Method


@pytest.fixture
def fold(trained_home: Path, tmp_path: Path) -> Path:
    target = tmp_path / "dal__2d" / "fold_0"
    shutil.copytree(trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0", target)
    return target


def weights(folder: Path) -> dict[str, torch.Tensor]:
    method = load_model(folder).method
    assert isinstance(method, Method)
    return method.networks().state_dict()


def test_numbers_take_the_place_of_names(fold: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    size = export_model(fold, target)
    assert {p.name for p in target.iterdir()} == {"model.json", "weights.safetensors"}
    assert size == pytest.approx(sum(p.stat().st_size for p in target.iterdir()) / 1e6, rel=0.02)
    before, after = (json.loads((f / "model.json").read_text()) for f in (fold, target))
    assert before["facts"].pop("began") and before["facts"].pop("planned")
    for group in ("train", "validation", "reference", "threshold"):
        names = before["facts"].pop(f"{group}_cases")
        assert after["facts"].pop(f"{group}_cases") == len(names)
    assert after == before
    kept, given = weights(fold), weights(target)
    assert all(torch.equal(kept[name], given[name]) for name in kept)
    once = {tensor.data_ptr(): tensor.nbytes for tensor in kept.values()}
    size = (target / "weights.safetensors").stat().st_size
    assert size < sum(once.values()) + 150 * len(kept)  # nothing is stored twice


def test_what_is_too_large_is_halved_and_comes_back_as_float32(fold: Path, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole", tmp_path / "half"
    limit = 0.85 * export_model(fold, whole)
    assert export_model(fold, half, limit) <= limit
    kept, given = weights(fold), weights(half)
    for name, tensor in kept.items():
        assert given[name].dtype == tensor.dtype == torch.float32
        torch.testing.assert_close(given[name], tensor, rtol=1e-3, atol=1e-6)
    assert any(not torch.equal(kept[name], given[name]) for name in kept)


def test_what_is_still_too_large_is_refused(fold: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"even with halved weights, but 0.01 are allowed"):
        export_model(fold, tmp_path / "out", 0.01)
    assert not list((tmp_path / "out").iterdir())


def test_names_elsewhere_are_refused(fold: Path, tmp_path: Path) -> None:
    path = fold / "model.json"
    data = json.loads(path.read_text())
    name = data["facts"]["train_cases"][0]
    data["facts"]["note"] = f"most like {name}, all in all"
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=f"model.json names the case {name} outside its list"):
        export_model(fold, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_exported_can_be_exported_again(fold: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    export_model(fold, first)
    export_model(first, second)
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_a_trainings_folder_is_no_target(fold: Path) -> None:
    before = {p.name: p.read_bytes() for p in fold.iterdir() if p.is_file()}
    with pytest.raises(ModelError, match="fold_0 holds the model of a training: give another"):
        export_model(fold, fold)
    assert {p.name: p.read_bytes() for p in fold.iterdir() if p.is_file()} == before


def test_an_ensemble_is_refused(fold: Path, tmp_path: Path) -> None:
    second = fold.parent / "fold_1"
    shutil.copytree(fold, second)
    data = json.loads((fold / "model.json").read_text())
    folder = fold.parent / "ensemble_0_1"
    folder.mkdir()
    members = {"fold_0": data["finished"], "fold_1": data["finished"]}
    (folder / "model.json").write_text(json.dumps(data | {"members": members}))
    with pytest.raises(ModelError, match="is an ensemble: give the folder of one of its folds"):
        export_model(folder, tmp_path / "out")
