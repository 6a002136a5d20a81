"""What a converter is: facts about a set, and a function that finds its cases.

A module of this package declares one `Converter` (or several); `dataset_conversion.convert` does
the rest, the same for all sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk

from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.images import Geometry, read_labels, same_grid

__all__ = [
    "Converter",
    "Found",
    "Made",
    "MaskReader",
    "Option",
    "Request",
    "Split",
    "Subject",
    "mask_on_grid",
    "require_grid",
]

Split = Literal["Tr", "Ts"]
MaskReader = Callable[[Path, Geometry], np.ndarray]


def require_grid(geometry: Geometry, grid: Geometry, path: Path, remedy: str = "") -> None:
    """Refuse a file that does not lie on the grid of the scan it belongs to.

    `remedy` says what may be done instead of resampling it.

    Raises:
        DatasetError: it lies elsewhere.
    """
    if not same_grid(geometry, grid):
        raise DatasetError(
            f"{path} (size {geometry.size}) does not lie on the grid of its case (size "
            f"{grid.size}): resample it to that grid first{remedy}."
        )


def mask_on_grid(mask: Path, grid: Geometry) -> np.ndarray:
    """Voxels above 0 of a label map that lies on a scan's grid; boolean, axes S, P, L.

    Raises:
        DatasetError: it lies on another grid.
    """
    labels = read_labels(mask)
    require_grid(labels.geometry, grid, mask)
    return np.asarray(labels.array > 0)


@dataclass(frozen=True)
class Made:
    """An image that no file holds as it will be stored: what it is made of, and how.

    `read` gives a 3D image, which is written as .nii.gz.
    """

    files: tuple[Path, ...]
    read: Callable[[], sitk.Image]


@dataclass(frozen=True)
class Subject:
    """One case of the source: an image per channel, and what belongs to it.

    `labels` maps a folder of the dataset (`labelsTs`) to a mask; `read_mask` turns a mask's path
    and the case's grid into a boolean array on that grid. `prior` is a label map on the grid.
    `facts` (age, sex and so on) go to participants.csv.
    """

    name: str
    channels: Mapping[str, Path | Made]
    labels: Mapping[str, Path | Made] = field(default_factory=dict)
    prior: Path | None = None
    read_mask: MaskReader = mask_on_grid
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """The cases of a set, and what is to be said otherwise than the converter itself does."""

    subjects: Sequence[Subject]
    dataset: str = ""
    split: Split | None = None
    licence: str = ""
    source: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """What the user asks for: the folder, the contrasts by name, and the set's own options."""

    source: Path
    channels: tuple[str, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Option:
    """A flag that only one converter has; `settings` go to argparse."""

    name: str
    help: str
    default: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            f"--{self.name}", default=self.default, help=self.help, **self.settings
        )


@dataclass(frozen=True)
class Converter:
    """One set: what is known of it, and the function that finds its cases.

    Attributes:
        name: the word on the command line.
        title: the set in a few words.
        dataset: what the dataset is called (Dataset005_IXI); `number` is its usual number.
        split: `Tr` for healthy scans to train on, `Ts` for scans to test on.
        channels: the contrasts it can take, in the order of their numbers; empty: any.
        usual: those taken without --channels; empty: all.
        licence, source: for dataset.json, as the set's own makers state them.
        site: where it can be had.
        expects: the layouts it knows, a line for each.
        find: finds the cases. None: `write` makes the dataset.
        grids: what to do with a channel on another grid than its case: `refuse` (the set promises
            one grid) or `leave_out` (with a line in the log).
        write: for what is no set of cases; takes source, home, number and link.
    """

    name: str
    title: str
    dataset: str
    number: int
    split: Split
    licence: str
    source: str
    site: str
    expects: tuple[str, ...]
    channels: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    find: Callable[[Request], Found] | None = None
    grids: Literal["refuse", "leave_out"] = "refuse"
    options: tuple[Option, ...] = ()
    needs_source: bool = True
    write: Callable[[Path, Home, int, bool], Path] | None = None

    def wanted(self, channels: Sequence[str]) -> tuple[str, ...]:
        """The contrasts asked for, or the usual ones.

        Raises:
            DatasetError: one that the set does not have, or one named twice.
        """
        if not channels:
            return self.usual or self.channels
        unknown = [c for c in channels if self.channels and c not in self.channels]
        if unknown:
            raise DatasetError(
                f"{self.name} has no contrast {unknown[0]}: give --channels some of "
                f"{', '.join(self.channels)}."
            )
        if len(set(channels)) < len(channels):
            raise DatasetError("--channels names a contrast twice: name each once.")
        return tuple(channels)
