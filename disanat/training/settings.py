"""What the user may set for one training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from disanat.plans import Configuration

__all__ = ["TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """What the user may set for one training; everything else is in the plan."""

    device: str = "cpu"
    epochs: int | None = None
    seed: int = 0
    workers: int = 0
    resume: bool = False
    """Go on after the last epoch, of a finished training too and with another number of epochs."""
    restart: bool = False
    """Train anew; by default a training that was interrupted goes on if its settings are these."""
    pretrained: Path | None = None
    """Folder of the model whose weights the networks start from."""
    minutes: float | None = None
    """Train for about so long, in place of a number of epochs (see `training.budget`)."""
    until_plateau: bool = False
    """Stop before the last epoch where the held-out error stays; the schedule is that of all."""

    tensorboard: bool = False
    """Write losses, figures and pictures for TensorBoard too."""

    def began(self, configuration: Configuration) -> dict[str, object]:
        """What has to be the same for an interrupted training to go on by itself."""
        epochs = self.epochs or configuration.epochs
        return {
            "seed": self.seed,
            "epochs": epochs if self.minutes is None else None,
            "minutes": self.minutes,
            "until_plateau": self.until_plateau,
            "pretrained": str(self.pretrained or ""),
        }
