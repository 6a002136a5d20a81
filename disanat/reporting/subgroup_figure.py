"""A picture of subgroups: each participant a dot, each group's mean with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from disanat.evaluation.lesion_shares import LesionShare
from disanat.evaluation.lesions import CONTRAST_BINS, SIZE_BINS
from disanat.evaluation.subgroups import (
    SUBGROUP_MEASURES,
    Column,
    Group,
    SubgroupMeasure,
    Subgroups,
)
from disanat.home import atomic_path

__all__ = ["subgroup_figure"]

_DPI = 110
_SPREAD = 0.18
_DOT_COLOUR = "#7a9cc6"
_MEAN_COLOUR = "#b03a2e"
_BAR_COLOUR = "#a8bcd6"
_ROW_INCHES = 0.32
_LESION_INCHES = 2.9
_WIDTH = 12.5
_LONGEST = 24
_EXPLAINED = (
    "dot: a participant; diamond: mean; line: its 95% interval; dashed: mean of all; p: corrected "
    "for the number of columns"
)


def subgroup_figure(found: Subgroups, target: Path, title: str = "") -> bool:
    """Write one PNG: a panel for each measure, below them the lesions by size and contrast.

    Args:
        found: what to show.
        target: the PNG.
        title: above the picture.

    Returns:
        Whether there was anything to show: a group or a lesion.
    """
    measures = [m for m in SUBGROUP_MEASURES if found.everyone[m].cases]
    columns = [column for column in found.columns if column.groups] if measures else []
    if not columns and not found.by_size:
        return False
    rows = sum(len(column.groups) + 1 for column in columns)
    heights = [0.7 + _ROW_INCHES * rows] if columns else []
    heights += [_LESION_INCHES] if found.by_size else []
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.4), layout="constrained")
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    if columns:
        axes = parts[0].subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for axis, measure in zip(axes, measures):
            _panel(axis, measure, columns, found)
        _name_rows(axes[0], columns)
        parts[0].suptitle(_EXPLAINED, fontsize=9, color="0.35")
    if found.by_size:
        _lesions(parts[-1].subplots(1, 3), found)
    if title:
        figure.suptitle(title, fontsize=12)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")
    return True


def _places(columns: Sequence[Column]) -> list[tuple[float, Column, Group | None]]:
    """From the top: a line for each column's name, below it its groups."""
    lines: list[tuple[Column, Group | None]] = []
    for column in columns:
        lines += [(column, None), *((column, group) for group in column.groups)]
    return [(-float(place), column, group) for place, (column, group) in enumerate(lines)]


def _name_rows(axis: Axes, columns: Sequence[Column]) -> None:
    places = _places(columns)
    names = [
        _short(column.name) if group is None else f"{_short(group.name)}  ({group.participants})"
        for _, column, group in places
    ]
    axis.set_yticks([place for place, _, _ in places], names)
    for label, (_, _, group) in zip(axis.get_yticklabels(), places):
        label.set_fontweight("bold" if group is None else "normal")
    axis.set_ylim(places[-1][0] - 0.6, 0.6)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\u2026"


def _panel(
    axis: Axes, measure: SubgroupMeasure, columns: Sequence[Column], found: Subgroups
) -> None:
    rng = np.random.default_rng(0)
    overall = found.everyone[measure].mean
    if overall is not None:
        axis.axvline(overall, color="0.6", linewidth=1, linestyle="--", zorder=1)
    for place, column, group in _places(columns):
        if group is None:
            tests = {one.measure: one.test for one in column.tests}
            test = tests.get(measure)
            if test is not None:
                differs = test.verdict == "differs"
                p = "p < 0.001" if test.corrected_p < 0.001 else f"p = {test.corrected_p:.3f}"
                said = f"{p}{', differs' if differs else ''}"
                axis.text(
                    0.99, place, said, transform=axis.get_yaxis_transform(), ha="right",
                    va="center", fontsize=8, color=_MEAN_COLOUR if differs else "0.35",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                )  # fmt: skip
            continue
        values = np.asarray(group.values[measure], float)
        heights = place + rng.uniform(-_SPREAD, _SPREAD, values.size)
        axis.scatter(values, heights, s=14, color=_DOT_COLOUR, alpha=0.8, linewidths=0, zorder=3)
        estimate = group.estimates[measure]
        if estimate.low is not None and estimate.high is not None:
            axis.hlines(place, estimate.low, estimate.high, color=_MEAN_COLOUR, linewidth=2)
        if estimate.mean is not None:
            axis.plot(estimate.mean, place, "D", color=_MEAN_COLOUR, markerfacecolor="white",
                      markersize=6, zorder=4)  # fmt: skip
    axis.set_xlabel(SUBGROUP_MEASURES[measure])
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    right = axis.get_xlim()[1] if measure == "false_positive_ml" else 1.02
    axis.set_xlim(-0.02 * right, right)


def _lesions(axes: Sequence[Axes], found: Subgroups) -> None:
    _bars(axes[0], found.by_size, "lesion size")
    if not found.by_contrast:
        axes[1].set_axis_off()
        axes[2].set_axis_off()
        return
    _bars(axes[1], found.by_contrast, "lesion contrast, SDs of the brain")
    _grid(axes[2], found)


def _bars(axis: Axes, shares: Sequence[LesionShare], label: str) -> None:
    for place, one in enumerate(shares):
        mean, low, high = one.share.mean, one.share.low, one.share.high
        if mean is None:
            continue
        axis.bar(place, mean, color=_BAR_COLOUR, width=0.65)
        if low is not None and high is not None:
            axis.vlines(place, low, high, color=_MEAN_COLOUR, linewidth=2)
    axis.set_xticks(
        range(len(shares)), [f"{one.name}\n{one.found}/{one.lesions}" for one in shares], fontsize=9
    )
    axis.set_xlim(-0.6, len(shares) - 0.4)
    axis.set_ylim(0, 1)
    axis.set_xlabel(label)
    axis.set_ylabel("share of lesions found")
    axis.grid(axis="y", color="0.9")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _grid(axis: Axes, found: Subgroups) -> None:
    sizes, contrasts = [name for name, _, _ in SIZE_BINS], [name for name, _, _ in CONTRAST_BINS]
    shares = np.full((len(sizes), len(contrasts)), np.nan)
    for one in found.by_both:
        at = sizes.index(one.size), contrasts.index(one.contrast)
        shares[at] = one.found / one.lesions
        dark = shares[at] > 0.55
        axis.text(
            at[1], at[0], f"{one.found}/{one.lesions}", ha="center", va="center", fontsize=9,
            color="white" if dark else "black",
        )  # fmt: skip
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower")
    axis.set_xticks(range(len(contrasts)), contrasts, fontsize=9)
    axis.set_yticks(range(len(sizes)), sizes, fontsize=9)
    axis.set_xlabel("lesion contrast")
    axis.set_title("found / lesions", fontsize=10)
