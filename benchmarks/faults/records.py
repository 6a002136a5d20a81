"""What each drill measured, kept until the page is written."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError
from disanat.home import read_json, write_json
from steps import commit, machine

__all__ = ["load_record", "save_record"]

_FOLDER = Path(__file__).resolve().parent / "records"


def save_record(name: str, measured: Any, seed: int = 0) -> None:
    """Keep what a drill measured, with date, commit and machine."""
    record = {
        "measured": measured,
        "seed": seed,
        "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
        "commit": commit(["benchmarks"]),
        "machine": machine(),
    }
    write_json(record, _FOLDER / f"{name}.json")


def load_record(name: str) -> dict[str, Any] | None:
    """What a drill measured; None if it was not run."""
    path = _FOLDER / f"{name}.json"
    if not path.exists():
        return None
    return dict(read_json(path, DatasetError, f"run benchmarks/faults/{name}.py again"))
