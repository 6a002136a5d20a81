"""Several processes that train one network together, each with its part of every batch."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from disanat.errors import ModelError, PlanError
from disanat.methods.interface import Batch, Method
from disanat.networks.whole_batch import sharing
from disanat.plans import Configuration

__all__ = ["ALONE", "LAUNCHED", "LOST", "LostError", "Ranks", "joined", "present_ranks"]

log = logging.getLogger(__name__)

T = TypeVar("T")
Losses = Callable[[Batch], Mapping[str, Tensor]]

LAUNCHED = "DISANAT_LAUNCHED"
"""Environment variable: another process started this one, and says why the training ended."""
LOST = 75
"""Exit code of a process that ended because another did."""
_LONGEST_STEP = timedelta(minutes=30)
_LONGEST_WAIT = timedelta(days=14)
"""So long may the leading process prepare, calibrate or train what is not shared."""
_ENDED = ("gloo", "connection closed by peer", "connection reset by peer", "broken pipe")


class LostError(ModelError):
    """Another process of this training is gone."""


@dataclass(frozen=True)
class Ranks:
    """This process's place among those that train together.

    Process 0 leads: it alone locks, logs, writes, and calibrates.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def check(self, configuration: Configuration) -> None:
        """Whether there is work for all in a batch, whose pairs of contrasts stay together.

        Raises:
            PlanError: there is not.
        """
        pairs = configuration.batch_size // 2
        if pairs < self.count:
            most = f"train with at most {pairs}" if pairs > 1 else "train in one"
            raise PlanError(
                f"{self.count} processes cannot share the batches of configuration "
                f"{configuration.name}, which hold {pairs} brain{'s' if pairs > 1 else ''} each: "
                f"{most}, or plan with a larger --batch_size."
            )

    def pairs(self, configuration: Configuration) -> range:
        """Which pairs of a batch are this process's."""
        return range(self.rank, configuration.batch_size // 2, self.count)

    def share(self, configuration: Configuration) -> float:
        """Of this process in a batch."""
        return len(self.pairs(configuration)) / (configuration.batch_size // 2)

    def losses(self, method: Method, networks: nn.ModuleDict, share: float) -> Losses:
        """The method's losses of a batch; of several processes their gradients are averaged.

        Each process has to multiply the sum of its losses with its share and the count.
        """
        if self.count == 1:
            return method.losses
        # The losses of a method run through several networks, some not in every step.
        together = DistributedDataParallel(
            _Losses(method, networks), find_unused_parameters=True, gradient_as_bucket_view=True
        )

        def losses(batch: Batch) -> Mapping[str, Tensor]:
            with sharing(share):
                return dict(together(batch))

        return losses

    def summed(self, values: Tensor) -> Tensor:
        """The sum of all processes' values."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def gathered(self, values: list[T]) -> list[T]:
        """The values of all processes; the same list in each."""
        if self.count == 1:
            return values
        parts: list[list[T]] = [[] for _ in range(self.count)]
        distributed.all_gather_object(parts, values, _control())
        return [value for part in parts for value in part]

    def reseed(self, seed: int, epoch: int) -> None:
        """What a method draws in an epoch differs between processes; the leading one's goes on."""
        if not self.leads:
            torch.manual_seed((seed + 1) * 1_000_003 + epoch * self.count + self.rank)

    def send(self, job: Any) -> None:
        """Tell the other processes what to do; None ends them."""
        if self.count > 1:
            distributed.broadcast_object_list([job], 0, _control())

    def received(self) -> Any:
        """What the leading process sent; waits for it."""
        holder = [None]
        distributed.broadcast_object_list(holder, 0, _control())
        return holder[0]


ALONE = Ranks()


class _Losses(nn.Module):
    """A method's losses as the forward pass of one module, whose gradients can be hooked."""

    def __init__(self, method: Method, networks: nn.ModuleDict) -> None:
        super().__init__()
        self.networks = networks
        self.method = method

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.method.losses(batch)


_groups: list[distributed.ProcessGroup] = []
"""The one over which objects go, which waits longer than a step may take."""


def _control() -> distributed.ProcessGroup:
    return _groups[-1]


def present_ranks() -> Ranks:
    """Those that joined; else this process alone."""
    if not _groups:
        return ALONE
    return Ranks(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the other processes that `torchrun` or `--num_gpus` started, if it did.

    Args:
        device: `cpu`, where gradients go over gloo; or `cuda`, over nccl, a GPU for each process.

    Raises:
        PlanError: there are fewer GPUs than processes.
        LostError: another process ended before this one was done.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield ALONE
        return
    backend = "gloo"
    if device == "cuda":
        _take_gpu(int(os.environ.get("LOCAL_RANK", "0")))
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(backend, timeout=_LONGEST_STEP)
    _groups.append(distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT))
    try:
        ranks = present_ranks()
        if ranks.leads:
            log.info("%d processes train together.", ranks.count)
        yield ranks
        if ranks.leads:
            ranks.send(None)
    except (RuntimeError, distributed.DistError) as cause:
        if not _tells_of_the_lost(cause):
            raise
        raise LostError(
            "Another process of this training ended: look above for why, and give the same "
            "command again to go on after the last epoch."
        ) from cause
    finally:
        _groups.clear()
        distributed.destroy_process_group()


def _tells_of_the_lost(cause: Exception) -> bool:
    said = str(cause).lower()
    return isinstance(cause, distributed.DistError) or any(word in said for word in _ENDED)


def _take_gpu(number: int) -> None:
    there = torch.cuda.device_count()
    if number >= there:
        raise PlanError(
            f"A process of this training wants GPU {number}, but this machine has {there}: start "
            "as many processes as there are GPUs, or train with --device cpu."
        )
    torch.cuda.set_device(number)
