"""The straight-through one-hot."""

from __future__ import annotations

import pytest
import torch

from disanat.networks.onehot import straight_through_onehot


@pytest.mark.parametrize("shape", [(2, 4, 5, 6), (1, 3, 4, 5, 6)])
def test_forwards_it_is_exactly_one_hot(shape: tuple[int, ...]) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    hot = straight_through_onehot(logits)
    torch.testing.assert_close(hot.argmax(1), logits.argmax(1))
    assert bool(((hot - hot.round()).abs() < 1e-6).all())
    torch.testing.assert_close(hot.sum(1), torch.ones_like(hot[:, 0]))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_backwards_it_is_the_softmax(temperature: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 4, 3, 3, generator=generator, requires_grad=True)
    weight = torch.randn(2, 4, 3, 3, generator=generator)
    (given,) = torch.autograd.grad(
        (straight_through_onehot(logits, temperature) * weight).sum(), logits
    )
    (soft,) = torch.autograd.grad(((logits / temperature).softmax(1) * weight).sum(), logits)
    torch.testing.assert_close(given, soft)
    assert float(given.abs().max()) > 0.01


def test_ties_have_one_winner() -> None:
    assert straight_through_onehot(torch.zeros(1, 3, 2, 2)).sum(1).eq(1).all()
