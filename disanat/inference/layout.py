"""Where the files of a case lie in a folder of predictions: all beside each other, or as BIDS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from disanat.errors import DatasetError
from disanat.home import read_json
from disanat.inference.bids_names import SHARED_KINDS, BidsName, bids_name, image_endings

__all__ = [
    "BIDS",
    "CHANNEL_KINDS",
    "DESCRIPTION",
    "FLAT",
    "KINDS",
    "Channel",
    "Layout",
    "Output",
    "described_as_ours",
    "layout_of",
]

KINDS = SHARED_KINDS
CHANNEL_KINDS = ("phi", "filled")
DESCRIPTION = "dataset_description.json"
_DICOM = {"dicom_seg": ".dcm"}


@dataclass(frozen=True)
class Channel:
    """A channel of a case: its number, what the user calls it, and what it looks like."""

    number: int
    name: str = ""
    contrast: str = ""


@dataclass(frozen=True)
class Output:
    """A file of a case. `channel` is None for what all channels share."""

    kind: str
    channel: int | None
    path: Path


class Layout(ABC):
    """Names the files of a case, relative to the folder of the predictions."""

    bids: bool

    @abstractmethod
    def path(self, case: str, kind: str) -> Path:
        """Where a file of one of `KINDS` lies."""

    @abstractmethod
    def channel_path(
        self, case: str, kind: str, channel: int, channels: Sequence[Channel]
    ) -> Path:
        """Where a file of one of `CHANNEL_KINDS` lies.

        Args:
            case: its name.
            kind: `phi` or `filled`.
            channel: number of one of the channels.
            channels: all of the case.
        """

    def outputs(self, case: str, channels: Sequence[Channel]) -> list[Output]:
        """All files that a case may have."""
        made = [Output(kind, None, self.path(case, kind)) for kind in KINDS]
        for kind in CHANNEL_KINDS:
            made += [
                Output(kind, one.number, self.channel_path(case, kind, one.number, channels))
                for one in channels
            ]
        return made


class _Flat(Layout):
    bids = False

    def path(self, case: str, kind: str) -> Path:
        if kind == "dicom_seg":
            return Path(f"{case}_seg.dcm")
        return Path(f"{case}.nii.gz" if kind == "mask" else f"{case}_{kind}.nii.gz")

    def channel_path(
        self, case: str, kind: str, channel: int, channels: Sequence[Channel]
    ) -> Path:
        return Path(f"{case}_{channel:04d}_{kind}.nii.gz")


class _Bids(Layout):
    bids = True

    def path(self, case: str, kind: str) -> Path:
        name = bids_name(case)
        return _in_folder(name, name.shared_ending(kind), _DICOM.get(kind, ".nii.gz"))

    def channel_path(
        self, case: str, kind: str, channel: int, channels: Sequence[Channel]
    ) -> Path:
        name = bids_name(case)
        endings = image_endings(name, kind, [(c.number, c.name, c.contrast) for c in channels])
        return _in_folder(name, endings[channel], ".nii.gz")


def _in_folder(name: BidsName, ending: str, extension: str) -> Path:
    return Path(*name.folders, "anat", f"{name.prefix}_{ending}{extension}")


FLAT: Layout = _Flat()
"""`CASE.nii.gz` and its sisters."""
BIDS: Layout = _Bids()
"""`sub-01[/ses-2]/anat/sub-01[_ses-2]_label-lesion_mask.nii.gz` and its sisters."""


def described_as_ours(folder: Path) -> bool:
    """Whether a folder says of itself that it is a BIDS dataset which disanat made.

    Raises:
        DatasetError: what it says cannot be read.
    """
    source = folder / DESCRIPTION
    if not source.is_file():
        return False
    said = read_json(source, DatasetError, "repair it, or take it out")
    makers = said.get("GeneratedBy") if isinstance(said, dict) else None
    first = makers[0] if isinstance(makers, list) and makers else None
    return isinstance(first, dict) and first.get("Name") == "disanat"


def layout_of(folder: Path) -> Layout:
    """The layout of a folder of predictions.

    Raises:
        DatasetError: its `dataset_description.json` cannot be read.
    """
    return BIDS if described_as_ours(folder) else FLAT
