"""From scans to what the networks see, with the brain found as the plan says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import ImageError
from disanat.inference.preparation import prepare_case
from disanat.io.images import read_scan
from disanat.preparation import Preparation
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


def biased_scan(miniature: Any, folder: Path) -> Any:
    """A stripped brain that is a third brighter at its top than at its bottom."""
    image = miniature.brain(3).image
    ramp = np.linspace(0.85, 1.15, len(image), dtype=np.float32)[:, None, None]
    miniature.write(folder / "x.nii.gz", np.where(image > 0, image * ramp, 0))
    return read_scan(folder / "x.nii.gz")


def test_n4_takes_the_field_out_and_the_phi_gets_it_back(miniature: Any, tmp_path: Path) -> None:
    scan = biased_scan(miniature, tmp_path)
    usual = prepare_case({0: scan}, (4.0, 4.0, 4.0))
    prepared = prepare_case({0: scan}, (4.0, 4.0, 4.0), steps=Preparation(bias_correction=True))
    brain = prepared.channels[0].native_brain

    def slope(standardised: np.ndarray) -> float:
        """Between the means of the upper and the lower half."""
        half = len(brain) // 2
        values = [standardised[part][brain[part]].mean() for part in (np.s_[half:], np.s_[:half])]
        return float(values[0] - values[1])

    assert not usual.fields and set(prepared.fields) == {0}
    assert abs(slope(prepared.channels[0].native)) < 0.5 * abs(slope(usual.channels[0].native))
    back = prepared.own_units(0, prepared.channels[0].native)[brain]
    original = scan.array[prepared.box][brain]
    within = np.abs(prepared.channels[0].native[brain]) < 3.9  # beyond, intensities are clipped
    np.testing.assert_allclose(back[within], original[within], rtol=1e-3)


def test_without_resampling_a_scan_keeps_its_voxels(miniature: Any, tmp_path: Path) -> None:
    scan = biased_scan(miniature, tmp_path)
    prepared = prepare_case({0: scan}, (8.0, 8.0, 8.0), steps=Preparation(resampling=False))
    channel = prepared.channels[0]
    assert channel.spacing == channel.native_spacing == scan.spacing
    np.testing.assert_array_equal(channel.brain, channel.native_brain)
    np.testing.assert_allclose(
        channel.image[channel.brain], channel.native[channel.brain], atol=1e-5
    )


def test_a_fixed_scale_is_for_every_scan(miniature: Any, tmp_path: Path) -> None:
    scan = biased_scan(miniature, tmp_path)
    steps = Preparation(fixed_scale=(10.0, 4.0))
    prepared = prepare_case({0: scan}, (4.0, 4.0, 4.0), steps=steps)
    assert (prepared.scales[0].mean, prepared.scales[0].std) == (10.0, 4.0)
    brain = prepared.channels[0].native_brain
    np.testing.assert_allclose(
        prepared.channels[0].native[brain],
        np.clip((scan.array[prepared.box][brain] - 10) / 4, -4, 6),
        rtol=1e-5,
    )
