"""Weights as they are given to others."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import safetensors.torch
import torch

from disanat.errors import ModelError
from disanat.networks.shared_weights import SharedWeights, load_shared, save_shared

CPU = torch.device("cpu")


@pytest.fixture
def weights() -> SharedWeights:
    a = torch.randn(4, 5)
    tensors = {"a": a, "b": a, "turned": a.T, "none": torch.zeros(0), "one": torch.tensor(3)}
    return SharedWeights(tensors | {"half": torch.ones(3, dtype=torch.float16)}, {"made": [1, 2]})


def test_round_trip(weights: SharedWeights, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_shared(weights, path)
    again = load_shared(path, CPU)
    assert again.about == {"made": [1, 2]} and again.tensors.keys() == weights.tensors.keys()
    for name, tensor in weights.tensors.items():
        assert again.tensors[name].dtype == tensor.dtype
        assert torch.equal(again.tensors[name], tensor)
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_what_has_two_names_is_stored_once(weights: SharedWeights, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_shared(weights, path)
    assert {"a", "b"} - safetensors.torch.load_file(path).keys() == {"b"}
    again = load_shared(path, CPU).tensors
    assert again["a"].data_ptr() == again["b"].data_ptr()


def test_the_same_weights_give_the_same_bytes(weights: SharedWeights, tmp_path: Path) -> None:
    first, second = tmp_path / "x", tmp_path / "y"
    save_shared(weights, first)
    save_shared(load_shared(first, CPU), second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("keep", [0, 4, 100, 0.9, 0.999])
def test_a_truncated_file_is_damaged(weights: SharedWeights, tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.safetensors"
    save_shared(weights, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(ModelError, match=r"x.safetensors is damaged \(.*\): mend it\."):
        load_shared(path, CPU, "mend it")


def test_a_flipped_byte_is_refused(weights: SharedWeights, tmp_path: Path) -> None:
    path, rng = tmp_path / "x.safetensors", random.Random(0)
    save_shared(weights, path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert same(load_shared(path, CPU), weights)  # blanks between words do not count
        except ModelError:
            continue
        assert whole[place] == ord(" ")


def same(one: SharedWeights, other: SharedWeights) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items()
    )


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(ModelError, match="x.safetensors does not exist: train"):
        load_shared(path, CPU)
    tmp_path.joinpath("folder").mkdir()
    with pytest.raises(ModelError, match="folder cannot be read"):
        load_shared(tmp_path / "folder", CPU)
    for told in ({}, {"disanat": "{"}, {"disanat": "[]"}, {"disanat": json.dumps({"version": 9})}):
        path.write_bytes(safetensors.torch.save({"a": torch.ones(1)}, told))
        with pytest.raises(ModelError, match="x.safetensors was written by another disanat"):
            load_shared(path, CPU)


def test_a_name_that_stands_for_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    told = {"version": 1, "about": {}, "also": {"b": "c"}, "checksum": ""}
    path.write_bytes(safetensors.torch.save({"a": torch.ones(1)}, {"disanat": json.dumps(told)}))
    with pytest.raises(ModelError, match="its checksum does not fit"):
        load_shared(path, CPU)
