"""Pictures of one case: a column of three planes for each image, and sprites for the viewer.

Shown as radiologists do: the patient's left is on the right. Anterior is up, and to the right in
sagittal planes, as the slice viewer has it.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from disanat.reporting.report.volumes import Shown

__all__ = ["COLUMNS", "Column", "colours", "columns", "sprite_columns", "sprites"]

COLUMNS = {
    "scan": "scan",
    "phi": "PHI (pseudo-healthy)",
    "anomaly": "anomaly map",
    "mask": "lesion mask",
    "truth": "expert mask",
}
_MASK_COLOUR = (255, 64, 51)
_TRUTH_COLOUR = (51, 230, 89)
_OPACITY = 0.55
_GAP = 4
_MARK_PIXELS = 13
_MARK_COLOUR = (255, 214, 102)
_COLUMN_PIXELS = 190
"""Width that a column of pictures has at least: marks must be readable in thick or coarse scans."""
_QUALITY = {"panel": 78, "sprite": 55}
_EFFORT = 3
"""Of WebP, 0 to 6; more takes much longer for little."""


@dataclass(frozen=True)
class Column:
    """Axial, coronal and sagittal plane of one image, one below the other."""

    key: str
    title: str
    width: int
    height: int
    data: str
    """A `data:` address."""


@lru_cache(maxsize=1)
def colours() -> np.ndarray:
    """The colours of the anomaly map: uint8, 256 x 3."""
    return np.rint(colormaps["inferno"](np.arange(256))[:, :3] * 255).astype(np.uint8)


def columns(shown: Shown) -> list[Column]:
    """The pictures of a case through its most anomalous place."""
    there = {"scan": shown.scan, "phi": shown.phi, "truth": shown.truth}
    made = []
    for key, title in COLUMNS.items():
        if there.get(key, shown.mask) is not None:
            picture = _stacked([_painted(shown, key, axis) for axis in range(3)])
            data = _address(picture, _QUALITY["panel"])
            made.append(Column(key, title, *picture.size, data))
    return made


def sprites(shown: Shown) -> dict[str, str]:
    """For each volume all its sagittal slices in one picture, as a `data:` address.

    Slices follow each other from the patient's right to the left, row by row; a slice has anterior
    to the right and superior up.
    """
    volumes = {"scan": shown.scan, "phi": shown.phi, "anomaly": shown.anomaly}
    for place, (scan, phi) in enumerate(shown.further, start=1):
        volumes |= {f"scan{place}": scan, f"phi{place}": phi}
    made = {
        key: _address(Image.fromarray(_mosaic(volume)), _QUALITY["sprite"])
        for key, volume in volumes.items()
        if volume is not None
    }
    for key, mask in {"mask": shown.mask, "truth": shown.truth}.items():
        if mask is not None:
            made[key] = _exact(_mosaic(mask))
    return made


def _painted(shown: Shown, key: str, axis: int) -> np.ndarray:
    """One plane through the focus in colour, uint8, height x width x 3."""

    def cut(volume: np.ndarray) -> np.ndarray:
        plane = np.take(volume, shown.focus[axis], axis)
        return (plane, plane[::-1], plane[::-1, ::-1])[axis]

    if key == "anomaly":
        return np.asarray(colours()[cut(shown.anomaly)])
    ground = shown.scan if key != "phi" and shown.scan is not None else shown.phi
    grey = cut(ground if ground is not None else np.zeros_like(shown.anomaly))
    painted = np.repeat(grey[..., None], 3, axis=2)
    for name, mask, colour in (
        ("mask", shown.mask, _MASK_COLOUR), ("truth", shown.truth, _TRUTH_COLOUR)
    ):  # fmt: skip
        if key == name and mask is not None:
            where = cut(mask)
            painted[where] = (1 - _OPACITY) * painted[where] + _OPACITY * np.array(colour)
    return painted


def _stacked(planes: list[np.ndarray]) -> Image.Image:
    """Planes in the middle of one column, with the patient's sides marked."""
    width = max(plane.shape[1] for plane in planes)
    scale = max(1.0, _COLUMN_PIXELS / width)
    parts = [
        Image.fromarray(plane).resize(
            (round(plane.shape[1] * scale), round(plane.shape[0] * scale)), Image.Resampling.BICUBIC
        )
        for plane in planes
    ]
    height = sum(part.height for part in parts) + _GAP * (len(parts) - 1)
    column = Image.new("RGB", (round(width * scale), height))
    draw, font = ImageDraw.Draw(column), ImageFont.load_default(_MARK_PIXELS)
    top = 0
    for part, (left, right) in zip(parts, (("R", "L"), ("R", "L"), ("P", "A"))):
        column.paste(part, ((column.width - part.width) // 2, top))
        draw.text((3, top + 2), left, _MARK_COLOUR, font)
        draw.text((column.width - 3, top + 2), right, _MARK_COLOUR, font, anchor="ra")
        top += part.height + _GAP
    return column


def _mosaic(volume: np.ndarray) -> np.ndarray:
    """Sagittal slices beside each other, uint8; the last row is filled up with black."""
    slices = np.moveaxis(volume, 2, 0)[:, ::-1, ::-1]
    if slices.dtype == bool:
        slices = slices * np.uint8(255)
    count, height, width = slices.shape
    across = sprite_columns(count, height, width)
    down = -(-count // across)
    filled = np.zeros((down * across, height, width), np.uint8)
    filled[:count] = slices
    rows = filled.reshape(down, across, height, width).swapaxes(1, 2)
    return rows.reshape(down * height, across * width)


def sprite_columns(count: int, height: int, width: int) -> int:
    """How many slices stand in a row, so that the sprite is about square."""
    return max(1, min(count, round((count * height / width) ** 0.5)))


def _address(picture: Image.Image, quality: int) -> str:
    """A picture with losses that the eye does not see, as a `data:` address."""
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=quality, method=_EFFORT)
    return _as_address("webp", stream)


def _exact(mask: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(mask).convert("1").save(stream, "PNG", optimize=True)
    return _as_address("png", stream)


def _as_address(kind: str, stream: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
