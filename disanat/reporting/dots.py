"""A picture of several methods on one set: each case a dot, each mean with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from disanat.evaluation.bootstrap import estimate_mean
from disanat.home import atomic_path

__all__ = ["dot_figure"]

_DPI = 110
_SPREAD = 0.18
_DOT_COLOUR = "#7a9cc6"
_MEAN_COLOUR = "#b03a2e"


def dot_figure(
    values: Mapping[str, Sequence[float]], target: Path, title: str, measure: str
) -> None:
    """Write one PNG with a row for each method, the highest mean on top.

    Args:
        values: by method, one value for each case; a method without any is left out.
        target: the PNG.
        title: above the picture.
        measure: what the values are, with their unit.
    """
    shown = {method: np.asarray(v, float) for method, v in values.items() if len(v)}
    order = sorted(shown, key=lambda method: float(shown[method].mean()))
    figure = Figure(figsize=(7.0, 1.6 + 0.45 * len(order)), layout="constrained")
    axis = figure.subplots()
    rng = np.random.default_rng(0)
    for row, method in enumerate(order):
        found = shown[method]
        estimate = estimate_mean(list(found))
        heights = row + rng.uniform(-_SPREAD, _SPREAD, found.size)
        axis.scatter(found, heights, s=16, color=_DOT_COLOUR, alpha=0.8, linewidths=0, zorder=3)
        if estimate.low is not None and estimate.high is not None:
            axis.hlines(row, estimate.low, estimate.high, color=_MEAN_COLOUR, linewidth=2)
        mean = float(found.mean())
        axis.plot(mean, row, "D", color=_MEAN_COLOUR, markerfacecolor="white", markersize=7)
    axis.set_yticks(range(len(order)), order)
    axis.set_ylim(-0.6, len(order) - 0.4)
    axis.set_xlabel(f"{measure}; dot: a case, diamond: mean, line: its 95% interval")
    axis.set_title(title, fontsize=11)
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    highest = max((float(found.max()) for found in shown.values()), default=1.0)
    axis.set_xlim(-0.02 * max(highest, 1e-3), 1.05 * max(highest, 1e-3))
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")
