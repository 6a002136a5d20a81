"""Translation and patch similarity: what is spoilt, what features learn, what the score shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from disanat.methods.arepas import PatchEncoder, augmented, info_nce, spoilt
from disanat.methods.interface import PreparedChannel
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale

SPACING = (4.0, 4.0, 4.0)


def standardised(brain: Any, image: np.ndarray | None = None) -> np.ndarray:
    inside = brain.labels > 0
    shown = brain.image if image is None else image
    return intensity_scale(brain.image[inside]).standardise(shown, inside)


def test_contrastive_loss_between_knowing_nothing_and_everything() -> None:
    same = torch.zeros(32, 40)
    same[:, 0] = 1
    assert abs(float(info_nce(same, same)) - math.log(32)) < 1e-5
    apart = torch.eye(32)
    assert float(info_nce(apart, apart)) < 0.01
    assert float(info_nce(apart, apart.roll(1, 0))) > math.log(32)


def test_ellipsoids_in_the_brain_are_spoilt_and_nothing_else() -> None:
    torch.manual_seed(0)
    for size, spacing in (((40, 48), (3.0, 3.0)), ((20, 24, 28), (4.0, 3.0, 3.0))):
        brain = torch.zeros(4, 1, *size, dtype=torch.bool)
        brain[:, :, 5:-5, 5:-5] = True
        images = torch.where(brain, 0.1 * torch.randn(brain.shape), OUTSIDE)
        changed = spoilt(images, brain, spacing)
        differs = changed != images
        assert not differs[~brain].any()
        share = differs.flatten(1).float().sum(1) / brain.flatten(1).float().sum(1)
        assert ((share > 0.002) & (share < 0.9)).all()
        assert float(changed.min()) == OUTSIDE and bool(torch.isfinite(changed).all())
        assert torch.equal(images, torch.where(brain, images, OUTSIDE))


def test_a_batch_without_brain_has_a_loss(lesson: Callable[..., Any]) -> None:
    batch = {
        "image": torch.full((2, 1, 24, 24), OUTSIDE),
        "labels": torch.zeros(2, 24, 24, dtype=torch.long),
    }
    losses = lesson("arepas").method.losses(batch)
    assert all(float(loss.detach()) == 0 for loss in losses.values())


def test_features_know_a_patch_and_nothing_beyond_it() -> None:
    torch.manual_seed(0)
    encoder = PatchEncoder(2)
    image = torch.randn(1, 1, 40, 40)
    other = image.clone()
    other[..., 26:, :] = 3.0
    before, after = encoder(image), encoder(other)
    torch.testing.assert_close(before.norm(dim=1), torch.ones(1, 40, 40))
    differs = (before - after).abs().sum(1)[0] > 1e-6
    assert not differs[:21].any() and differs[21:].all()


def test_features_of_a_place_lie_closer_than_those_of_two_places(
    lesson: Callable[..., Any], miniature: Any
) -> None:
    """On a brain that no training has seen, under two augmentations."""
    method, brain = lesson("arepas").method, miniature.brain(31)
    number = 20
    inside = torch.from_numpy(brain.labels[number] > 0).flatten()
    image = torch.from_numpy(standardised(brain)[number])[None, None]
    torch.manual_seed(1)
    with torch.inference_mode():
        first, second = (
            method.features(augmented(image))[0].flatten(1).T[inside] for _ in range(2)
        )
    same = (first * second).sum(1).mean()
    chosen = torch.randperm(len(first))
    two = (first * second[chosen]).sum(1).mean()
    assert float(same) > float(two) + 0.3
    known = (first @ second.T).argmax(1) == torch.arange(len(first))
    assert float(known.float().mean()) > 10 / len(first)


def test_patches_of_a_lesion_are_unlike_their_translation(
    lesson: Callable[..., Any], miniature: Any
) -> None:
    method, brain = lesson("arepas").method, miniature.brain(32)
    spot = np.zeros(brain.labels.shape, bool)
    spot[18:24, 20:26, 24:30] = True
    spot &= brain.labels == 3
    assert spot.sum() > 60
    scan = standardised(brain, np.where(spot, np.float32(170), brain.image))
    inside = brain.labels > 0
    channel = PreparedChannel(scan, inside, SPACING, scan, inside, SPACING)
    result = method.predict([channel])[0]
    assert float(result.score[spot].mean()) > 1.4 * float(result.score[inside & ~spot].mean())
    assert set(result.further) == {"difference", "residual"}
    assert float(result.score.min()) >= 0 and float(result.score.max()) <= 2
