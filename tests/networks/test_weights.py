"""Weights on disk."""

from __future__ import annotations

import os
import pickle
import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from disanat.errors import ModelError
from disanat.networks.weights import load_state, save_state, state_digest

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


def telling() -> dict[str, Any]:
    shared = torch.randn(7, 3)
    return {
        "weights": OrderedDict(a=shared, b=shared, c=torch.tensor(2), d=torch.zeros(0)),
        "optimiser": {0: {"step": 3, "betas": (0.9, 0.99)}, 1: [None, True, "text"]},
        "half": torch.ones(3, dtype=torch.bfloat16),
    }


def test_a_checksum_is_kept_and_not_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    save_state(telling(), path)
    assert len(torch.load(path, weights_only=True)["checksum"]) == 64
    state = load_state(path, CPU)
    assert "checksum" not in state
    save_state(state | {"epoch": 3}, path)  # what was read can be written again
    assert load_state(path, CPU)["epoch"] == 3


def test_a_file_without_a_checksum_is_still_read(tmp_path: Path) -> None:
    torch.save({"version": 1, "weights": {"a": torch.ones(2)}}, tmp_path / "x.pt")
    assert load_state(tmp_path / "x.pt", CPU)["weights"]["a"].sum() == 2


def changed(state: dict[str, Any], way: str) -> dict[str, Any]:
    weights = OrderedDict(state["weights"])
    if way == "value":
        weights["a"] = weights["a"] + 1e-6
    elif way == "name":
        weights["e"] = weights.pop("d")
    elif way == "shape":
        weights["a"] = weights["a"].reshape(3, 7)
    elif way == "type":
        weights["c"] = weights["c"].to(torch.int32)
    elif way == "order":
        weights.move_to_end("a")
    elif way == "number":
        return state | {"optimiser": state["optimiser"] | {0: {"step": 4, "betas": (0.9, 0.99)}}}
    return state | {"weights": weights}


@pytest.mark.parametrize("way", ["value", "name", "shape", "type", "order", "number"])
def test_a_checksum_that_does_not_fit_is_refused(tmp_path: Path, way: str) -> None:
    path, state = tmp_path / "x.pt", telling()
    assert state_digest(changed(state, "not")) == state_digest(state)
    save_state(state, path)
    stored = torch.load(path, weights_only=True)
    torch.save(changed(stored, way), path)
    with pytest.raises(ModelError, match=r"x.pt is damaged \(its checksum does not fit\): train"):
        load_state(path, CPU)


def test_what_cannot_be_checked_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a set is neither a tensor nor a number nor text"):
        save_state({"weights": {1, 2}}, tmp_path / "x.pt")
    torch.save({"version": 1, "weights": {1, 2}, "checksum": "0" * 64}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="its checksum does not fit"):
        load_state(tmp_path / "x.pt", CPU)


@pytest.mark.filterwarnings("ignore")
def test_a_flipped_byte_never_gives_other_numbers(tmp_path: Path) -> None:
    path, state = tmp_path / "x.pt", telling()
    save_state(state, path)
    whole, digest = path.read_bytes(), state_digest(load_state(path, CPU)["weights"])
    refused = 0
    rng = random.Random(0)
    for place in rng.sample(range(len(whole)), 400):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert state_digest(load_state(path, CPU)["weights"]) == digest
        except ModelError:
            refused += 1
    assert refused > 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("start", [b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x02}q\x00("])
def test_foreign_bytes_are_damaged(tmp_path: Path, start: bytes) -> None:
    path, rng = tmp_path / "x.pt", random.Random(1)
    for length in (0, 1, 30, 1000):
        for _ in range(20):
            path.write_bytes(start + rng.randbytes(length))
            with pytest.raises(ModelError, match=r"x.pt (is damaged|was written by another)"):
                load_state(path, CPU)
