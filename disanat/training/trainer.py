"""State of one training: networks, their running average, optimiser, records; and one step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from disanat.errors import ModelError
from disanat.methods.interface import Method
from disanat.plans import Configuration
from disanat.training.checkpoints import planned_with, restore_rng, rng_state
from disanat.training.progress import EpochRecord
from disanat.training.ranks import ALONE, Ranks
from disanat.training.settings import TrainingSettings

__all__ = ["Trainer"]

_EMA_DECAY = 0.99
_CLIP_NORM = 5.0
_MOST_SKIPPED = 20


def _running_average(average: Any, current: Any, count: Tensor | int) -> None:
    """Exponential average whose memory grows with the steps taken, up to `_EMA_DECAY`."""
    decay = min(_EMA_DECAY, (1 + int(count)) / (10 + int(count)))
    torch._foreach_lerp_(average, current, 1 - decay)


class Trainer:
    """State of one training: networks, their running average, optimiser, records."""

    def __init__(
        self,
        method: Method,
        configuration: Configuration,
        settings: TrainingSettings,
        began: Mapping[str, object] | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.method = method
        self.ranks = ranks
        self.configuration = configuration
        self.planned = planned_with(method.plans, configuration)
        self.began = dict(began or settings.began(configuration))
        self.device = torch.device(settings.device)
        self.networks = method.networks().to(self.device)
        self.average = AveragedModel(self.networks, multi_avg_fn=_running_average, use_buffers=True)
        self.epochs = settings.epochs or configuration.epochs
        self.steps = configuration.iterations_per_epoch
        self.rate = configuration.learning_rate
        self.optimiser = torch.optim.AdamW(
            self.networks.parameters(), self.rate, weight_decay=1e-4, fused=True
        )
        warm = min(50, self.epochs * self.steps // 10 + 1)
        total = self.epochs * self.steps

        def factor(step: int) -> float:
            return min(1.0, (step + 1) / warm) * float((1 - min(step, total - 1) / total) ** 0.9)

        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, factor)
        self.records: list[EpochRecord] = []
        self.skipped = 0
        self._share = ranks.share(configuration)
        self._losses = ranks.losses(method, self.networks, self._share)

    def step(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        self.optimiser.zero_grad(set_to_none=True)
        losses = self.backward(batch)
        norm = nn.utils.clip_grad_norm_(self.networks.parameters(), _CLIP_NORM)
        if not all(map(math.isfinite, losses.values())) or not bool(torch.isfinite(norm)):
            return self._skip()
        self.optimiser.step()
        self.schedule.step()
        self.average.update_parameters(self.networks)
        return losses

    def backward(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """Gradients and losses of the whole batch, of which this may be one process's part."""
        losses = self._losses(batch)
        values = torch.stack(list(losses.values()))
        (self._share * self.ranks.count * values.sum()).backward()  # type: ignore[no-untyped-call]
        told = self.ranks.summed(self._share * values.detach())
        return dict(zip(losses, told.tolist()))

    def _skip(self) -> dict[str, float]:
        self.skipped += 1
        self.optimiser.zero_grad(set_to_none=True)
        if self.skipped > _MOST_SKIPPED:
            raise ModelError(
                f"Training met {self.skipped} steps without a finite loss: look for odd cases with "
                "disanat_plan_and_preprocess --verify, or plan again."
            )
        return {}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the networks, and the trained ones back afterwards."""
        trained = {k: v.clone() for k, v in self.networks.state_dict().items()}
        self.networks.load_state_dict(self.average.module.state_dict())
        self.networks.eval()
        try:
            yield
        finally:
            self.networks.load_state_dict(trained)
            self.networks.train()

    @property
    def errors(self) -> list[float]:
        """On held-out cases, of each epoch so far."""
        return [record.validation.get("error", float("nan")) for record in self.records]

    def state(self) -> dict[str, Any]:
        return {
            "networks": self.networks.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
            "records": [record.to_dict() for record in self.records],
            "rng": rng_state(),
            "planned": self.planned,
            "began": self.began,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.networks.load_state_dict(state["networks"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        self.records = [EpochRecord.from_dict(record) for record in state["records"]]
        restore_rng(state["rng"])
