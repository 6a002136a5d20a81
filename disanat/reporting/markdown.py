"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["markdown_table"]


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows with the same keys as an aligned Markdown table."""
    names = list(rows[0])
    widths = {n: max(len(n), *(len(row[n]) for row in rows)) for n in names}

    def line(cells: Mapping[str, str]) -> str:
        return "| " + " | ".join(cells[n].ljust(widths[n]) for n in names) + " |"

    rule = "|" + "|".join("-" * (widths[n] + 2) for n in names) + "|"
    return "\n".join([line({n: n for n in names}), rule, *(line(row) for row in rows)])
