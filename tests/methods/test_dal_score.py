"""The scores of one channel, from what the networks made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.dal.score import channel_scores, smooth_score, steadied
from disanat.methods.interface import PreparedChannel
from disanat.plans import Plans, load_json
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.intensity import fit_imaging
from disanat.tissues import THREE_CLASSES

SPACING = (2.0, 2.0, 2.0)


def layered(shape: tuple[int, int, int] = (16, 24, 24)) -> tuple[np.ndarray, np.ndarray]:
    """A brain of fluid, grey and white in layers: class probabilities and its mask."""
    numbers = np.zeros(shape, int)
    numbers[2:-2, 2:-2, 2:-2] = 1
    numbers[3:-3, 5:-5, 4:-4] = 2
    numbers[5:-5, 8:-8, 7:-7] = 3
    return np.eye(4, dtype=np.float32)[numbers].transpose(3, 0, 1, 2), numbers > 0


def scan(anatomy: np.ndarray, brain: np.ndarray, noise: float = 0.15) -> PreparedChannel:
    rng = np.random.default_rng(0)
    flat = np.tensordot(np.array([OUTSIDE, -1.5, 0.0, 1.0], np.float32), anatomy, 1)
    image = flat + noise * rng.normal(size=flat.shape)
    image = np.where(brain, image, OUTSIDE).astype(np.float32)
    return PreparedChannel(image, brain, SPACING, image, brain, SPACING)


def test_steadied_anatomies_are_probabilities_that_slices_share() -> None:
    rng = np.random.default_rng(0)
    anatomy = rng.dirichlet(np.ones(4), (12, 10, 10)).transpose(3, 0, 1, 2).astype(np.float32)
    steady = steadied(anatomy)
    assert steady.shape == anatomy.shape and (steady >= 0).all()
    np.testing.assert_allclose(steady.sum(0), 1, atol=1e-5)
    between = [np.abs(np.diff(a, axis=1)).mean() for a in (anatomy, steady)]
    assert between[1] < 0.6 * between[0]
    whole, _ = layered()
    np.testing.assert_allclose(steadied(whole)[3, 7, 11, 11], 1, atol=0.01)


def test_a_lesion_that_no_network_saw_stands_out_by_ratio_and_residual() -> None:
    anatomy, brain = layered()
    healthy = scan(anatomy, brain)
    imaging = fit_imaging(healthy.image, anatomy, anatomy, SPACING, THREE_CLASSES)
    phi = np.tensordot(np.r_[OUTSIDE, imaging.median], anatomy, 1).astype(np.float32)
    image = healthy.image.copy()
    lesion = (slice(6, 9), slice(10, 13), slice(10, 13))
    image[lesion] = -0.5
    channel = PreparedChannel(image, brain, SPACING, image, brain, SPACING)
    logits = {"comparator": np.zeros(brain.shape, np.float32)}
    score, further = channel_scores(
        channel, steadied(anatomy), imaging, phi, logits, THREE_CLASSES
    )
    assert set(further) == {"comparator", "residual"} and not further["comparator"].any()
    for one in (score, further["residual"]):
        assert one.dtype == np.float32 and np.isfinite(one).all()
        others = np.ones(brain.shape, bool)
        others[5:10, 9:14, 9:14] = False
        assert one[7, 11, 11] > one[brain & others].max()


def test_scores_are_smoothed_in_millimetres() -> None:
    brain = np.ones((9, 17, 17), bool)
    spot = np.zeros(brain.shape, np.float32)
    spot[4, 8, 8] = 1
    thick = PreparedChannel(spot, brain, SPACING, spot, brain, (6.0, 1.0, 1.0))
    smooth = smooth_score(spot, thick)
    assert smooth[3, 8, 8] < 1e-3 * smooth[4, 8, 8]
    assert smooth[4, 8, 9] / smooth[4, 8, 8] == pytest.approx(np.exp(-0.5 / 1.4**2), rel=0.02)


def test_the_encoders_hint_is_a_further_score(
    planned_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    plans = load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    method.networks().eval()
    brain = np.zeros((10, 16, 20), bool)
    brain[2:8, 2:14, 2:18] = True
    rng = np.random.default_rng(0)
    image = np.where(brain, rng.normal(size=brain.shape), OUTSIDE).astype(np.float32)
    spacing = (4.0, 4.0, 4.0)
    channel = PreparedChannel(image, brain, spacing, image, brain, spacing)
    [before] = method.predict([channel])
    forward = method.encoder.forward

    def hinting(seen: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = forward(seen)
        return torch.cat([output[:, :-1], output[:, -1:] + 3], 1)

    monkeypatch.setattr(method.encoder, "forward", hinting)
    [after] = method.predict([channel])
    assert set(after.further) == {"comparator", "hint", "residual"}
    risen = after.further["hint"] - before.further["hint"]
    np.testing.assert_allclose(risen[brain], 3, atol=1e-4)
    np.testing.assert_array_equal(after.score, before.score)
