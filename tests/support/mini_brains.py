"""Miniature brains, datasets of them, and runs of the commands on these."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SHAPE = (40, 48, 40)
SPACING = (4.0, 4.0, 4.0)
CLASSES = {"csf": [11], "grey": [12], "white": [13]}
DATASET = "Dataset005_Mini"
LOOKS = {"t1": (30.0, 70.0, 110.0, 60.0), "flair": (20.0, 90.0, 75.0, 150.0)}
"""Intensity of fluid, grey matter, white matter and lesion."""


@dataclass(frozen=True)
class MiniBrain:
    """A stripped brain of ellipsoids, axes S, P, L: 0 air, 1 fluid, 2 grey, 3 white."""

    labels: np.ndarray
    image: np.ndarray
    lesion: np.ndarray
    spacing: tuple[float, float, float] = SPACING


def _radius(grid: np.ndarray, centre: Sequence[float], axes_mm: Sequence[float]) -> np.ndarray:
    at = (grid - np.reshape(centre, (3, 1, 1, 1))) / np.reshape(axes_mm, (3, 1, 1, 1))
    return np.asarray(np.sqrt((at**2).sum(0)))


def make_brain(
    seed: int,
    look: str = "t1",
    lesion: bool = False,
    shape: tuple[int, int, int] = SHAPE,
    spacing: tuple[float, float, float] = SPACING,
    bias: float = 0.1,
    noise: float = 3.0,
) -> MiniBrain:
    """Draw one; left and right differ: one ventricle is larger, and lesions lie on the left."""
    rng = np.random.default_rng(seed)
    middle = [(n - 1) / 2 * s for n, s in zip(shape, spacing)]
    axes = [np.arange(n) * s - m for n, s, m in zip(shape, spacing, middle)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"))
    centre = rng.uniform(-4, 4, 3)
    outer = np.array([58.0, 78.0, 62.0]) * rng.uniform(0.94, 1.06, 3)
    brain = _radius(grid, centre, outer)
    labels = np.select([brain < 0.72, brain < 0.9, brain < 1], [3, 2, 1], 0).astype(np.uint8)
    for side, size in ((-1, 1.0), (1, 1.35)):
        horn = _radius(grid, centre + [4, 0, side * 12.0], np.array([11, 24, 7.0]) * size)
        labels[horn < 1] = 1
    fluid, grey, white, odd = LOOKS[look]
    image = np.array([0.0, fluid, grey, white])[labels]
    where = (_radius(grid, centre + [12, -8, 30.0], (14, 16, 13)) < 1) & (labels == 3)
    if lesion:
        image[where] = odd
    slope = sum(w * a / m for w, a, m in zip(rng.uniform(-1, 1, 3), grid, middle))
    image = image * (1 + bias * slope) + rng.normal(0, noise, image.shape)
    image = np.where(labels > 0, np.maximum(image, 1.0), 0.0).astype(np.float32)
    return MiniBrain(labels, image, where & lesion, spacing)


def make_head(seed: int, look: str = "t1") -> tuple[np.ndarray, np.ndarray]:
    """The same brain in noisy air, so that nothing says it is stripped; and its mask."""
    brain = make_brain(seed, look)
    inside = brain.labels > 0
    air = np.abs(np.random.default_rng(seed).normal(0, 3, inside.shape))
    return np.where(inside, brain.image + 20, air).astype(np.float32), inside


def write_volume(
    path: Path,
    array: np.ndarray,
    spacing: Sequence[float] = SPACING,
    orientation: str = "LPS",
    turn_deg: float = 0.0,
    origin: Sequence[float] = (-80.0, -95.0, -71.5),
) -> None:
    """Store a canonical array in any orientation, with SimpleITK alone; oblique if turned."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing([float(s) for s in reversed(spacing)])
    image.SetOrigin(origin)
    image = sitk.DICOMOrient(image, orientation)
    if turn_deg:
        turn = sitk.VersorTransform((0.3, 0.8, 0.5), np.deg2rad(turn_deg))
        matrix = np.reshape(turn.GetMatrix(), (3, 3)) @ np.reshape(image.GetDirection(), (3, 3))
        image.SetDirection(matrix.ravel())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), True)


def make_dataset(home: Path, cases: int = 5) -> Path:
    """A raw dataset of healthy T1-like brains with label maps; returns its folder."""
    folder = home / "raw" / DATASET
    for number in range(cases):
        brain = make_brain(number)
        prior = np.where(brain.labels > 0, brain.labels + 10, 0).astype(np.uint8)
        orientation = ("LPS", "PSR", "RAS")[number % 3]
        write_volume(
            folder / "imagesTr" / f"h{number}_0000.nii.gz", brain.image, orientation=orientation
        )
        write_volume(folder / "priorsTr" / f"h{number}.nii.gz", prior, orientation=orientation)
    declared = {"channel_names": {"0": "T1"}, "prior": {"classes": CLASSES}, "simulated": True}
    (folder / "dataset.json").write_text(json.dumps(declared))
    return folder


def shrink_plans(home: Path, iterations: int = 40) -> None:
    """Make the networks and epochs of a plan tiny."""
    from disanat.plans import NetworkPlan, Plans, load_json, save_json

    source = home / "preprocessed" / DATASET / "plans.json"
    plans = load_json(source, Plans)

    def small(network: NetworkPlan) -> NetworkPlan:
        stages = min(3, len(network.features))
        return NetworkPlan(
            (8, 12, 16)[:stages], network.strides[:stages], network.kernel_sizes[:stages], 1
        )

    smaller = {
        name: replace(
            c,
            batch_size=2 if c.dimension == 3 else 8,
            encoder=small(c.encoder),
            restorer=small(c.restorer),
            comparator=small(c.comparator),
            decoder_features=8,
            iterations_per_epoch=iterations,
        )
        for name, c in plans.configurations.items()
    }
    save_json(replace(plans, configurations=smaller), source)


def run_main(name: str, *argv: object) -> int:
    """Exit code of a command's `main()`."""
    from disanat.cli import compare, evaluate, predict, train
    from planning import cli

    commands: dict[str, Callable[[list[str]], int]] = {
        "plan": cli.main,
        "train": train.main,
        "predict": predict.main,
        "evaluate": evaluate.main,
        "compare": compare.main,
    }
    return commands[name]([str(a) for a in argv])


@dataclass(frozen=True)
class Miniature:
    """The functions above, for tests."""

    brain: Callable[..., MiniBrain] = make_brain
    head: Callable[..., tuple[np.ndarray, np.ndarray]] = make_head
    write: Callable[..., None] = write_volume
    dataset: Callable[..., Path] = make_dataset
    shrink: Callable[..., None] = shrink_plans
    run: Callable[..., int] = run_main
    dataset_name: str = DATASET
