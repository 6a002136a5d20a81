"""Simplex noise: coarse above all, of unit variance, independent from draw to draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from disanat.networks.simplex import simplex_noise


def power(fields: Tensor, low: float, high: float) -> float:
    """Mean power of the spatial frequencies, in cycles per voxel, from `low` to `high`."""
    spectrum = (torch.fft.fft2(fields[:, 0]).abs() ** 2).mean(0) / fields[0].numel()
    rows, columns = (torch.fft.fftfreq(n) for n in fields.shape[2:])
    frequency = (rows[:, None].square() + columns[None].square()).sqrt()
    return float(spectrum[(frequency > low) & (frequency <= high)].mean())


def test_power_falls_with_frequency() -> None:
    """A wave of twice the length has 1 / 0.64 of the power, in a quarter of the frequencies."""
    torch.manual_seed(0)
    fields = simplex_noise(64, (128, 128))
    bands = [power(fields, low, 2 * low) for low in (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)]
    for coarse, fine in zip(bands, bands[1:]):
        assert 2.5 < coarse / fine < 12
    white = power(torch.randn(64, 1, 128, 128), 0, 1 / 32)
    assert power(fields, 0, 1 / 32) > 50 * white
    assert power(fields, 1 / 4, 1 / 2) < 0.5 * white


@pytest.mark.parametrize("shape", [(96, 80), (45, 33), (24, 28, 20)])
def test_mean_is_zero_and_variance_one(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    fields = torch.cat([simplex_noise(40, shape) for _ in range(10)])
    assert fields.shape == (400, 1, *shape) and fields.dtype == torch.float32
    assert abs(float(fields.mean())) < 0.1
    assert float(fields.square().mean().sqrt()) == pytest.approx(1, abs=0.07)


def test_draws_are_independent_and_the_seed_decides() -> None:
    torch.manual_seed(3)
    first, second = simplex_noise(200, (32, 32)), simplex_noise(200, (32, 32))
    torch.manual_seed(3)
    assert torch.equal(simplex_noise(200, (32, 32)), first)
    for one, other in ((first, second), (first[::2], first[1::2])):
        similar = (one * other).mean((1, 2, 3))
        assert abs(float(similar.mean())) < 4 * float(similar.std()) / len(similar) ** 0.5


def test_neighbours_differ_little() -> None:
    """No seams between triangles: the coarse octaves are smooth wherever one looks."""
    torch.manual_seed(0)
    fields = simplex_noise(100, (64, 64))
    near = float((fields[..., 1:] - fields[..., :-1]).square().mean())
    far = float((fields[..., 32:] - fields[..., :-32]).square().mean())
    assert near < 0.4 * far
