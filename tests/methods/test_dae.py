"""The denoising autoencoder: its noise is coarse, and it takes it away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from disanat.methods.dae import coarse_noise
from disanat.preprocessing.normalisation import intensity_scale


def test_noise_is_coarse() -> None:
    torch.manual_seed(0)
    noise = coarse_noise(torch.zeros(64, 1, 96, 80))
    assert noise.shape == (64, 1, 96, 80)
    spectrum = (torch.fft.rfft2(noise[:, 0]).abs() ** 2).mean(0)
    rows = torch.fft.fftfreq(96).abs()[:, None]
    low = (rows < 8 / 96) & (torch.fft.rfftfreq(80)[None] < 8 / 80)
    assert float(spectrum[low].sum() / spectrum.sum()) > 0.8
    assert 0.3 < float(noise.std()) < 1.0
    assert coarse_noise(torch.zeros(1, 1, 20, 24, 28)).shape == (1, 1, 20, 24, 28)


def test_takes_coarse_noise_away(lesson: Callable[..., Any], miniature: Any) -> None:
    method = lesson("dae").method
    brain = miniature.brain(21)
    whole = brain.labels > 0
    image = intensity_scale(brain.image[whole]).standardise(brain.image, whole)[20]
    inside = whole[20]
    clean = torch.from_numpy(image)[None, None]
    torch.manual_seed(1)
    noise = coarse_noise(clean) * torch.from_numpy(inside)
    with torch.inference_mode():
        rebuilt = method.rebuilt(clean + noise)
    left = (rebuilt - clean)[0, 0][torch.from_numpy(inside)]
    put_in = noise[0, 0][torch.from_numpy(inside)]
    assert float(left.square().mean()) < 0.7 * float(put_in.square().mean())
