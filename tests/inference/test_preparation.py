"""From scans to what the networks see, with the brain found as the plan says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import ImageError
from disanat.inference.preparation import prepare_case
from disanat.io.images import read_scan
from disanat.preprocessing.brain_extractor import BrainExtractor


def test_an_implausible_brain_is_refused(miniature: Any, tmp_path: Path) -> None:
    miniature.write(tmp_path / "x.nii.gz", miniature.brain(3).image, (1.0, 1.0, 1.0))
    with pytest.raises(ImageError, match=r"x.nii.gz seems to show a brain of \d+ mL"):
        prepare_case({0: read_scan(tmp_path / "x.nii.gz")}, (1.0, 1.0, 1.0))


def test_one_mask_serves_all_channels_of_a_head(
    miniature: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []

    def logits(self: BrainExtractor, image: np.ndarray, spacing: Any) -> np.ndarray:
        shown.append(image.shape)
        return np.asarray(image - 15, np.float32)

    monkeypatch.setattr(BrainExtractor, "logits", logits)
    scans = {}
    for channel, look in enumerate(("t1", "flair")):
        head, inside = miniature.head(3, look)
        miniature.write(tmp_path / f"x_000{channel}.nii.gz", head)
        scans[channel] = read_scan(tmp_path / f"x_000{channel}.nii.gz")
    prepared = prepare_case(scans, (8.0, 4.0, 4.0))
    assert shown == [inside.shape] * 2
    assert (prepared.brain == inside).mean() > 0.999
    for channel in prepared.channels.values():
        assert channel.native_brain is prepared.channels[0].native_brain
    assert prepared.background == {c: float(s.array.min()) for c, s in scans.items()}


def test_the_users_mask_is_the_brain(miniature: Any, tmp_path: Path) -> None:
    head, inside = miniature.head(3)
    own = inside.copy()
    own[:, :, 24:] = False
    miniature.write(tmp_path / "x.nii.gz", head, (4.0, 4.0, 4.0), "RAS")
    miniature.write(tmp_path / "own.nii.gz", own.astype(np.uint8), (4.0, 4.0, 4.0), "RAS")
    scan = read_scan(tmp_path / "x.nii.gz")
    prepared = prepare_case({0: scan}, (4.0, 4.0, 4.0), "hd-bet", tmp_path / "own.nii.gz")
    np.testing.assert_array_equal(prepared.brain, own)
