"""The variational autoencoder: its divergence, its codes, and the score of whole slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from disanat.methods.interface import PreparedChannel
from disanat.methods.registry import get_method
from disanat.methods.vae import divergence, features_for
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale

SPACING = (4.0, 4.0, 4.0)


def prepared(brain: Any, image: np.ndarray | None = None) -> PreparedChannel:
    inside = brain.labels > 0
    shown = brain.image if image is None else image
    scan = intensity_scale(brain.image[inside]).standardise(shown, inside)
    return PreparedChannel(scan, inside, SPACING, scan, inside, SPACING)


def test_divergence_is_that_of_torch_and_of_draws() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(3, 4), 0.5 * torch.randn(3, 4)
    ours = divergence(mean, log_variance)
    posterior, prior = Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)
    torch.testing.assert_close(ours, kl_divergence(posterior, prior).sum(1))
    drawn = posterior.sample((100_000,))
    ratio = (posterior.log_prob(drawn) - prior.log_prob(drawn)).sum(2).mean(0)
    torch.testing.assert_close(ours, ratio, rtol=0.02, atol=0.02)
    assert divergence(torch.zeros(2, 512), torch.zeros(2, 512)).tolist() == [0.0, 0.0]


def test_as_many_levels_as_halve_the_patch() -> None:
    assert features_for((192, 160)) == (16, 32, 64, 128, 256, 512)
    assert features_for((64, 56)) == (16, 32, 64, 128)
    assert features_for((24, 32, 24)) == (16, 32, 64)
    assert features_for((4, 4)) == (16,)


def test_a_code_is_drawn_in_training_and_its_mean_taken_afterwards(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    torch.manual_seed(0)
    method = get_method("vae")(mini_plans, mini_configuration)
    size = (2, *mini_configuration.patch_size)
    batch = {"image": torch.randn(2, 1, *size[1:]), "labels": torch.ones(size, dtype=torch.long)}
    first, second = (method.losses(batch)["rebuilding"] for _ in range(2))
    assert float(first.detach()) != float(second.detach())
    assert torch.equal(method.rebuilt(batch["image"]), method.rebuilt(batch["image"]))
    mean, log_variance = method.encoded(1e4 * batch["image"])
    assert mean.shape == log_variance.shape == (2, 512)
    assert float(log_variance.detach().abs().max()) <= 8


def test_training_lowers_error_and_divergence_together(
    lesson: Callable[..., Any], miniature: Any, mini_plans: Plans, mini_configuration: Configuration
) -> None:
    brain = miniature.brain(21)
    image, rows = prepared(brain).image, slice(1, 1 + mini_configuration.patch_size[0])
    columns = slice(1, 1 + mini_configuration.patch_size[1])
    batch = {
        "image": torch.from_numpy(image[14:26, None, rows, columns]),
        "labels": torch.from_numpy(brain.labels[14:26, rows, columns].astype(np.int64)),
    }
    torch.manual_seed(0)
    taught, untaught = lesson("vae").method, get_method("vae")(mini_plans, mini_configuration)
    with torch.inference_mode():
        before, after = (
            float(torch.stack(list(method.losses(batch).values())).sum())
            for method in (untaught, taught)
        )
    assert after < 0.8 * before


def test_latent_score_is_one_number_a_slice_that_rises_where_the_phi_leaves_a_lesion_out(
    miniature: Any,
    mini_plans: Plans,
    mini_configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a PHI that keeps health as it is, and a code in which every voxel has a say."""
    brain, ill = miniature.brain(22), miniature.brain(22, lesion=True)
    whole = replace(mini_configuration, patch_size=brain.image.shape[1:])
    method = get_method("vae")(mini_plans, whole)
    healthy = prepared(brain)
    brightest = float(healthy.image.max())
    lesion = np.where(ill.lesion, 2 * brain.image.max(), brain.image)
    projection = torch.randn(
        int(np.prod(whole.patch_size)), 512, generator=torch.Generator().manual_seed(0)
    )

    def encoded(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        codes = images.flatten(1) @ projection
        return codes, torch.zeros_like(codes)

    monkeypatch.setattr(method, "encoded", encoded)
    monkeypatch.setattr(method, "_rebuilt", lambda images: images.clamp(max=brightest))
    before, found = (
        method.predict([scan])[0].further["latent"] for scan in (healthy, prepared(brain, lesion))
    )
    inside, touched = brain.labels > 0, ill.lesion.any((1, 2))
    assert (found[~inside] == 0).all() and before.max() < 1e-3
    for values in (plane[mask] for plane, mask in zip(found, inside) if mask.any()):
        np.testing.assert_allclose(values, values[0], rtol=1e-4)
    by_slice = found.max((1, 2))
    assert by_slice[~touched].max() < 1e-3 and by_slice[touched].min() > 0.5
    voxels = ill.lesion.sum((1, 2))[touched]
    assert by_slice[touched].argmax() == voxels.argmax()


def test_latent_score_follows_the_slice_axis_onto_the_native_grid(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    torch.manual_seed(0)
    method = get_method("vae")(mini_plans, replace(mini_configuration, slice_axis="P"))
    method.networks().eval()
    image = np.random.default_rng(0).normal(size=(30, 12, 30)).astype(np.float32)
    inside, native_inside = np.ones(image.shape, bool), np.ones((60, 24, 30), bool)
    native = image.repeat(2, 0).repeat(2, 1)
    scan = PreparedChannel(image, inside, SPACING, native, native_inside, (2.0, 2.0, 4.0))
    with torch.inference_mode():
        latent = method.further(scan, np.full(image.shape, OUTSIDE, np.float32))["latent"]
    assert latent.shape == native.shape and (latent > 0).all()
    profile = latent[:1, :, :1]
    np.testing.assert_allclose(latent, np.broadcast_to(profile, latent.shape), rtol=1e-4)
    assert float(profile.std()) > 0
