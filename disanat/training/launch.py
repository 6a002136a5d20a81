"""`--num_gpus`: one training in several processes of this machine, started as torchrun does it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence

import torch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from disanat.errors import DisanatError, ModelError, PlanError
from disanat.training.ranks import LAUNCHED, LOST

__all__ = ["launch"]

_TALKATIVE = "torch.distributed.elastic"
"""Its loggers tell of every process that ended; here one sentence does."""
_SAID = (2, 130)
"""Exit codes of a process that has said why it ended."""


def launch(module: str, argv: Sequence[str], count: int, device: str) -> int:
    """Run a command in so many processes; returns the exit code.

    Where one ends before it is done, the others are stopped.

    Args:
        module: of the command, such as `disanat.cli.train`.
        argv: of the command.
        count: of the processes, 1 or more.
        device: `cpu` or `cuda`.

    Raises:
        PlanError: there are not so many GPUs, or no such number of processes.
        ModelError: a process died; the message says which and how.
    """
    if count < 1:
        raise PlanError(f"{count} is no number of processes to train in: give 1 or more.")
    if device == "cuda" and count > torch.cuda.device_count():
        raise PlanError(
            f"--num_gpus {count}, but this machine has {torch.cuda.device_count()}: give fewer, or "
            "train in several processes without a GPU by --num_cpu_ranks."
        )
    cores = os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // count)))
    os.environ[LAUNCHED] = "1"
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(_TALKATIVE)]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=str(os.getpid()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.1,
    )
    try:
        elastic_launch(config, sys.executable)("-m", module, *argv)
    except ChildFailedError as failed:
        return _code(failed, count)
    except SignalException as stopped:
        return 128 + stopped.sigval
    return 0


def _code(failed: ChildFailedError, count: int) -> int:
    """The exit code of a process that said why it ended; else its sentence is said here."""
    failures = [one for one in failed.failures.items() if one[1].exitcode != LOST]
    for _, failure in failures:
        if failure.exitcode in _SAID:
            return failure.exitcode
    # Those that were stopped because of the first have its signal later.
    rank, failure = min(failures or failed.failures.items(), key=lambda one: one[1].timestamp)
    raise _sentence(rank, failure, count)


def _sentence(rank: int, failure: ProcessFailure, count: int) -> DisanatError:
    code = failure.exitcode
    how = f"by a defect (exit code {code}, see above)"
    if code < 0:
        name = signal.Signals(-code).name
        often = " (often for want of memory)" if -code == signal.SIGKILL else ""
        how = f"by {name}{often}"
    return ModelError(
        f"Process {rank + 1} of the {count} that trained together was ended {how}, and the others "
        "were stopped: give the same command again to go on after the last epoch."
    )
