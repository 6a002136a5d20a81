"""What a conversion will write, decided before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from dataset_conversion.converter import Converter, Found, Made, Request, Split, Subject
from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.images import Geometry, same_grid

__all__ = ["Conversion", "dataset_folder", "describe", "geometry_of", "prepare"]

_log = logging.getLogger(__name__)
_SHOWN = 5


@dataclass(frozen=True)
class Conversion:
    """A dataset to be: its folder, what dataset.json will say, and its cases."""

    folder: Path
    declaration: Mapping[str, Any]
    split: Split
    channels: tuple[str, ...]
    subjects: tuple[Subject, ...]


def dataset_folder(home: Home, dataset_id: int, name: str) -> Path:
    """`HOME/raw/DatasetXXX_Name`, not yet created.

    Raises:
        DatasetError: the number is out of range, or another dataset of this home has it.
    """
    if not 1 <= dataset_id <= 999:
        raise DatasetError(f"Dataset number {dataset_id} is out of range: use -d 1 to 999.")
    folder = f"Dataset{dataset_id:03d}_{name}"
    for other in home.dataset_names():
        if other.startswith(folder[:11]) and other != folder:
            raise DatasetError(
                f"Number {dataset_id} belongs to {other} in {home.root} already: "
                "give another number with -d."
            )
    return home.raw / folder


def prepare(
    converter: Converter,
    source: Path,
    home: Home,
    dataset_id: int | None = None,
    channels: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Conversion:
    """Find the cases of a set and decide what becomes of them; writes nothing.

    Args:
        converter: of the set.
        source: the set's folder.
        home: holds the datasets.
        dataset_id: the dataset's number; None takes the converter's usual one.
        channels: contrasts wanted; none takes the usual ones.
        options: the converter's own; those not named have their defaults.

    Raises:
        DatasetError: nothing is found, something is ambiguous, or a wanted contrast is nowhere.
    """
    if converter.find is None:
        raise DatasetError(f"{converter.name} finds no cases: call its own function.")
    wanted = converter.wanted(channels)
    chosen = {option.name: option.default for option in converter.options} | dict(options or {})
    found = converter.find(Request(source, wanted, chosen))
    wanted = found.channels or wanted
    subjects = _labelled(found.subjects, source)
    _refuse_alike(subjects)
    if converter.grids == "leave_out":
        subjects = [_on_one_grid(subject, wanted) for subject in subjects]
    asked_for = bool(channels or found.channels)
    used = _used(source, wanted, subjects, found.subjects, asked_for)
    subjects = [s for s in subjects if s.channels]
    number = converter.number if dataset_id is None else dataset_id
    folder = dataset_folder(home, number, _name(converter, found, channels))
    return Conversion(
        folder,
        _declaration(converter, found, folder.name[11:], used),
        found.split or converter.split,
        used,
        tuple(sorted(subjects, key=lambda subject: subject.name)),
    )


def _name(converter: Converter, found: Found, channels: Sequence[str]) -> str:
    """Of other contrasts than the usual ones the name says which, as they are another dataset."""
    name = found.dataset or converter.dataset
    usual = converter.usual or converter.channels
    if found.dataset or not channels or tuple(channels) == usual:
        return name
    return "_".join((name, *channels))


def _declaration(
    converter: Converter, found: Found, name: str, channels: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": name,
        "channel_names": {str(i): channel for i, channel in enumerate(channels)},
        **found.extra,
        "licence": found.licence or converter.licence,
        "source": found.source or converter.source,
    }


def _labelled(subjects: Sequence[Subject], source: Path) -> list[Subject]:
    """All, or those with masks where some have none: a case without a mask cannot be judged."""
    with_masks = [subject for subject in subjects if subject.labels]
    if not with_masks or len(with_masks) == len(subjects):
        return list(subjects)
    _log.warning(
        "%s: %d of %d cases have no mask and are left out.",
        source, len(subjects) - len(with_masks), len(subjects),
    )  # fmt: skip
    return with_masks


def _refuse_alike(subjects: Sequence[Subject]) -> None:
    first: dict[str, Subject] = {}
    for subject in subjects:
        other = first.setdefault(subject.name.casefold(), subject)
        if other is not subject:
            one, two = (next(iter(_files(s)), Path(s.name)) for s in (other, subject))
            raise DatasetError(
                f"{one} and {two} would both become case {subject.name}: give a folder that holds "
                "one of them."
            )


def _files(subject: Subject) -> list[Path]:
    paths: list[Path] = []
    for image in subject.channels.values():
        paths += image.files if isinstance(image, Made) else (image,)
    return paths


def _on_one_grid(subject: Subject, wanted: Sequence[str]) -> Subject:
    """The case without the channels that lie on another grid than its mask, or its first scan."""
    present = [name for name in wanted if name in subject.channels]
    images = [*subject.labels.values(), *(subject.channels[name] for name in present)]
    grid = _header_grid(images[0]) if images else None
    kept = {}
    for name in present:
        other = _header_grid(subject.channels[name])
        if grid is None or other is None or same_grid(grid, other):
            kept[name] = subject.channels[name]
        else:
            of = "its mask" if subject.labels else present[0]
            _log.warning(
                "%s: %s lies on another grid than %s and is left out.", subject.name, name, of
            )
    return replace(subject, channels=kept)


def _header_grid(image: Path | Made) -> Geometry | None:
    """From the header alone; None where it is unreadable, which reading will tell in full."""
    if isinstance(image, Made):
        return None
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(image))
    try:
        reader.ReadImageInformation()
        axes = reader.GetDimension()
        direction = [
            reader.GetDirection()[row * axes + column] for row in range(3) for column in range(3)
        ]
    except (RuntimeError, IndexError):
        return None
    return Geometry(
        reader.GetSize()[:3], reader.GetSpacing()[:3], reader.GetOrigin()[:3], tuple(direction)
    )


def _used(
    source: Path,
    wanted: Sequence[str],
    subjects: Sequence[Subject],
    before: Sequence[Subject],
    asked_for: bool,
) -> tuple[str, ...]:
    """The wanted contrasts that a case has; one that was asked for and is nowhere is refused."""
    used = tuple(name for name in wanted if any(name in s.channels for s in subjects))
    for name in wanted:
        if name in used:
            continue
        elsewhere = any(name in s.channels for s in before)
        if elsewhere and (asked_for or not used):
            raise DatasetError(
                f"{source} has no case in which {name} lies on the grid of its mask or of the "
                f"contrast named first: convert it as a dataset of its own with --channels {name}, "
                "or register and resample it first."
            )
        if asked_for:
            raise DatasetError(f"{source} has no case with {name}: leave it out of --channels.")
        _log.info("%s: no case has %s; the dataset is without it.", source, name)
    if not used:
        raise DatasetError(f"{source} has no case with {', '.join(wanted)}: check --channels.")
    return used


def geometry_of(image: sitk.Image) -> Geometry:
    """The grid of an image in memory."""
    return Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def _where(image: Path | Made) -> str:
    if not isinstance(image, Made):
        return str(image)
    more = len(image.files) - 1
    return f"{image.files[0]}" + (f" and {more} more files" if more else "")


def _cases(count: int) -> str:
    return f"{count} case" if count == 1 else f"{count} cases"


def describe(conversion: Conversion) -> str:
    """What would be taken, for people to read."""
    split, subjects = conversion.split, conversion.subjects
    labelled = sum(bool(s.labels) for s in subjects)
    lines = [
        f"{conversion.folder}: {_cases(len(subjects))} would go to images{split}, "
        f"{labelled} of them with masks.",
        f"licence: {conversion.declaration['licence']}",
        f"source: {conversion.declaration['source']}",
    ]
    for number, name in enumerate(conversion.channels):
        count = sum(name in s.channels for s in subjects)
        lines.append(f"channel {number}: {name}, {_cases(count)}")
    for subject in subjects[:_SHOWN]:
        lines.append(f"{subject.name}")
        parts = [*subject.channels.items(), *subject.labels.items()]
        if subject.prior:
            parts.append(("prior", subject.prior))
        for name, image in parts:
            lines.append(f"  {name}: {_where(image)}")
    if len(subjects) > _SHOWN:
        lines.append(f"and {len(subjects) - _SHOWN} more")
    return "\n".join(lines)
