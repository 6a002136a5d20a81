"""Pictures of a prediction: scan, PHI, anomaly map, mask and truth, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from disanat.errors import DatasetError
from disanat.home import atomic_path
from disanat.io.images import Scan, read_labels, read_scan
from disanat.reporting.place import brain_box, brightest, most_anomalous

__all__ = ["PanelRow", "case_panel", "set_panel"]

_MASK_COLOUR = (1.0, 0.25, 0.2)
_TRUTH_COLOUR = (0.2, 0.9, 0.35)
_DPI = 90


@dataclass(frozen=True)
class PanelRow:
    """What one row (or one figure) shows: a scan's file, where its predictions lie, its truth."""

    scan: Path
    predictions: Path
    case: str
    channel: int
    label: Path | None
    title: str


@dataclass(frozen=True)
class _Volumes:
    """Everything drawn of one case, cropped to the brain; axes S, P, L."""

    scan: np.ndarray
    phi: np.ndarray
    anomaly: np.ndarray
    mask: np.ndarray
    truth: np.ndarray | None
    spacing: tuple[float, float, float]
    grey: tuple[float, float]
    brightest: float
    """Upper end of the anomaly map's colours."""


def case_panel(
    scan: Path,
    predictions: Path,
    case: str,
    channel: int,
    label: Path | None,
    target: Path,
    title: str,
) -> None:
    """Write one PNG: axial, coronal and sagittal planes through the lesion's strongest place.

    Without a label, or with an empty one, the planes go through the anomaly's strongest place.
    Shown as radiologists do: the patient's left is on the right, anterior is up.

    Args:
        scan: the input image of this channel.
        predictions: the folder that `disanat_predict` wrote.
        case: name of the case there.
        channel: whose pseudo-healthy image to show.
        label: expert mask on the scan's grid, or None.
        target: the PNG to write.
        title: above the picture.

    Raises:
        DatasetError: a file lies on another grid than the scan.
        ImageError: a file is missing or unreadable.
    """
    volumes = _load(PanelRow(scan, predictions, case, channel, label, title))
    focus = _focus(volumes)
    columns = _columns(volumes)
    figure = Figure(figsize=(2.3 * len(columns), 7.2), layout="constrained")
    axes = figure.subplots(3, len(columns), squeeze=False)
    for row, plane in zip(axes, range(3)):
        _draw_row(row, volumes, plane, focus[plane])
    for axis, name in zip(axes[0], columns):
        axis.set_title(name, fontsize=10)
    figure.suptitle(title, fontsize=11)
    _save(figure, target)


