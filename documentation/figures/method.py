"""Draws the method's figure from a simulated brain and the shipped model.

    python documentation/figures/method.py        -> documentation/images/method.png
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from disanat.anatomy.edges import anatomy_edges
from disanat.inference.bundled import bundled_folder
from disanat.inference.predictor import Predictor
from disanat.synthesis.brains import render_scan, simulate_brain, simulate_lesions
from disanat.tissues import whole_numbers

TARGET = Path(__file__).resolve().parent.parent / "images" / "method.png"
SPACING_MM = 2.0
SEED = 3
EDGE_VOXELS = 1
STEPS = (
    ("scan", "gray"),
    ("anatomy as seen", "tissues"),
    ("its edges", "tissues"),
    ("restored anatomy", "tissues"),
    ("pseudo-healthy image", "gray"),
    ("anomaly map", "hot"),
)
BETWEEN = ("encoder", "edges", "restorer", "decoder", "score")


def pictures() -> list[np.ndarray]:
    """A slice through the lesion of a simulated brain at each step of the method."""
    rng = np.random.default_rng(SEED)
    brain = simulate_brain(rng, SPACING_MM)
    lesion = simulate_lesions(rng, brain, "large")
    scan = render_scan(rng, brain, "flair", lesion)
    predictor = Predictor.from_folder(bundled_folder())
    made = predictor.predict(scan, spacing=(SPACING_MM,) * 3)
    method = predictor.model.method
    inside = scan[made.brain]
    image = np.where(made.brain, (scan - inside.mean()) / inside.std(), -4.0).astype(np.float32)
    with torch.inference_mode():
        seen = method.anatomy(image)
    assert seen is not None and made.anatomy is not None
    named = np.where(made.brain, whole_numbers(method.scheme)[seen.argmax(0)], 0)
    onehot = torch.from_numpy(np.eye(len(seen), dtype=np.float32)[named]).movedim(-1, 0)
    edges = named * (anatomy_edges(onehot[None], EDGE_VOXELS)[0, 1:].amax(0).numpy() > 0)
    level = int((lesion.share > 0.5).sum((1, 2)).argmax())
    volumes = (scan, named, edges, made.anatomy, made.phi[0], made.anomaly)
    rows, columns = (np.flatnonzero(made.brain[level].any(axis)) for axis in (1, 0))
    box = np.s_[rows[0] - 2 : rows[-1] + 3, columns[0] - 2 : columns[-1] + 3]
    return [volume[level][box] for volume in volumes]


def draw() -> None:
    """Write the figure."""
    figure = Figure(figsize=(13, 3.2))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(STEPS))
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.12, top=0.86, wspace=0.35)
    slices = pictures()
    brightest = float(np.percentile(slices[0], 99.5))
    for axis, (title, kind), image in zip(axes, STEPS, slices):
        colours = {"cmap": "nipy_spectral", "vmin": 0, "vmax": 8.5}
        if kind == "gray":
            colours = {"cmap": "gray", "vmin": 0, "vmax": brightest}
        elif kind == "hot":
            colours = {"cmap": "hot", "vmin": 0, "vmax": 6}
        axis.imshow(image, interpolation="nearest", **colours)
        axis.set_title(title, fontsize=11)
        axis.set_axis_off()
    for left, right, name in zip(axes[:-1], axes[1:], BETWEEN):
        start, end = left.get_position(), right.get_position()
        height = (start.y0 + start.y1) / 2
        arrow = FancyArrowPatch(
            (start.x1 + 0.003, height),
            (end.x0 - 0.003, height),
            transform=figure.transFigure,
            arrowstyle="-|>",
            mutation_scale=16,
            color="#00796b",
        )
        figure.add_artist(arrow)
        figure.text(
            (start.x1 + end.x0) / 2, height + 0.04, name, ha="center", fontsize=8, rotation=40
        )
    figure.text(
        0.5,
        0.03,
        "Only the edges reach the restorer. The imaging code, a few numbers per scan, "
        "goes from the scan to the decoder.",
        ha="center",
        fontsize=9,
    )
    figure.savefig(TARGET, dpi=110)


if __name__ == "__main__":
    draw()
