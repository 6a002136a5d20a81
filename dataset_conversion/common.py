"""Finding folders and files of other people's sets, with messages that name what was looked for."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from disanat.errors import DatasetError

__all__ = [
    "channel_files",
    "find_file",
    "find_files",
    "find_folders",
    "find_optional",
    "nothing_found",
    "read_table",
    "walk_files",
    "walk_folders",
]

_DEEPEST = 6
"""Levels below the folder given with -i; sets as downloaded are packed into folders of folders."""
_NEVER_ENTERED = ("__MACOSX", "__pycache__")


def find_folders(source: Path, pattern: str, what: str) -> list[Path]:
    """Folders in `source` that match a glob pattern, sorted.

    Raises:
        DatasetError: there is none; the message names what was looked for.
    """
    found = sorted(p for p in source.glob(pattern) if p.is_dir())
    if not found:
        raise nothing_found(source, f"folder {pattern} ({what})")
    return found


def find_files(folder: Path, pattern: str, what: str) -> list[Path]:
    """Files in `folder` that match a glob pattern, sorted.

    Raises:
        DatasetError: there is none; the message names what was looked for.
    """
    found = sorted(p for p in folder.glob(pattern) if p.is_file() and not p.name.startswith("."))
    if not found:
        raise nothing_found(folder, f"file {pattern} ({what})")
    return found


def find_file(folder: Path, pattern: str, what: str) -> Path:
    """The one file in `folder` that matches a glob pattern.

    Raises:
        DatasetError: there is none, or there are several.
    """
    found = find_files(folder, pattern, what)
    if len(found) > 1:
        raise DatasetError(
            f"{folder} holds {len(found)} files {pattern} ({what}): keep the one that is meant."
        )
    return found[0]


def find_optional(folder: Path, *patterns: str) -> Path | None:
    """The first file in `folder` that matches a glob pattern, the first pattern first; or None."""
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and not path.name.startswith("."):
                return path
    return None


def channel_files(
    folder: Path, patterns: Mapping[str, str], wanted: Sequence[str], case: str
) -> dict[str, Path]:
    """The file of each wanted contrast that `patterns` has.

    Raises:
        DatasetError: one is missing, or there are several.
    """
    return {
        name: find_file(folder, patterns[name], f"{name} of {case}")
        for name in wanted
        if name in patterns
    }


def nothing_found(source: Path, *looked_for: str) -> DatasetError:
    """The sentence for a folder that is not the one that was meant."""
    listed = ", nor ".join(looked_for)
    return DatasetError(
        f"{source} holds no {listed}: give the folder of the set as it was downloaded and unpacked "
        "with -i."
    )


def walk_folders(
    source: Path,
    pattern: str,
    accept: Callable[[Path], bool] = lambda folder: True,
    deepest: int = _DEEPEST,
) -> list[Path]:
    """Folders at any depth whose whole name matches a regular expression, sorted by path.

    `source` itself may be one. What lies inside one that is accepted is not looked at.
    """
    if re.fullmatch(pattern, source.resolve().name) and accept(source):
        return [source.resolve()]
    return sorted(_matching(source, re.compile(pattern), accept, deepest))


def _matching(
    folder: Path, pattern: re.Pattern[str], accept: Callable[[Path], bool], deeper: int
) -> Iterator[Path]:
    for path in _entries(folder):
        if not path.is_dir():
            continue
        if pattern.fullmatch(path.name) and accept(path):
            yield path
        elif deeper > 1:
            yield from _matching(path, pattern, accept, deeper - 1)


def walk_files(
    source: Path, pattern: str, deepest: int = _DEEPEST, skip: Sequence[str] = ()
) -> list[Path]:
    """Files at any depth whose whole name matches a regular expression, sorted by path.

    Folders called as in `skip` are not entered.
    """
    return sorted(_files(source, re.compile(pattern), deepest, frozenset(skip)))


def _files(
    folder: Path, pattern: re.Pattern[str], deeper: int, skip: frozenset[str]
) -> Iterator[Path]:
    for path in _entries(folder):
        if path.is_dir():
            if deeper > 1 and path.name not in skip:
                yield from _files(path, pattern, deeper - 1, skip)
        elif pattern.fullmatch(path.name):
            yield path


def _entries(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name not in _NEVER_ENTERED
    ]


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a .csv or .tsv file with a heading line; column names in small letters.

    Raises:
        DatasetError: it cannot be read as a table.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(
            text.splitlines(), delimiter="\t" if path.suffix.lower() == ".tsv" else ","
        )
        return [
            {str(k).strip().lower(): str(v or "").strip() for k, v in row.items()} for row in reader
        ]
    except (OSError, ValueError, csv.Error) as cause:
        raise DatasetError(
            f"{path} cannot be read as a table ({cause}): save it as text in UTF-8, with a line of "
            "headings."
        ) from cause
