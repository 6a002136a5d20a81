"""What `disanat_evaluate --participants` left in a folder of predictions, for the page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from disanat.evaluation.subgroups import SUBGROUPS, read_subgroups
from disanat.reporting.subgroup_page import (
    HOW_TO_READ,
    PICTURE,
    SubgroupTable,
    subgroup_tables,
)

__all__ = ["ShownSubgroups", "subgroups_of"]


@dataclass(frozen=True)
class ShownSubgroups:
    """Tables, how to read them, and the picture as the data of an `img` (empty without one)."""

    tables: list[SubgroupTable]
    explained: str
    picture: str


def subgroups_of(predictions: Path) -> ShownSubgroups | None:
    """The subgroups that lie in a folder; None without any.

    Raises:
        DatasetError: they are damaged.
    """
    if not (predictions / SUBGROUPS).is_file():
        return None
    tables = subgroup_tables(read_subgroups(predictions))
    drawn = predictions / PICTURE
    data = base64.b64encode(drawn.read_bytes()).decode("ascii") if drawn.is_file() else ""
    return ShownSubgroups(tables, HOW_TO_READ, f"data:image/png;base64,{data}" if data else "")
