"""Pictures of the whole set as SVG that takes the page's text colour."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from disanat.reporting.report.curves import RECALLS

__all__ = ["precision_recall", "strip", "volumes_against_truth"]

_INK = "#010203"
"""Stands for the page's own text colour until the SVG is written."""
_DOT = "#4c8dd6"
_MEAN = "#d1495b"
_FAINT = "#8a94a6"
_SPREAD = 0.22
_STYLE: Any = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "disanat",
}


def strip(
    groups: Mapping[str, Sequence[float]],
    label: str,
    logarithmic: bool = False,
) -> str:
    """A row of dots for each group, with its median.

    Args:
        groups: values by name; a group without any is left out.
        label: of the axis, with the unit.
        logarithmic: a scale that is linear near 0 and logarithmic above 0.1.

    Returns:
        The SVG element.
    """
    shown = {name: np.asarray(v, float) for name, v in groups.items() if len(v)}
    with mpl.rc_context(_STYLE):
        figure, axis = _figure(4.6, 1.1 + 0.55 * len(shown))
        rng = np.random.default_rng(0)
        for row, values in enumerate(reversed(shown.values())):
            heights = row + rng.uniform(-_SPREAD, _SPREAD, values.size)
            axis.scatter(values, heights, s=14, color=_DOT, alpha=0.75, linewidths=0, zorder=3)
            middle = float(np.median(values))
            axis.vlines(middle, row - 0.33, row + 0.33, color=_MEAN, linewidth=2, zorder=4)
        names = [f"{name} ({values.size})" for name, values in reversed(shown.items())]
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(-0.6, max(len(names), 1) - 0.4)
        if logarithmic:
            axis.set_xscale("symlog", linthresh=0.1)
            axis.set_xlim(left=0)
        axis.set_xlabel(label)
        return _svg(figure)


def precision_recall(cases: Mapping[str, np.ndarray], mean: np.ndarray) -> str:
    """Precision over recall: a faint line for each case, a strong one for their mean.

    Args:
        cases: precision at each of `RECALLS`.
        mean: the same, over all.
    """
    with mpl.rc_context(_STYLE):
        figure, axis = _figure(4.6, 3.4)
        for curve in cases.values():
            axis.plot(RECALLS, curve, color=_DOT, alpha=0.35, linewidth=0.8)
        axis.plot(RECALLS, mean, color=_MEAN, linewidth=2.2, label=f"mean of {len(cases)}")
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.set_xlabel("recall")
        axis.set_ylabel("precision")
        axis.legend(frameon=False, loc="upper right")
        return _svg(figure)


def volumes_against_truth(truth: Sequence[float], found: Sequence[float]) -> str:
    """Volume of the lesion masks over that of the experts' masks, in mL, both logarithmic."""
    with mpl.rc_context(_STYLE):
        figure, axis = _figure(4.6, 3.4)
        top = 1.5 * max([1.0, *truth, *found])
        axis.plot([0, top], [0, top], color=_FAINT, linewidth=1)
        axis.scatter(truth, found, s=18, color=_DOT, alpha=0.8, linewidths=0, zorder=3)
        for set_scale, set_limits in (
            (axis.set_xscale, axis.set_xlim), (axis.set_yscale, axis.set_ylim)
        ):  # fmt: skip
            set_scale("symlog", linthresh=0.1)
            set_limits(0, top)
        axis.set_xlabel("expert mask, mL")
        axis.set_ylabel("lesion mask, mL")
        return _svg(figure)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axis = figure.subplots()
    axis.patch.set_alpha(0)
    axis.grid(color=_FAINT, alpha=0.25)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _svg(figure: Figure) -> str:
    """Without what only files need, and without its own size: the page decides that."""
    stream = io.StringIO()
    empty = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(stream, format="svg", metadata=empty)
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    size = r'(?:width|height)="[^"]*pt"'
    text = re.sub(rf"(?<=<svg)([^>]*?) {size}([^>]*?) {size}", r"\1\2", text, count=1)
    named = set(re.findall(r"#(\w+)", text))
    return re.sub(r' id="(\w+)"', lambda m: m[0] if m[1] in named else "", text)
