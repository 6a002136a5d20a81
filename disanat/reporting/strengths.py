"""A picture of several measures against the strength of several degradations: small multiples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from disanat.evaluation.bootstrap import Estimate
from disanat.home import atomic_path

__all__ = ["Measure", "Panel", "strengths_figure"]

_DPI = 110
_COLOURS = ("#2f5d8a", "#d07a2d", "#4f8f4a")
_LIMIT_COLOUR = "#b03a2e"


@dataclass(frozen=True)
class Measure:
    """A row of the picture: what is drawn, between which bounds, and what it must not exceed.

    Without bounds the scale follows the values, and is logarithmic above 1.
    """

    name: str
    bounds: tuple[float, float] | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Panel:
    """A column of the picture: a degradation, its strengths in words, and by line what was found.

    A line holds for each strength the estimates by the name of their measure.
    """

    title: str
    ticks: tuple[str, ...]
    lines: dict[str, Sequence[Mapping[str, Estimate]]]


def strengths_figure(panels: Sequence[Panel], measures: Sequence[Measure], target: Path) -> None:
    """Write one PNG; measures that nothing was found of are left out.

    Args:
        panels: a column each; nothing is written without any.
        measures: a row each.
        target: the PNG.
    """
    rows = [m for m in measures if any(_known(p, m.name) for p in panels)]
    if not rows:
        return
    figure = Figure(
        figsize=(1.2 + 2.1 * len(panels), 0.9 + 1.7 * len(rows)), layout="constrained"
    )
    axes = figure.subplots(len(rows), len(panels), squeeze=False, sharey="row")
    for row, measure in zip(axes, rows):
        for axis, panel in zip(row, panels):
            _draw(axis, panel, measure)
            _scale(axis, measure, highest=max(v for p in panels for v in _known(p, measure.name)))
        row[0].set_ylabel(measure.name, fontsize=9)
    for axis, panel in zip(axes[0], panels):
        axis.set_title(panel.title, fontsize=9)
        if len(panel.lines) > 1:
            axis.legend(fontsize=6.5, frameon=False, loc="lower left")
    for axis, panel in zip(axes[-1], panels):
        axis.set_xticks(range(len(panel.ticks)), panel.ticks, rotation=60, fontsize=7)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")


def _known(panel: Panel, name: str) -> list[float]:
    found = [one[name].mean for line in panel.lines.values() for one in line]
    return [value for value in found if value is not None]


def _draw(axis: Axes, panel: Panel, measure: Measure) -> None:
    """Each line with its interval; the untouched scans' point is the same in all."""
    for colour, (name, line) in zip(_COLOURS, panel.lines.items()):
        found = [one[measure.name] for one in line]
        middle = [np.nan if e.mean is None else e.mean for e in found]
        axis.plot(middle, "o-", color=colour, markersize=3, linewidth=1.3, label=name)
        if all(e.low is not None and e.high is not None for e in found):
            low, high = [e.low or 0.0 for e in found], [e.high or 0.0 for e in found]
            axis.fill_between(range(len(found)), low, high, color=colour, alpha=0.15, linewidth=0)
    if measure.limit is not None:
        axis.axhline(measure.limit, color=_LIMIT_COLOUR, linestyle="--", linewidth=1)
    axis.set_xlim(-0.3, len(panel.ticks) - 0.7)
    axis.set_xticks(range(len(panel.ticks)), [])
    axis.tick_params(labelsize=7)
    axis.grid(axis="y", color="0.9")


def _scale(axis: Axes, measure: Measure, highest: float) -> None:
    """The same for all panels of a row."""
    if measure.bounds is not None:
        axis.set_ylim(measure.bounds[0] - 0.02, measure.bounds[1] + 0.02)
        return
    axis.set_yscale("symlog", linthresh=1.0)
    axis.set_ylim(-0.05, 1.2 * max(highest, measure.limit or 0.0, 1e-3))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
