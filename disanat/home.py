"""Where datasets, plans and models live, and how files get there in one piece."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError, DisanatError

__all__ = [
    "BOOKS",
    "Home",
    "atomic_path",
    "read_json",
    "remove_temporaries",
    "resolve_home",
    "write_json",
]

ENVIRONMENT_VARIABLE = "DISANAT_HOME"
DEFAULT_HOME = "disanat_home"
_TEMPORARY = ".tmp."
BOOKS = ".disanat"
"""Folder beside results for what only disanat reads: locks, and what is done already."""
_DATASET = re.compile(r"Dataset(\d{3})_(\w[\w.-]*)")


@dataclass(frozen=True)
class Home:
    """The folder that holds `raw/`, `preprocessed/` and `results/`."""

    root: Path

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    @property
    def preprocessed(self) -> Path:
        return self.root / "preprocessed"

    @property
    def results(self) -> Path:
        return self.root / "results"

    def plans_folder(self, dataset: str, name: str = "") -> Path:
        """Where a plan of a dataset and the cases prepared for it lie; most plans have no name."""
        folder = self.preprocessed / dataset
        return folder / f"plans_{name}" if name else folder

    def dataset_names(self) -> list[str]:
        """Names of all datasets in `raw/` or `preprocessed/`, sorted."""
        found = {
            folder.name
            for base in (self.raw, self.preprocessed)
            if base.is_dir()
            for folder in base.iterdir()
            if folder.is_dir() and _DATASET.fullmatch(folder.name)
        }
        return sorted(found)

    def dataset_name(self, wanted: str) -> str:
        """Turn `5`, `005` or `Dataset005_IXI` into the dataset's full name.

        Raises:
            DatasetError: no such dataset, or several with that number.
        """
        names = self.dataset_names()
        if wanted.isdigit():
            matches = [n for n in names if int(n[7:10]) == int(wanted)]
        else:
            matches = [n for n in names if n == wanted]
        if len(matches) == 1:
            return matches[0]
        listed = ", ".join(names) or "none"
        if matches:
            raise DatasetError(
                f"Dataset number {wanted} is used by {', '.join(matches)} in {self.root}: "
                "give the full name with -d."
            )
        raise DatasetError(
            f"There is no dataset '{wanted}' in {self.raw} (found: {listed}): put it there as "
            "DatasetXXX_Name, or point --home or DISANAT_HOME at the right folder."
        )


def resolve_home(home: str | Path | None = None) -> Home:
    """The home folder: `--home` wins over `DISANAT_HOME`, which wins over `./disanat_home`."""
    return Home(Path(home or os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_HOME).expanduser())


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its name only when the block succeeds.

    The temporary keeps the target's endings, so that writers which look at them still work. When
    the name is taken, the data and the name are on the disk, not only on their way there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = f"{os.getpid()}-{threading.get_ident()}"  # two threads may write one and the same file
    temporary = target.with_name(f".{writer}{_TEMPORARY}{target.name}")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk; some systems cannot, or need not."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_temporaries(folder: Path) -> None:
    """Remove what processes that were killed left half written; only for who holds the folder."""
    pattern = f".*{_TEMPORARY}*"
    below = (folder / BOOKS, *folder.glob("sub-*"))  # the latter where results are laid out as BIDS
    for left in (*folder.glob(pattern), *(left for f in below for left in f.rglob(pattern))):
        left.unlink(missing_ok=True)


def write_json(data: Any, target: Path) -> None:
    """Write `data` as indented JSON, in one piece."""
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def read_json(source: Path, error: type[DisanatError], remedy: str) -> Any:
    """Read JSON, or raise `error` with a sentence that names the file and the remedy.

    A byte-order mark, which some editors write, is passed over. A key that is there twice is
    refused, for nobody knows which one is meant.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
        return json.loads(text, object_pairs_hook=_without_twice)
    except FileNotFoundError:
        raise error(f"{source} does not exist: {remedy}.") from None
    except RecursionError:
        raise error(f"{source} cannot be read as JSON (too many levels): {remedy}.") from None
    except (OSError, ValueError) as cause:
        reason = " ".join(str(cause).split())[:200]
        raise error(f"{source} cannot be read as JSON ({reason}): {remedy}.") from cause


def _without_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return made
