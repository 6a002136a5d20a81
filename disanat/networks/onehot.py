"""The differentiable one-hot that makes the anatomical image discrete and still trainable."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["straight_through_onehot"]


def straight_through_onehot(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """One-hot of the likeliest class forwards, the softmax's gradient backwards.

    `a = onehot(argmax p) + p - stopgrad(p)` with `p = softmax(logits / temperature)`
    (the straight-through estimator of Bengio et al., arXiv 1308.3432).

    Args:
        logits: shape (batch, classes, ...).
        temperature: below 1 the gradient concentrates on near ties.

    Returns:
        Tensor of the same shape: exactly one 1 per voxel.
    """
    hard = torch.zeros_like(logits).scatter_(1, logits.argmax(1, keepdim=True), 1.0)
    if not logits.requires_grad:
        return hard
    soft = torch.softmax(logits / temperature, dim=1)
    return hard + (soft - soft.detach())
