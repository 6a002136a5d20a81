"""Losses of the disentangled-anatomy method; all shapes (batch, channels, ...)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from disanat.networks.whole_batch import over_batch

__all__ = ["anatomy_loss", "lesion_loss", "pair_disagreement", "painting_loss", "swap_pairs"]

_LESION_WEIGHT = 4.0


def _soft_dice(probability: Tensor, target: Tensor) -> Tensor:
    """One minus the mean soft Dice over channels, each taken over the whole batch."""
    axes = (0, *range(2, probability.ndim))
    overlap, size = over_batch(
        torch.stack([(probability * target).sum(axes), (probability + target).sum(axes)])
    )
    return 1 - ((2 * overlap + 1) / (size + 1)).mean()


def anatomy_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice of class logits against labels of shape (batch, ...)."""
    target = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    entropy = functional.cross_entropy(logits, labels, reduction="sum")
    entropy, count = over_batch(torch.stack([entropy, entropy.new_tensor(labels.numel())]))
    return entropy / count + _soft_dice(logits.softmax(1), target)


def lesion_loss(logit: Tensor, mask: Tensor, brain: Tensor) -> Tensor:
    """Cross-entropy, lesions weighing four times, plus soft Dice, over the brain's voxels.

    Most of a block is air, and a lesion fills little of a brain: counted over everything, the loss
    would hardly notice what the head says about lesions.

    Args:
        logit: lesion logit, (batch, ...).
        mask: 1 in lesions, float, (batch, ...).
        brain: bool, (batch, ...); voxels outside do not count.
    """
    inside = brain.to(logit.dtype)
    weight = torch.full((), _LESION_WEIGHT, device=logit.device)
    entropy = functional.binary_cross_entropy_with_logits(
        logit, mask, inside, pos_weight=weight, reduction="sum"
    )
    found = logit.sigmoid() * inside
    overlap = _soft_dice(found[:, None], (mask * inside)[:, None])
    entropy, voxels = over_batch(torch.stack([entropy, inside.sum()]))
    return entropy / voxels.clamp_min(1) + overlap


def swap_pairs(items: Tensor) -> Tensor:
    """Exchange items 2i and 2i + 1: the other contrast of the same brain."""
    return items.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


def pair_disagreement(logits: Tensor) -> Tensor:
    """Mean squared difference between the anatomies seen in two contrasts of one brain."""
    soft = logits.softmax(1)
    return (soft[0::2] - soft[1::2]).square().sum(1).mean()


def painting_loss(painted: Tensor, healthy: Tensor, brain: Tensor) -> Tensor:
    """Mean absolute error inside the brain."""
    error = ((painted - healthy).abs() * brain).sum()
    error, voxels = over_batch(torch.stack([error, brain.sum()]))
    return error / voxels.clamp_min(1)
