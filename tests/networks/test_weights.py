"""Weights on disk."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from disanat.errors import ModelError
from disanat.networks.weights import load_state, save_state

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
