"""Prediction with `--fast`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from disanat.cli import predict
from disanat.inference.predictor import Predictor
from disanat.methods.ensemble import Ensemble
from disanat.networks.volume import FAST, THOROUGH


def test_the_networks_are_asked_half_as_often_and_say_much_the_same(
    taught_model: Path, miniature: Any
) -> None:
    thorough = Predictor.from_folder(taught_model)
    fast = Predictor(thorough.model, fast=True)
    asked = {"n": 0}
    encoder = thorough.model.method.networks()["encoder"]
    handle = encoder.register_forward_hook(lambda *_: asked.update(n=asked["n"] + 1))
    image, found, counts = miniature.brain(4).image, [], []
    for predictor in (thorough, fast):
        asked["n"] = 0
        found.append(predictor.predict(image, spacing=(3.0, 3.0, 3.0)))
        counts.append(asked["n"])
    handle.remove()
    assert counts[0] == 2 * counts[1]
    assert thorough.model.method.tiling == THOROUGH
    one, other = (p.anomaly[p.brain] for p in found)
    assert not np.array_equal(one, other) and np.corrcoef(one, other)[0, 1] > 0.8


def test_an_ensemble_is_fast_by_its_members(taught_model: Path) -> None:
    method = Predictor.from_folder(taught_model).model.method
    ensemble = Ensemble([method, method])
    fast = ensemble.faster()
    assert [m.tiling for m in fast.members] == [FAST] * 2
    assert fast.alongside and [m.tiling for m in ensemble.members] == [THOROUGH] * 2


def test_the_command_takes_both_flags_and_records_them(
    taught_model: Path, miniature: Any, tmp_path: Path
) -> None:
    for number, case in enumerate("ab"):
        miniature.write(tmp_path / "in" / f"{case}_0000.nii.gz", miniature.brain(number).image)
    words = ["-i", tmp_path / "in", "-o", tmp_path / "out", "-m", taught_model]
    flags = ["--fast", "--at_once", "1", "--device", "cpu", "--home", tmp_path]
    assert predict.main([str(word) for word in words + flags]) == 0
    assert json.loads((tmp_path / "out" / "prediction.json").read_text())["fast"] is True
    assert (tmp_path / "out" / "b.nii.gz").exists()
