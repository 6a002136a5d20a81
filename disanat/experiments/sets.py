"""The test sets of a comparison: folders that the user names, or those in the home."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.cases import Case, find_cases
from disanat.io.dataset import read_dataset

__all__ = ["LabelledSet", "named_sets", "raw_sets"]

_DATASET = re.compile(r"Dataset\d{3}_")


@dataclass(frozen=True)
class LabelledSet:
    """Scans, their expert masks, and which channels of each case are predicted together."""

    name: str
    scans: Path
    labels: Path
    channels: tuple[int, ...] | None = None
    """None: all that a case has."""

    def cases(self) -> list[Case]:
        """The cases that have one of the channels."""
        wanted = self.channels
        found = find_cases(self.scans)
        return [c for c in found if wanted is None or not set(wanted).isdisjoint(c.channels)]


def named_sets(
    scans: Sequence[Path], labels: Sequence[Path], channels: Sequence[int] | None = None
) -> list[LabelledSet]:
    """A test set for each folder of scans with its folder of labels.

    Raises:
        DatasetError: one is missing, or no case has any of the channels.
    """
    if len(scans) != len(labels):
        raise DatasetError(
            f"-i names {len(scans)} folders of scans, but -l {len(labels)} of labels: give one "
            "folder of labels for each folder of scans, in the same order."
        )
    for folder, flag in [*((s, "-i") for s in scans), *((one, "-l") for one in labels)]:
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder: check the path given with {flag}.")
    chosen = None if channels is None else tuple(channels)
    sets: list[LabelledSet] = []
    for source, truth in zip(scans, labels, strict=True):
        name = _free(_name(source), [one.name for one in sets])
        sets.append(LabelledSet(name, source.resolve(), truth.resolve(), chosen))
        if not sets[-1].cases():
            raise DatasetError(
                f"No case in {source} has a channel {', '.join(map(str, chosen or ()))}: change "
                "--use_channels."
            )
    return sets


def raw_sets(home: Home, channels: Sequence[int] | None = None) -> list[LabelledSet]:
    """Each contrast of each raw dataset that has scans to test on and labels for them.

    Raises:
        DatasetError: there is none, or a `dataset.json` is damaged.
    """
    sets: list[LabelledSet] = []
    for name in home.dataset_names():
        folder = home.raw / name
        scans, labels = folder / "imagesTs", folder / "labelsTs"
        if not (scans.is_dir() and labels.is_dir() and any(scans.iterdir())):
            continue
        for channel, contrast in enumerate(read_dataset(folder).channel_names):
            title = _free(f"{name[11:]}_{_safe(contrast)}", [other.name for other in sets])
            one = LabelledSet(title, scans.resolve(), labels.resolve(), (channel,))
            if (channels is None or channel in channels) and one.cases():
                sets.append(one)
    if not sets:
        which = "" if channels is None else f" with a channel {', '.join(map(str, channels))}"
        raise DatasetError(
            f"{home.raw} holds no dataset with imagesTs and labelsTs{which}: put a test set there, "
            "or name one with -i SCANS -l LABELS."
        )
    return sets


def _name(scans: Path) -> str:
    """The dataset's name for a folder of a raw dataset, else the folder's own."""
    folder = scans.resolve()
    if folder.name == "imagesTs":
        folder = folder.parent
    return _safe(_DATASET.sub("", folder.name))


def _safe(name: str) -> str:
    """The name with nothing that a file's name may not have."""
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or "set"


def _free(name: str, taken: Sequence[str]) -> str:
    """The name, with a number if it is taken."""
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(one for one in numbered if one not in taken)
