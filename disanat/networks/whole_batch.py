"""Sums over a batch that several processes share: the loss of each is that of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

__all__ = ["over_batch", "sharing"]

_share: ContextVar[float | None] = ContextVar("share", default=None)


@contextmanager
def sharing(share: float) -> Iterator[None]:
    """Inside, a batch is shared by all processes of torch's process group.

    Args:
        share: of this process in the batch, above 0; the shares of all sum to 1.
    """
    token = _share.set(share)
    try:
        yield
    finally:
        _share.reset(token)


def over_batch(sums: Tensor) -> Tensor:
    """Sums over this process's part of a batch, made those of the whole batch.

    A loss that is a ratio of sums over the batch passes them through here; a mean over samples of
    one size needs nothing. Then the gradients of all processes, averaged with their shares as
    weights, are just those of one process with the whole batch. Outside `sharing` it changes
    nothing. Inside, every process has to call it equally often.

    Args:
        sums: any shape, floating point.
    """
    share = _share.get()
    if share is None:
        return sums
    total: Tensor = _Total.apply(sums, share)
    return total


class _Total(torch.autograd.Function):
    """Forward the sum over processes; backward the own gradient, freed of its later weight."""

    @staticmethod
    def forward(context: Any, sums: Tensor, share: float) -> Tensor:
        context.share = share
        total = sums.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] / context.share, None
