"""Edges of an anatomical image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from disanat.anatomy.edges import anatomy_edges, on_edge


def square(dimension: int = 2) -> torch.Tensor:
    """Background and a block of 6 voxels an edge in a field of 12."""
    inside = torch.zeros((12,) * dimension)
    inside[(slice(3, 9),) * dimension] = 1
    return torch.stack([1 - inside, inside])[None]


@pytest.mark.parametrize(("width", "ring"), [(1, 20), (2, 32), (3, 36)])
def test_rim_of_a_square(width: int, ring: int) -> None:
    edges = anatomy_edges(square(), width)
    expected = torch.zeros(12, 12)
    expected[3:9, 3:9] = 1
    expected[3 + width : 9 - width, 3 + width : 9 - width] = 0
    torch.testing.assert_close(edges[0, 1], expected)
    assert float(edges[0, 1].sum()) == ring
    assert float(edges[0, 0].sum()) == (6 + 2 * width) ** 2 - 36


def test_rim_of_a_cube() -> None:
    edges = anatomy_edges(square(3), 1)
    assert float(edges[0, 1].sum()) == 6**3 - 4**3
    assert float(edges[0, 0].sum()) == 8**3 - 6**3
    assert not edges[0, :, 5:7, 5:7, 5:7].any()


def test_the_borders_of_the_image_are_no_edges() -> None:
    assert not anatomy_edges(torch.ones(1, 1, 5, 5)).any()
    half = torch.zeros(1, 1, 6, 6)
    half[..., :3] = 1
    torch.testing.assert_close(anatomy_edges(half)[0, 0].sum(0), torch.tensor([0.0, 0, 6, 0, 0, 0]))


def test_soft_anatomies_have_gradients_and_stay_within_0_and_1() -> None:
    soft = torch.rand(2, 3, 8, 8).softmax(1).requires_grad_()
    edges = anatomy_edges(soft)
    assert bool((edges >= 0).all()) and bool((edges <= 1).all())
    edges.square().sum().backward()
    assert soft.grad is not None and float(soft.grad.abs().sum()) > 0


@pytest.mark.parametrize("width", [1, 2])
def test_edges_of_class_numbers_are_those_of_their_onehots(width: int) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (4, 5, 3), np.uint8).repeat(4, 0)
    labels = labels.repeat(5, 1).repeat(5, 2)
    onehot = torch.from_numpy(np.moveaxis(np.eye(4, dtype=np.float32)[labels], -1, 0))
    rims = anatomy_edges(onehot[None], width)[0].amax(0).numpy() > 0
    found = on_edge(labels, width)
    assert 0 < found.mean() < 1
    np.testing.assert_array_equal(found, rims)
