"""The dense autoencoder: all that passes is a short vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from disanat.networks.autoencoder import DenseDecoder, DenseEncoder, at_patch_size, sizes_of_levels


def test_levels_halve_until_four_voxels_are_left() -> None:
    assert sizes_of_levels((96, 80), 4) == ((96, 80), (48, 40), (24, 20), (12, 10), (6, 5))
    assert sizes_of_levels((6, 40), 3) == ((6, 40), (3, 20), (3, 10), (3, 5))


def test_code_is_a_vector_and_the_way_back_has_the_patch_size() -> None:
    for patch in ((48, 40), (25, 33), (12, 16, 20)):
        encoder, decoder = DenseEncoder((4, 8), patch, 1, 10), DenseDecoder((4, 8), patch, 10)
        codes = encoder(torch.randn(3, 1, *patch))
        assert codes.shape == (3, 10)
        assert decoder(codes).shape == (3, 1, *patch)


def test_dropout_is_for_training_alone() -> None:
    encoder = DenseEncoder((4, 8), (16, 16), 1, 10, dropout=0.5)
    images = torch.randn(1, 1, 16, 16)
    assert not torch.equal(encoder(images), encoder(images))
    encoder.eval()
    assert torch.equal(encoder(images), encoder(images))


def test_images_of_any_size_come_back_at_their_place() -> None:
    same = at_patch_size(lambda images: images, (16, 20), -4.0)
    smaller = torch.randn(2, 1, 11, 20)
    assert torch.equal(same(smaller), smaller)
    ramp = torch.linspace(0, 1, 64).reshape(1, 1, 64, 1).expand(1, 1, 64, 12)
    assert float((same(ramp) - ramp).abs().max()) < 0.05

    def sees_the_padding(images: torch.Tensor) -> torch.Tensor:
        assert images.shape[2:] == (16, 20)
        assert float(images[0, 0, 0, 0]) == -4.0
        return images

    at_patch_size(sees_the_padding, (16, 20), -4.0)(torch.zeros(1, 1, 10, 10))


def test_a_lesion_passes_less_than_the_rest(lesson: Callable[..., Any]) -> None:
    """Two slices that differ in a small spot have almost the same code, so nearly the same PHI."""
    method = lesson("ae").method
    grid = torch.stack(torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij"))
    inside = (grid - 20).square().sum(0).sqrt() < 15
    image = torch.where(inside, 0.3, -4.0)[None, None]
    spot = (grid - torch.tensor([24.0, 26.0])[:, None, None]).square().sum(0).sqrt() < 2.5
    ill = torch.where(spot, 3.0, image)
    with torch.inference_mode():
        change = (method.rebuilt(ill) - method.rebuilt(image))[0, 0].abs()
    assert float(change[spot].mean()) < 0.5 * 2.7
