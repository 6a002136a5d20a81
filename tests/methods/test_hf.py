"""Restoration from the phase image: what the phase image keeps and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from disanat.methods.hf import frequencies, phase_image
from disanat.methods.registry import get_method
from disanat.plans import Configuration, Plans
from disanat.preprocessing.normalisation import OUTSIDE

RADIUS = 1 / 16
ONE = (1.0, 1.0)


def disc(size: int = 96, radius: float = 24.0, spacing: float = 1.0) -> torch.Tensor:
    """A disc of 1 in 0, (1, 1, size, size), the radius in mm."""
    at = (torch.arange(float(size)) - size / 2) * spacing
    distance = (at[:, None].square() + at[None].square()).sqrt()
    return (distance < radius).float()[None, None]


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])


def steepness(images: torch.Tensor) -> torch.Tensor:
    rows, columns = torch.gradient(images[0, 0])
    return (rows.square() + columns.square()).sqrt()


def test_without_a_radius_it_is_the_image_itself() -> None:
    torch.manual_seed(0)
    image = 3 + 2 * torch.randn(2, 1, 20, 24)
    expected = image / image.std((1, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(phase_image(image, 0, ONE), expected, rtol=1e-4, atol=1e-4)


def test_edges_stay_at_their_place() -> None:
    image = disc()
    fine = phase_image(image, RADIUS, ONE)
    assert correlation(steepness(fine), steepness(image)) > 0.4
    profile = steepness(fine)[48, 48:]
    assert abs(int(profile.argmax()) - 24) <= 1
    assert float(fine[0, 0, 40:56, 40:56].abs().mean()) < 0.3 * float(fine.abs().max())


def test_a_smooth_change_is_not_seen_but_an_edge_is() -> None:
    torch.manual_seed(0)
    image = disc() + 0.05 * torch.randn(1, 1, 96, 96)
    at = torch.arange(96.0) / 96 * 2 * torch.pi
    bias = 0.5 * torch.cos(at)[:, None] * torch.sin(2 * at)[None]
    before = phase_image(image, RADIUS, ONE)
    biased = phase_image(image + bias, RADIUS, ONE)
    edged = phase_image(image + 0.5 * disc(radius=8.0), RADIUS, ONE)
    change, by_edge = (float((one - before).square().mean()) for one in (biased, edged))
    assert correlation(biased, before) > 0.99
    assert by_edge > 10 * change


def test_neither_scale_nor_number_format_matters() -> None:
    image = disc()
    fine = phase_image(image, RADIUS, ONE)
    torch.testing.assert_close(phase_image(37 * image, RADIUS, ONE), fine, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(phase_image(image, RADIUS, ONE), fine)
        assert phase_image(image.bfloat16(), RADIUS, ONE).dtype == torch.float32
    flat = phase_image(torch.zeros(1, 1, 8, 8), RADIUS, ONE)
    assert bool(torch.isfinite(flat).all()) and float(flat.std()) < 1e-6


def test_the_radius_is_in_mm() -> None:
    """The same disc on a grid twice as wide, and with voxels twice as large."""
    assert float(frequencies((240, 240), ONE)[0, 15]) == pytest.approx(RADIUS)
    assert float(frequencies((48, 48), (5.0, 5.0))[0, 15]) == pytest.approx(RADIUS)
    fine = phase_image(disc(96), RADIUS, ONE)[..., 24:72, 24:72]
    wide = phase_image(disc(192), RADIUS, ONE)[..., 72:120, 72:120]
    assert correlation(fine, wide) > 0.98
    coarse = phase_image(disc(48, spacing=2.0), RADIUS, (2.0, 2.0))
    thinned = phase_image(disc(96), RADIUS, ONE)[..., ::2, ::2]
    in_voxels = phase_image(disc(48, spacing=2.0), RADIUS, ONE)
    assert correlation(coarse, thinned) > correlation(in_voxels, thinned) + 0.05


def test_outside_the_head_nothing_is_shown_and_no_padding_counts() -> None:
    torch.manual_seed(0)
    head = disc(radius=36.0) > 0
    image = torch.where(head, disc(radius=16.0) + 0.1 * torch.randn(1, 1, 96, 96), OUTSIDE)
    fine = phase_image(image, RADIUS, ONE, head)
    assert not fine[~head].any()
    assert float(fine[head].std()) == pytest.approx(1, rel=0.01)
    padded = torch.nn.functional.pad(image, (32, 32, 32, 32), value=OUTSIDE)
    wide = phase_image(padded, RADIUS, ONE, padded > OUTSIDE)[..., 32:-32, 32:-32]
    assert correlation(wide[head], fine[head]) > 0.98
    assert float((wide - fine)[head].square().mean()) < 0.05
    assert not phase_image(image, RADIUS, ONE, torch.zeros_like(head)).any()


def test_volumes_too() -> None:
    at = torch.arange(24.0) - 12
    distance = (at[:, None, None].square() + at[:, None].square() + at.square()).sqrt()
    ball = (distance < 7).float()[None, None]
    spacing = (2.0, 2.0, 2.0)
    torch.testing.assert_close(
        phase_image(ball, 0, spacing), ball / ball.std(correction=0), rtol=1e-4, atol=1e-4
    )
    line = phase_image(ball, RADIUS, spacing)[0, 0, 12, 12, 12:]
    assert abs(int((line[1:] - line[:-1]).abs().argmax()) + 1 - 7) <= 1


def test_it_learns_with_the_spacing_of_its_slices(
    mini_plans: Plans, mini_configuration: Configuration
) -> None:
    for axis, spacing in (("S", (2.0, 3.0)), ("P", (1.0, 3.0)), ("L", (1.0, 2.0))):
        configuration = replace(mini_configuration, spacing=(1.0, 2.0, 3.0), slice_axis=axis)
        assert get_method("hf")(mini_plans, configuration).spacing == spacing
