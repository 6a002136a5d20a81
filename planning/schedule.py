"""How long to train: samples, iterations, epochs and the learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

__all__ = ["Schedule", "plan_schedule"]

TRAINING_SHARE = 0.64
"""A fifth of the cases calibrates, and a fold keeps a fifth of the others for validation."""
_PASSES = {("cpu", 2): 24, ("cuda", 2): 200, ("cpu", 3): 40, ("cuda", 3): 1000}
_CPU_SAMPLES = {2: (9_000, 80_000), 3: (500, 3_000)}
_GPU_STEPS = (10_000, 60_000)
_ITERATIONS_PER_EPOCH = {"cpu": 100, "cuda": 250}
_FEWEST_EPOCHS = 10
_LEARNING_RATE, _AT_BATCH, _HIGHEST_RATE = 1.5e-3, 8, 3e-3


@dataclass(frozen=True)
class Schedule:
    """The length of a training and its peak learning rate, with the reason for the length."""

    epochs: int
    iterations_per_epoch: int
    learning_rate: float
    reason: str


def plan_schedule(
    cases: int, samples_per_case: float, batch_size: int, device: str, dimension: int
) -> Schedule:
    """Show each sample (2D: slice, 3D: patch) of the training cases a fixed number of times.

    Limits keep small datasets from being trained too little, and large ones from taking weeks. An
    epoch is shortened where there would be fewer than ten. The learning rate grows with the square
    root of the batch, as the noise of AdamW's steps does, up to 0.003.
    """
    passes = _PASSES[device, dimension]
    count = TRAINING_SHARE * cases * samples_per_case
    wanted = count * passes
    least, most = _limits(device, dimension, batch_size)
    total = min(max(wanted, least), most)
    iterations = max(_FEWEST_EPOCHS, round(total / batch_size))
    per_epoch = min(_ITERATIONS_PER_EPOCH[device], ceil(iterations / _FEWEST_EPOCHS))
    epochs = min(ceil(iterations / per_epoch), int(most / batch_size / per_epoch))
    epochs = max(_FEWEST_EPOCHS, epochs)
    what = "slices" if dimension == 2 else "patches"
    reason = (
        f"{TRAINING_SHARE:.0%} of {cases} cases have {count:.0f} {what}, "
        f"each to be seen {passes} times on {device}: {wanted:.0f} samples"
    )
    if total != wanted:
        limit = "at least" if total > wanted else "at most"
        reason += f", but {limit} {total:.0f}"
    reason += f", in batches of {batch_size}."
    rate = min(_HIGHEST_RATE, _LEARNING_RATE * sqrt(batch_size / _AT_BATCH))
    return Schedule(epochs, per_epoch, float(f"{rate:.4g}"), reason)


def _limits(device: str, dimension: int, batch_size: int) -> tuple[float, float]:
    """Fewest and most samples: a CPU's limit is time per sample, a GPU's is steps."""
    if device == "cpu":
        return _CPU_SAMPLES[dimension]
    fewest, most = _GPU_STEPS
    return fewest * batch_size, most * batch_size