def set_panel(rows: Sequence[PanelRow], target: Path, title: str) -> None:
    """Write one PNG with an axial row for each case.

    Raises:
        DatasetError: there are no rows, or a file lies on another grid than its scan.
        ImageError: a file is missing or unreadable.
    """
    if not rows:
        raise DatasetError(f"{target} would show no case: predict at least one first.")
    names = _column_names(any(row.label for row in rows))
    figure = Figure(figsize=(2.3 * len(names), 2.5 * len(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(rows), len(names), squeeze=False)
    for cells, row in zip(axes, rows):
        volumes = _load(row)
        _draw_row(cells, volumes, 0, _focus(volumes)[0])
        cells[0].set_ylabel(row.title, fontsize=9)
    for axis, name in zip(axes[0], names):
        axis.set_title(name, fontsize=10)
    figure.suptitle(title, fontsize=11)
    _save(figure, target)


def _column_names(with_truth: bool) -> tuple[str, ...]:
    names = ("scan", "PHI", "anomaly map", "mask")
    return (*names, "truth") if with_truth else names


def _columns(volumes: _Volumes) -> tuple[str, ...]:
    return _column_names(volumes.truth is not None)


def _same_shape(scan: Scan, other: Scan) -> np.ndarray:
    if scan.array.shape != other.array.shape:
        raise DatasetError(
            f"{other.path} lies on another grid than {scan.path}: predict that scan again."
        )
    return other.array


def _load(row: PanelRow) -> _Volumes:
    scan = read_scan(row.scan)
    base = row.predictions / row.case
    anomaly = _same_shape(scan, read_scan(base.with_name(f"{row.case}_anomaly.nii.gz")))
    phi_path = base.with_name(f"{row.case}_{row.channel:04d}_phi.nii.gz")
    phi = _same_shape(scan, read_scan(phi_path))
    mask = _same_shape(scan, read_labels(base.with_name(f"{row.case}.nii.gz"))) > 0
    brain = _same_shape(scan, read_labels(base.with_name(f"{row.case}_brainmask.nii.gz"))) > 0
    truth = _same_shape(scan, read_labels(row.label)) > 0 if row.label else None
    box = brain_box(brain if truth is None else brain | truth, scan.spacing)
    inside = scan.array[brain] if brain.any() else scan.array
    low, high = np.percentile(inside, (0.5, 99.5))
    return _Volumes(
        scan.array[box],
        phi[box],
        anomaly[box],
        mask[box],
        truth[box] if truth is not None else None,
        scan.spacing,
        (float(low), float(max(high, low + 1e-6))),
        brightest(_threshold(row.predictions), anomaly),
    )


def _threshold(predictions: Path) -> float:
    """As it was stored; 0 where that cannot be read."""
    try:
        stored = json.loads((predictions / "prediction.json").read_text(encoding="utf-8"))
        return float(stored["threshold"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _focus(volumes: _Volumes) -> tuple[int, int, int]:
    """The voxel where the anomaly, within the lesion if there is one, is strongest when blurred."""
    strength = np.clip(volumes.anomaly, 0.0, volumes.brightest)
    if volumes.truth is not None and volumes.truth.any():
        # A missed lesion is shown too, hence the little addition.
        strength = volumes.truth * (strength + 0.05 * volumes.brightest)
    return most_anomalous(strength, volumes.spacing)


def _cut(array: np.ndarray, plane: int, index: int) -> np.ndarray:
    """A plane as it is drawn: superior (or anterior) up, left (or posterior) to the right."""
    image = np.take(array, index, axis=plane)
    return image if plane == 0 else image[::-1]


def _aspect(plane: int, spacing: tuple[float, float, float]) -> float:
    down, right = (mm for axis, mm in enumerate(spacing) if axis != plane)
    return down / right


def _overlay(
    axis: Axes, region: np.ndarray, colour: tuple[float, float, float], aspect: float
) -> None:
    layer = np.zeros((*region.shape, 4), np.float32)
    layer[region] = (*colour, 0.65)
    axis.imshow(layer, aspect=aspect, interpolation="nearest")


def _draw_row(axes: np.ndarray, volumes: _Volumes, plane: int, index: int) -> None:
    aspect = _aspect(plane, volumes.spacing)
    low, high = volumes.grey

    def grey(axis: Axes, array: np.ndarray) -> None:
        image = _cut(array, plane, index)
        axis.imshow(image, cmap="gray", vmin=low, vmax=high, aspect=aspect)

    grey(axes[0], volumes.scan)
    grey(axes[1], volumes.phi)
    anomaly = _cut(volumes.anomaly, plane, index)
    axes[2].imshow(anomaly, cmap="hot", vmin=0.0, vmax=volumes.brightest, aspect=aspect)
    grey(axes[3], volumes.scan)
    _overlay(axes[3], _cut(volumes.mask, plane, index), _MASK_COLOUR, aspect)
    if volumes.truth is not None:
        grey(axes[4], volumes.scan)
        _overlay(axes[4], _cut(volumes.truth, plane, index), _TRUTH_COLOUR, aspect)
    for number, axis in enumerate(axes):
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set_facecolor("black")
        if number >= len(_columns(volumes)):
            axis.set_axis_off()


def _save(figure: Figure, target: Path) -> None:
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")
