"""Two views of an image, and the loss that lets codes tell images apart."""

from __future__ import annotations

import math

import pytest
import torch

from disanat.networks.contrastive import ProjectionHead, contrastive_loss, share_nearer, view

OUTSIDE = -4.0


def test_the_loss_is_that_of_the_formula() -> None:
    first, second = torch.eye(3), torch.eye(3)
    own, other = math.exp(1 / 0.5), math.exp(0.0)
    expected = -math.log(own / (own + 4 * other))
    scans = torch.arange(3)
    assert float(contrastive_loss(first, second, scans, 0.5)) == pytest.approx(expected, rel=1e-5)
    longer = contrastive_loss(7 * first, second, scans, 0.5)
    assert float(longer) == pytest.approx(expected, rel=1e-5)


def test_images_of_one_scan_are_not_told_apart() -> None:
    codes, scans = torch.eye(4), torch.tensor([0, 0, 1, 1])
    own, other = math.exp(1 / 0.5), math.exp(0.0)
    expected = -math.log(own / (own + 4 * other))
    assert float(contrastive_loss(codes, codes, scans, 0.5)) == pytest.approx(expected, rel=1e-4)
    nearer = codes.clone()
    nearer[1] = codes[0]
    assert torch.allclose(
        contrastive_loss(nearer, nearer, scans), contrastive_loss(codes, codes, scans)
    )


def test_alike_codes_of_all_images_say_nothing() -> None:
    codes = torch.ones(4, 5)
    loss = contrastive_loss(codes, codes, torch.arange(4))
    assert float(loss) == pytest.approx(math.log(7), rel=1e-5)


def test_the_loss_falls_as_own_views_come_nearer() -> None:
    torch.manual_seed(0)
    first, noise = torch.randn(6, 8), torch.randn(6, 8)
    scans = torch.arange(6)
    seconds = [first + far * noise for far in (0.0, 0.5, 2.0)]
    losses = [float(contrastive_loss(first, second, scans)) for second in seconds]
    assert losses == sorted(losses) and losses[0] < losses[-1] - 0.5


def test_the_share_counts_other_images_that_lie_farther_off() -> None:
    codes = torch.eye(4)
    assert share_nearer(codes, codes) == 1.0
    assert share_nearer(codes, 3 * codes) == 1.0
    assert share_nearer(torch.ones(4, 2), torch.ones(4, 2)) == 0.5
    # Two of four lie on another's place: each is beaten by one and ties with two.
    swapped = share_nearer(codes, codes[[1, 0, 2, 3]])
    assert swapped == pytest.approx((2 * 3 + 2 * (0 + 0.5 + 0.5)) / 12)


@pytest.mark.parametrize("shape", [(40, 36), (20, 24, 22)])
def test_a_view_is_another_picture_of_the_same_brain(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    images = torch.full((3, 1, *shape), OUTSIDE)
    inner = (slice(None), slice(None), *(slice(n // 4, 3 * n // 4) for n in shape))
    images[inner] = torch.randn(images[inner].shape)
    first, second = view(images, OUTSIDE), view(images, OUTSIDE)
    assert first.shape == images.shape and not torch.equal(first, second)
    brain, seen = images != OUTSIDE, first != OUTSIDE
    assert 0.7 < float(seen.sum() / brain.sum()) < 1.3
    assert float((seen & brain).sum() / brain.sum()) > 0.7
    assert torch.isfinite(first).all() and float(first[seen].std()) < 2


def test_a_view_hides_one_box_of_each_image() -> None:
    torch.manual_seed(0)
    images = torch.randn(5, 1, 60, 60)
    hidden = view(images, OUTSIDE)
    for one in hidden[:, 0]:
        # A hidden box is flat; noise and texture are flat nowhere else.
        flat = (one[1:, 1:] == one[:-1, :-1]) & (one[1:, 1:] > OUTSIDE)
        assert 0.01 < float(flat.float().mean()) < 0.14


def test_a_view_keeps_brightness_and_contrast() -> None:
    torch.manual_seed(0)
    images = torch.full((6, 1, 48, 48), OUTSIDE)
    images[..., 8:40, 8:40] = 1.5
    images[..., 8:40, 16:32] = -1.0
    for one in view(images, OUTSIDE)[:, 0]:
        bright, dark = one[one > 0.75], one[(one > -2) & (one < -0.5)]
        assert abs(float(bright.median()) - 1.5) < 0.05 and abs(float(dark.median()) + 1) < 0.05


def test_half_of_the_views_are_mirrored_and_none_upside_down() -> None:
    torch.manual_seed(0)
    images = torch.full((200, 1, 40, 40), OUTSIDE)
    images[..., 12:28, 4:36] = 0.0
    images[..., 18:22, 24:34] = 8.0
    images[..., 10:14, 4:36] = -3.0
    seen = view(images, OUTSIDE)[:, 0]
    right = (seen[:, :, 20:] > 4).sum((1, 2)) > (seen[:, :, :20] > 4).sum((1, 2))
    marked = (seen > 4).sum((1, 2)) > 10
    assert 0.35 < float(right[marked].float().mean()) < 0.65
    low = ((seen > -3.6) & (seen < -1.8)).float()
    height = (low.sum(2) * torch.arange(40)).sum(1) / low.sum((1, 2))
    assert (height[low.sum((1, 2)) > 20] < 19).float().mean() > 0.9


def test_the_head_compares_codes_of_any_length() -> None:
    assert ProjectionHead(12, 5)(torch.randn(3, 12)).shape == (3, 5)
