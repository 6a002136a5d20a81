"""Weights on disk."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from disanat.errors import ModelError
from disanat.networks.weights import (
    digest_of,
    load_shared,
    load_state,
    save_shared,
    save_state,
)

CPU = torch.device("cpu")


def test_round_trip(tmp_path: Path) -> None:
    save_state({"weights": {"a": torch.arange(3.0)}, "epoch": 2}, tmp_path / "x.pt")
    state = load_state(tmp_path / "x.pt", CPU)
    torch.testing.assert_close(state["weights"]["a"], torch.arange(3.0))
    assert state["epoch"] == 2 and [p.name for p in tmp_path.iterdir()] == ["x.pt"]


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_damaged(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.pt"
    save_state({"weights": {"a": torch.randn(500)}}, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(ModelError, match=r"x.pt is damaged \(.*\): train the model again\."):
        load_state(path, CPU)


class Harmful:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, writer: str) -> None:
    path, trace = tmp_path / "x.pt", tmp_path / "trace"
    state = {"version": 1, "weights": Harmful(trace)}
    if writer == "torch":
        torch.save(state, path)
    else:
        path.write_bytes(pickle.dumps(state))
    with pytest.raises(ModelError, match="x.pt is damaged"):
        load_state(path, CPU)
    assert not trace.exists()


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="x.pt does not exist"):
        load_state(tmp_path / "x.pt", CPU)
    torch.save({"version": 99}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="written by another disanat"):
        load_state(tmp_path / "x.pt", CPU)
    torch.save([1, 2], tmp_path / "x.pt")
    with pytest.raises(ModelError, match="x.pt was written by another disanat"):
        load_state(tmp_path / "x.pt", CPU)


def test_a_checksum_finds_what_the_reader_does_not(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    save_state({"weights": {"a": torch.zeros(4000)}, "epoch": 2}, path)
    data = bytearray(path.read_bytes())
    data[data.index(bytes(2000)) + 900] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"x.pt is damaged \(.*\): train the model again\."):
        load_state(path, CPU)


def test_files_of_before_have_no_checksum(tmp_path: Path) -> None:
    torch.save({"version": 1, "weights": {"a": torch.ones(2)}}, tmp_path / "x.pt")
    assert load_state(tmp_path / "x.pt", CPU)["weights"]["a"].sum() == 2


def test_every_part_counts_for_the_digest() -> None:
    state = {"a": torch.arange(4.0), "b": [1, {"c": "text"}]}
    digest = digest_of(state)
    assert digest == digest_of({"a": torch.arange(4.0), "b": [1, {"c": "text"}]})
    others = [
        state | {"a": torch.arange(4.0).double()},
        state | {"a": torch.arange(4.0).view(2, 2)},
        state | {"b": [1, {"c": "texts"}]},
        state | {"b": [1.0, {"c": "text"}]},
        {"b": state["b"], "a": state["a"]},
        {"a": state["a"]},
    ]
    assert len({digest, *map(digest_of, others)}) == 7


def test_shared_weights_keep_all_names_and_store_numbers_once(tmp_path: Path) -> None:
    path, one = tmp_path / "x.safetensors", torch.randn(500)
    weights = {"a": one, "b": one, "c": torch.randn(3).half(), "d": torch.tensor(7)}
    save_shared(weights, path)
    again = load_shared(path, CPU)
    assert set(again) == set(weights)
    for name, tensor in weights.items():
        assert torch.equal(again[name], tensor) and again[name].dtype == tensor.dtype
    assert path.stat().st_size < 500 * 4 + 900


def test_damaged_shared_weights(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_shared({"a": torch.randn(500)}, path)
    data = path.read_bytes()
    for at in (0, 20, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ModelError, match=r"x.safetensors .*: import the model again\."):
            load_shared(path, CPU)
    for cut in (0, 5, 100, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(ModelError, match="x.safetensors is damaged"):
            load_shared(path, CPU)
    path.unlink()
    with pytest.raises(ModelError, match="does not exist: import"):
        load_shared(path, CPU)
