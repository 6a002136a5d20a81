"""`--verify`: every case is checked, and all problems come in one table."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from disanat.io.dataset import RawDataset
from disanat.plans import BrainMaskTool
from disanat.preprocessing.parallel import Processes
from planning.fingerprint import Problem, examine_dataset

__all__ = ["problem_table", "verify_dataset"]

_HEADINGS = ("case", "what", "values", "remedy")
_WIDTHS = (16, 44, 36, 36)


def verify_dataset(
    dataset: RawDataset, processes: Processes, progress: bool, tool: BrainMaskTool = "extractor"
) -> list[Problem]:
    """All problems of all training cases; writes nothing.

    Raises:
        DatasetError: there are no cases, or a file's channel is not declared.
    """
    examined = examine_dataset(dataset, processes, progress, tool=tool)
    return [problem for one in examined for problem in one.problems]


def problem_table(problems: Sequence[Problem], folder: str = "") -> str:
    """The problems as a table of text; the dataset's own folder is left out of the paths."""
    prefix = f"{folder}/" if folder else ""
    rows = [_HEADINGS]
    for problem in problems:
        what = problem.what.replace(prefix, "") if prefix else problem.what
        rows.append((problem.case, what, problem.values, problem.remedy))
    widths = [
        min(limit, max(len(row[column]) for row in rows)) for column, limit in enumerate(_WIDTHS)
    ]
    rule = "  ".join("-" * width for width in widths)
    lines = [*_lines(rows[0], widths), rule]
    for row in rows[1:]:
        lines += _lines(row, widths)
    return "\n".join(lines)


def _lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [textwrap.wrap(text, width) or [""] for text, width in zip(row, widths)]
    height = max(len(cell) for cell in cells)
    return [
        "  ".join(
            (cell[line] if line < len(cell) else "").ljust(width)
            for cell, width in zip(cells, widths)
        ).rstrip()
        for line in range(height)
    ]
