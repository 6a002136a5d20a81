"""The one training loop: any method's networks and losses, epoch by epoch."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from disanat.errors import ModelError
from disanat.methods.interface import Method
from disanat.plans import Configuration, Plans
from disanat.training.checkpoints import (
    check_plan,
    load_checkpoint,
    restore_rng,
    rng_state,
    save_checkpoint,
)
from disanat.training.loaders import to_tensors
from disanat.training.memory_guard import memory_runs_out, next_smaller
from disanat.training.plateau import reached_plateau
from disanat.training.progress import EpochRecord, draw_progress, told, write_log
from disanat.training.ranks import Ranks, present_ranks
from disanat.training.samples import draw_samples, is_due
from disanat.training.settings import TrainingSettings
from disanat.training.splits import Split
from disanat.training.stream import BatchStream, Source
from disanat.training.tensorboard import TensorBoard
from disanat.training.trainer import Trainer

__all__ = ["follow", "train_networks", "trained_epochs"]

log = logging.getLogger(__name__)

_VALIDATION_BATCHES = 6


def train_networks(
    method: Method,
    plans: Plans,
    configuration: Configuration,
    cases: Path,
    split: Split,
    folder: Path,
    settings: TrainingSettings,
    began: Mapping[str, object] | None = None,
) -> dict[str, torch.Tensor]:
    """Train a method's networks and return their averaged weights.

    Args:
        method: whose networks to train, in place.
        plans: the plan.
        configuration: the configuration to train.
        cases: preprocessed cases of that configuration.
        split: which cases train and which validate.
        folder: where log, curves and checkpoints go.
        settings: the user's settings; with `resume` the training goes on after its last epoch, and
            ends just as if it had not been interrupted.
        began: what has to be the same for it to be gone on with by itself; by default what the
            settings say.

    Raises:
        PlanError: memory ran out in the first step; the message names the next smaller plan.
        ModelError: losses stopped being finite, or a checkpoint is damaged or of another plan.
    """
    torch.manual_seed(settings.seed)
    np.random.seed(settings.seed)
    ranks = present_ranks()
    ranks.check(configuration)
    ranks.send(_Job(type(method), plans, configuration, cases, split, settings))
    trainer = Trainer(method, configuration, settings, began, ranks)
    if settings.resume:
        _go_on(trainer, folder)
    if ranks.count > 1:
        ranks.send(_packed(trainer.state()))
    _train(trainer, cases, split, folder, settings)
    trainer.networks.load_state_dict(trainer.average.module.state_dict())
    trainer.networks.eval()
    return {name: value.cpu() for name, value in trainer.networks.state_dict().items()}


@dataclass(frozen=True)
class _Job:
    """What the other processes need to know of a training."""

    kind: type[Method]
    plans: Plans
    configuration: Configuration
    cases: Path
    split: Split
    settings: TrainingSettings


def follow(ranks: Ranks) -> None:
    """Train with the leading process, as often as it says; what all the others do.

    Raises:
        LostError: it is gone.
    """
    while (job := ranks.received()) is not None:
        settings = replace(job.settings, tensorboard=False)
        trainer = Trainer(
            job.kind(job.plans, job.configuration), job.configuration, settings, None, ranks
        )
        packed = io.BytesIO(ranks.received())
        trainer.load(torch.load(packed, trainer.device, weights_only=True))
        _train(trainer, job.cases, job.split, None, settings)


def _packed(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def trained_epochs(folder: Path) -> list[EpochRecord]:
    """All epochs of a training, those before an interruption included."""
    state = load_checkpoint(folder, torch.device("cpu"))
    return [EpochRecord.from_dict(record) for record in state["records"]] if state else []


def _go_on(trainer: Trainer, folder: Path) -> None:
    """Take up the training in a folder."""
    state = load_checkpoint(folder, trainer.device)
    if state is None:
        log.warning("There is no checkpoint in %s: training starts anew.", folder)
        return
    check_plan(state, trainer.planned, folder)
    trainer.load(state)
    log.info("Going on after epoch %d.", len(trainer.records))


def _train(
    trainer: Trainer, cases: Path, split: Split, folder: Path | None, settings: TrainingSettings
) -> None:
    """The epochs that are left; without a folder, of another process, nothing is written."""
    first, configuration = len(trainer.records), trainer.configuration
    if first >= trainer.epochs:
        return
    source = Source(
        cases,
        tuple(split.train),
        trainer.method.plans,
        configuration,
        settings.seed,
        lesions=trainer.method.synthetic_lesions,
        pairs=trainer.ranks.pairs(configuration),
    )
    held_out = _validation_batches(source, split.watched, trainer.device, trainer.ranks)
    with BatchStream(source, settings.workers, first * trainer.steps) as stream:
        _epochs(trainer, stream, held_out, first, folder, settings)


def _epochs(
    trainer: Trainer,
    stream: BatchStream,
    held_out: list[dict[str, Tensor]],
    first: int,
    folder: Path | None,
    settings: TrainingSettings,
) -> None:
    """All epochs from `first` on; after each of them the training can be taken up again."""
    smaller = next_smaller(trainer.method.plans, trainer.configuration)
    begun = next(stream)
    _try_one_step(trainer, begun, smaller)
    source = chain([begun], stream)
    bar = tqdm(
        total=trainer.epochs * trainer.steps,
        initial=first * trainer.steps,
        desc="training",
        unit="step",
        disable=True if folder is None else None,
    )
    with bar, TensorBoard(settings.tensorboard, folder or Path(), first) as board:
        for epoch in range(first, trainer.epochs):
            if settings.until_plateau and reached_plateau(trainer.errors):
                log.info("The held-out error has stayed where it is: stopping after %d.", epoch)
                break
            trainer.ranks.reseed(settings.seed, epoch)
            trainer.records.append(_epoch(trainer, source, held_out, epoch, bar, smaller))
            if folder is None:
                continue
            drawn = _look(trainer, held_out[0], epoch, folder)
            save_checkpoint(trainer.state(), folder)
            board.add(trainer.records[-1], drawn)
            log.info(told(trainer.records[-1], trainer.epochs))
            write_log(trainer.records, trainer.epochs, folder)
            draw_progress(trainer.records, folder)


def _validation_batches(
    source: Source, names: tuple[str, ...], device: torch.device, ranks: Ranks
) -> list[dict[str, torch.Tensor]]:
    """The same few batches of held-out cases for every epoch, each for one of the processes."""
    configuration = source.configuration
    small = replace(configuration, batch_size=min(configuration.batch_size, 16))
    aside = replace(
        source, names=names, configuration=small, seed=4242, deform=False, pairs=None
    ).renderer()
    numbers = range(ranks.rank, _VALIDATION_BATCHES, ranks.count)
    return [to_tensors(aside.batch(number), device) for number in numbers]


def _look(trainer: Trainer, batch: dict[str, Tensor], epoch: int, folder: Path) -> Path | None:
    """Draw what the averaged networks make of held-out samples, every few epochs."""
    if not is_due(epoch, trainer.epochs):
        return None
    with trainer.averaged():
        return draw_samples(trainer.method, batch, epoch, folder)


def _try_one_step(trainer: Trainer, batch: dict[str, np.ndarray], smaller: str) -> None:
    """A whole step on a real batch, but for the update: if memory runs out, then before epoch 1.

    What is drawn at random afterwards is what would be drawn without it.
    """
    before = rng_state()
    with memory_runs_out(smaller):
        trainer.backward(to_tensors(batch, trainer.device))
        trainer.optimiser.zero_grad(set_to_none=True)
    restore_rng(before)


def _epoch(
    trainer: Trainer,
    source: Any,
    validation: list[dict[str, torch.Tensor]],
    epoch: int,
    bar: tqdm[Any],
    smaller: str,
) -> EpochRecord:
    began, waited = time.monotonic(), 0.0
    sums: dict[str, list[float]] = {}
    trainer.networks.train()
    for _ in range(trainer.steps):
        asked = time.monotonic()
        batch = to_tensors(next(source), trainer.device)
        waited += time.monotonic() - asked
        with memory_runs_out(smaller):
            losses = trainer.step(batch)
        for name, value in losses.items():
            sums.setdefault(name, []).append(value)
        bar.update()
        if losses:
            bar.set_postfix(loss=f"{sum(losses.values()):.3f}", refresh=False)
    if not sums:
        raise ModelError(
            f"No step of epoch {epoch + 1} had a finite loss: look for odd cases with "
            "disanat_plan_and_preprocess --verify, or plan again."
        )
    with trainer.averaged(), torch.inference_mode():
        own = [trainer.method.validate(batch) for batch in validation]
    figures = trainer.ranks.gathered(own)
    seconds = time.monotonic() - began
    return EpochRecord(
        epoch=epoch,
        losses={name: float(np.mean(values)) for name, values in sums.items()},
        validation={k: float(np.mean([f[k] for f in figures])) for k in figures[0]},
        seconds=seconds,
        data_wait=waited / seconds,
        learning_rate=float(trainer.schedule.get_last_lr()[0]),
    )
