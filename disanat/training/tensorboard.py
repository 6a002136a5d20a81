"""Losses, held-out figures and sample pictures of a training for TensorBoard, if wanted."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from disanat.errors import PlanError
from disanat.training.progress import EpochRecord

__all__ = ["FOLDER", "TensorBoard", "check_tensorboard"]

FOLDER = "tensorboard"


def check_tensorboard() -> None:
    """Whether TensorBoard is there.

    Raises:
        PlanError: it is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise PlanError(
            "--tensorboard needs the package tensorboard: pip install 'disanat[tensorboard]'."
        ) from None


class TensorBoard:
    """Writes into the folder `tensorboard` of a training; writes nothing unless it is wanted."""

    def __init__(self, wanted: bool, folder: Path, first: int) -> None:
        """`first`: epochs that are done already; what was written of later ones is dropped."""
        self._writer: Any = None
        if wanted:
            check_tensorboard()
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder / FOLDER), purge_step=first + 1)

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer:
            self._writer.close()

    def add(self, record: EpochRecord, samples: Path | None) -> None:
        """An epoch's figures, and its pictures if some were drawn."""
        if not self._writer:
            return
        step = record.epoch + 1
        for name, value in record.losses.items():
            self._writer.add_scalar(f"loss/{name}", value, step)
        for name, value in record.validation.items():
            self._writer.add_scalar(f"held_out/{name}", value, step)
        self._writer.add_scalar("training/learning_rate", record.learning_rate, step)
        self._writer.add_scalar("training/data_wait", record.data_wait, step)
        self._writer.add_scalar("training/seconds_per_epoch", record.seconds, step)
        if samples is not None:
            from matplotlib.image import imread

            self._writer.add_image("samples", imread(samples)[..., :3], step, dataformats="HWC")
        self._writer.flush()
