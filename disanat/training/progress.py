"""What an epoch brought: a line of text, and curves to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from disanat.home import atomic_path

__all__ = ["EpochRecord", "draw_progress", "told", "write_log"]


@dataclass(frozen=True)
class EpochRecord:
    """Means of one epoch; `data_wait` is the share of time spent waiting for batches."""

    epoch: int
    losses: dict[str, float]
    validation: dict[str, float]
    seconds: float
    data_wait: float
    learning_rate: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EpochRecord:
        return cls(**data)


def told(record: EpochRecord, epochs: int) -> str:
    """The epoch in one line, of so many that are to be trained."""
    losses = " ".join(f"{k} {v:.4f}" for k, v in record.losses.items())
    figures = " ".join(f"{k} {v:.4f}" for k, v in record.validation.items())
    return (
        f"epoch {record.epoch + 1}/{epochs} | {losses} | held out: {figures} | "
        f"{record.seconds:.1f} s, waited for data {100 * record.data_wait:.0f}%, "
        f"learning rate {record.learning_rate:.2e}"
    )


def write_log(records: Sequence[EpochRecord], epochs: int, folder: Path) -> None:
    """Write a line for each epoch into `training_log.txt`, in one piece."""
    with atomic_path(folder / "training_log.txt") as temporary:
        lines = [told(record, epochs) + "\n" for record in records]
        temporary.write_text("".join(lines), encoding="utf-8")


def draw_progress(records: Sequence[EpochRecord], folder: Path) -> None:
    """Draw losses and validation figures over the epochs into `progress.png`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    epochs = [r.epoch + 1 for r in records]
    for name in records[-1].losses:
        left.plot(epochs, [r.losses.get(name, float("nan")) for r in records], label=name)
    for name in records[-1].validation:
        right.plot(epochs, [r.validation.get(name, float("nan")) for r in records], label=name)
    left.set(title="training losses", xlabel="epoch", yscale="log")
    right.set(title="held-out cases", xlabel="epoch")
    left.legend()
    right.legend()
    with atomic_path(folder / "progress.png") as temporary:
        figure.savefig(temporary, format="png", dpi=80)
