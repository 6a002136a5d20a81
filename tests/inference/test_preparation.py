"""The brain of a whole head, where the networks have nothing to go by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.inference import preparation
from disanat.io.images import read_scan


def test_a_head_darker_than_its_air_gets_the_atlas_brain(
    miniature: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brain = miniature.brain(0)
    rng = np.random.default_rng(0)
    dark = np.where(brain.labels > 0, 0, 1000) + rng.uniform(0, 5, brain.labels.shape)
    miniature.write(tmp_path / "x.nii.gz", dark.astype(np.float32))
    scan = read_scan(tmp_path / "x.nii.gz")
    ball = brain.labels > 0
    monkeypatch.setattr(preparation, "atlas_brain_mask", lambda *_: ball)
    monkeypatch.setattr(preparation, "grow_mask", lambda mask, *_: mask)

    def networks(image: np.ndarray) -> np.ndarray:
        raise AssertionError("there is nothing to show to the networks")

    scans = {0: replace(scan, array=scan.array)}
    prepared = preparation.prepare_case(scans, (4.0, 4.0, 4.0), networks)
    np.testing.assert_array_equal(prepared.brain, ball)
