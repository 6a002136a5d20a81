"""What the numbers of a label map mean, for viewers: ITK-SNAP and 3D Slicer."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

from disanat.home import atomic_path

__all__ = ["SLICER_TABLE", "SNAP_TABLE", "label_colour", "write_label_tables"]

SNAP_TABLE = "anatomy_labels_itksnap.txt"
SLICER_TABLE = "anatomy_labels.ctbl"
_COLOURS = {
    "csf": (90, 160, 230), "outer_csf": (90, 160, 230), "ventricles": (30, 80, 190),
    "grey": (205, 120, 90), "cortical_grey": (205, 120, 90), "deep_grey": (225, 180, 60),
    "white": (240, 235, 220), "cerebellar_grey": (150, 95, 165),
    "cerebellar_white": (215, 185, 225), "brainstem": (110, 175, 110), "sulci": (120, 205, 235),
    "cerebellar_fissures": (75, 130, 165), "light_cortex": (235, 175, 145),
    "dark_white": (200, 195, 170),
}  # fmt: skip
_SNAP_HEADER = """\
################################################
# ITK-SnAP Label Description File
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
################################################
"""


def label_colour(name: str, number: int) -> tuple[int, int, int]:
    """Red, green and blue (0 to 255) of a class; one that is not known gets a hue of its own."""
    if name in _COLOURS:
        return _COLOURS[name]
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618 % 1, 0.6, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)


def write_label_tables(classes: Sequence[str], folder: Path) -> None:
    """Write both tables for a map whose number i is the i-th class, from 1 on.

    Args:
        classes: names, without spaces.
        folder: where to.
    """
    colours = [label_colour(name, number) for number, name in enumerate(classes, start=1)]
    snap = [f"{0:5} {0:5}{0:5}{0:5} {0:8}{0:3}{0:3}    \"Clear Label\""]
    slicer = ["# Color table file", f"# {len(classes) + 1} values", "0 background 0 0 0 0"]
    for number, (name, (red, green, blue)) in enumerate(zip(classes, colours), start=1):
        snap.append(f"{number:5} {red:5}{green:5}{blue:5} {1:8}{1:3}{1:3}    \"{name}\"")
        slicer.append(f"{number} {name} {red} {green} {blue} 255")
    for table, text in ((SNAP_TABLE, _SNAP_HEADER), (SLICER_TABLE, "")):
        lines = snap if table == SNAP_TABLE else slicer
        with atomic_path(folder / table) as temporary:
            temporary.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
