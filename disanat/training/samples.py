"""Pictures of a few held-out samples, drawn as training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from disanat.home import atomic_path
from disanat.methods.interface import Method
from disanat.methods.pictures import Picture

__all__ = ["FOLDER", "draw_samples", "is_due", "rows_to_show"]

FOLDER = "samples"
_TIMES = 10
"""How often in a training pictures are drawn, beside those of the first and the last epoch."""
_PAIRS = 2
_GREY = (-3.0, 3.0)
_DIFFERENCE = 2.0
_LESION_COLOUR = "#40e060"
_DPI = 80


def is_due(epoch: int, epochs: int) -> bool:
    """Whether pictures are drawn after an epoch (counted from 0) of so many."""
    every = max(1, round(epochs / _TIMES))
    return epoch == 0 or epoch + 1 == epochs or (epoch + 1) % every == 0


def rows_to_show(lesion: Tensor) -> list[int]:
    """Samples of a batch, (batch, ...), to look at: the pairs with the largest lesions.

    Items 2i and 2i + 1 are one brain in two contrasts.
    """
    sizes = (lesion > 0.5).flatten(1).sum(1)[::2]
    pairs = sizes.argsort(descending=True, stable=True)[:_PAIRS].tolist()
    return [item for pair in pairs for item in (2 * pair, 2 * pair + 1) if item < len(lesion)]


def draw_samples(
    method: Method, batch: Mapping[str, Tensor], epoch: int, folder: Path
) -> Path | None:
    """Draw what a method makes of a batch into `samples/epoch_0001.png`.

    A row is a sample, a column one of the method's pictures; synthetic lesions are outlined in the
    scan.

    Args:
        method: with the weights to look at.
        batch: of held-out cases, as `training.loaders` makes them.
        epoch: counted from 0.
        folder: of the training.

    Returns:
        The file; None where the method has no pictures.
    """
    rows = rows_to_show(batch["lesion"])
    few = {name: values[rows] for name, values in batch.items()}
    with torch.inference_mode():
        pictures = method.pictures(few)
    if not pictures:
        return None
    target = folder / FOLDER / f"epoch_{epoch + 1:04d}.png"
    _draw(pictures, few["lesion"], f"epoch {epoch + 1}", target)
    return target


def _draw(pictures: Mapping[str, Picture], lesion: Tensor, title: str, target: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = _slice(lesion[0]).shape
    size = (2 * len(pictures), 2 * len(lesion) * height / width + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(lesion), len(pictures), squeeze=False)
    for column, (name, picture) in zip(axes.T, pictures.items()):
        column[0].set_title(name, fontsize=10)
        for axis, values in zip(column, picture.values):
            axis.imshow(_slice(values), interpolation="nearest", **_colours(picture))
            axis.set_axis_off()
    for axis, values in zip(axes[:, 0], lesion):
        if (truth := _slice(values) > 0.5).any():
            axis.contour(truth, levels=[0.5], colors=_LESION_COLOUR, linewidths=1)
    figure.suptitle(title, fontsize=11)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)


def _slice(values: Tensor) -> np.ndarray:
    """A sample of two dimensions as it is; of three, its middle slice along the first."""
    array = values.float().cpu().numpy()
    return array[len(array) // 2] if array.ndim == 3 else array


def _colours(picture: Picture) -> dict[str, Any]:
    if picture.kind == "tissues":
        return {"cmap": "nipy_spectral", "vmin": 0, "vmax": max(8.5, float(picture.values.max()))}
    if picture.kind == "difference":
        return {"cmap": "RdBu_r", "vmin": -_DIFFERENCE, "vmax": _DIFFERENCE}
    return {"cmap": "gray", "vmin": _GREY[0], "vmax": _GREY[1]}
