"""Ways to spoil a sound input; each says in a few words what it did."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import SimpleITK as sitk

__all__ = [
    "spoil_bytes",
    "spoil_csv",
    "spoil_dicom",
    "spoil_header",
    "spoil_json",
    "spoil_names",
    "spoil_volume",
]

_NUMBERS = (0, -1, 1, 2, 0.5, 1e10, -1e10, 1e-10, 30000, float("nan"), float("inf"), 77, 255)
_FIELDS = {
    "sizeof_hdr": (0, "i"), "dim0": (40, "h"), "dim1": (42, "h"), "dim2": (44, "h"),
    "dim3": (46, "h"), "dim4": (48, "h"), "datatype": (70, "h"), "bitpix": (72, "h"),
    "qfac": (76, "f"), "pixdim1": (80, "f"), "pixdim2": (84, "f"), "pixdim3": (88, "f"),
    "vox_offset": (108, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"), "qform_code": (252, "h"), "sform_code": (254, "h"),
    "quatern_b": (256, "f"), "qoffset_x": (268, "f"), "srow_x0": (280, "f"),
    "srow_x1": (284, "f"), "srow_x3": (292, "f"), "srow_y1": (300, "f"), "magic": (344, "i"),
}  # fmt: skip
_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2.5, 1e300, float("nan"), float("inf"), 10**400, "", "8", "\n", "x" * 5000,
    [], [[]], {}, {"a": 1}, [None], "ü\u0000",
)  # fmt: skip


def spoil_bytes(rng: Random, path: Path) -> str:
    """Flip, cut, add, blank or repeat bytes of any file."""
    data = bytearray(path.read_bytes())
    way = rng.choice(("flip", "flip", "cut", "cut end", "add", "blank", "repeat", "empty"))
    at = rng.randrange(len(data))
    if way == "flip":
        for _ in range(rng.choice((1, 1, 3, 20))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == "cut":
        del data[at:]
    elif way == "cut end":
        del data[-rng.choice((1, 4, 8, 9, 40)) :]
    elif way == "add":
        data += bytes(rng.randrange(256) for _ in range(rng.choice((1, 16, 400))))
    elif way == "blank":
        data[at : at + 64] = bytes(len(data[at : at + 64]))
    elif way == "repeat":
        data[at:at] = data[at : at + 100]
    else:
        data.clear()
    path.write_bytes(bytes(data))
    return f"bytes: {way}"


def spoil_header(rng: Random, path: Path) -> str:
    """Put an odd number into a field of the header, or an odd word into a text header."""
    packed = path.name.endswith(".gz")
    data = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    if ".nii" in path.name:
        name = rng.choice(list(_FIELDS))
        offset, kind = _FIELDS[name]
        value = rng.choice(_NUMBERS)
        if kind != "f":
            whole = int(value) if np.isfinite(value) else 99
            value = whole % 256 if kind == "B" else max(-32768, min(32767, whole))
        struct.pack_into(f"<{kind}", data, offset, value)
    else:
        end = max(data.find(b"\n\n"), data.find(b"LOCAL"))
        words = [w for w in bytes(data[:end]).replace(b",", b" ").split() if len(w) > 1 or w > b"0"]
        old, value = rng.choice(words), str(rng.choice((*_NUMBERS, "", "what", "8 9 7"))).encode()
        data[:end] = bytes(data[:end]).replace(old, value, 1)
        name = old.decode("latin-1")
    path.write_bytes(gzip.compress(bytes(data), 1) if packed else bytes(data))
    return f"header: {name}={value!r}"


def spoil_json(rng: Random, path: Path) -> str:
    """Put an odd value at any depth, take a key out, add one, or spoil the text itself."""
    way = rng.choice(("value", "value", "value", "value", "drop", "extra", "text", "bytes"))
    if way == "bytes":
        return spoil_bytes(rng, path)
    if way == "text":
        text = path.read_text(encoding="utf-8")
        spoilt: tuple[Callable[[], bytes], ...] = (
            lambda: b"\xef\xbb\xbf" + text.encode(),
            lambda: text.encode("utf-16"),
            lambda: b"[" * 200_000,
            lambda: text.replace("{", '{"a": 1, "a": 2, ', 1).encode(),
            lambda: b"[" + text.encode() + b"]",
            lambda: text.replace('"', "'").encode(),
        )
        number = rng.randrange(len(spoilt))
        path.write_bytes(spoilt[number]())
        return f"text: {number}"
    data = json.loads(path.read_text(encoding="utf-8"))
    places = list(_places(data))
    holder, key = rng.choice(places)
    if way == "drop":
        del holder[key]
    elif way == "extra" and isinstance(holder, dict):
        holder["surprise"] = rng.choice(_ODD[:12])
    else:
        holder[key] = rng.choice(_ODD)
    path.write_text(json.dumps(data), encoding="utf-8")
    return f"{way}: {key}"


def _places(value: Any) -> Any:
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


def spoil_csv(rng: Random, path: Path) -> str:
    """Put an odd cell into a table, or spoil its bytes."""
    lines = path.read_text(encoding="utf-8").splitlines()
    odd = rng.choice(("nan", "inf", "x", '"', "", "a,b,c", "\u0000", "y" * 200_000, "1e999"))
    row = rng.randrange(len(lines) + 1)
    if row == len(lines):
        return spoil_bytes(rng, path)
    cells = lines[row].split(",")
    cells[rng.randrange(len(cells))] = odd
    lines[row] = ",".join(cells)
    path.write_text("\n".join(lines) + rng.choice(("\n", "\n" + lines[-1] + "\n")))
    return f"cell: {odd[:8]!r} in row {row}"


def spoil_dicom(rng: Random, folder: Path) -> str:
    """Take a slice out, cut it, double it, or put a foreign file or series beside it."""
    files = sorted(folder.iterdir())
    one = rng.choice(files[1:-1])
    way = rng.choice(("missing", "bytes", "double", "text", "empty", "second series", "other file"))
    if way == "missing":
        one.unlink()
    elif way == "bytes":
        return spoil_bytes(rng, one)
    elif way == "double":
        shutil.copy(one, folder / "copy.dcm")
    elif way == "second series":
        spoil = one.read_bytes().replace(b"43.2.1", b"43.2.7")
        (folder / "other.dcm").write_bytes(spoil)
    elif way == "other file":
        (folder / "notes.txt").write_text("hello")
    else:
        (folder / "x.dcm").write_bytes(b"hello" if way == "text" else b"")
    return way


def spoil_names(rng: Random, folder: Path) -> str:
    """Odd names and kinds of files beside the scans of a folder."""
    scan = sorted(p for p in folder.iterdir() if p.is_file())[0]
    way = rng.choice((
        "case", "unicode", "space", "doubled", "broken link", "loop", "pipe", "newline",
        "surrogate", "link", "long", "normalised", "device", "empty folder",
    ))  # fmt: skip
    odd = {
        "case": scan.name.upper().replace(".NII.GZ", ".nii.gz"),
        "unicode": "größe_東京_0000.nii.gz",
        "space": " a b  c_0000.nii.gz",
        "doubled": scan.name.replace(".nii.gz", ".nii"),
        "newline": "a\nb_0000.nii.gz",
        "surrogate": "a\udcff_0000.nii.gz",
        "long": "x" * 240 + ".nii.gz",
        "normalised": "e\u0301_0000.nii.gz",
    }
    if way in odd:
        shutil.copy(scan, folder / odd[way])
        if way == "normalised":
            shutil.copy(scan, folder / "\u00e9_0000.nii.gz")
    elif way == "pipe":
        os.mkfifo(folder / "pipe_0000.nii.gz")
    elif way == "empty folder":
        for path in folder.iterdir():
            path.unlink()
    else:
        links = {"broken link": "nowhere", "loop": "odd_0000.nii.gz", "device": "/dev/zero"}
        (folder / "odd_0000.nii.gz").symlink_to(links.get(way, scan.resolve()))
    return way


def spoil_volume(rng: Random, path: Path) -> str:
    """Replace an image by one of an odd size, kind, content or grid."""
    flat = ((1, 36, 30), (30, 1, 30), (30, 36, 1), (1, 1, 1), (2, 900, 2))
    shape = rng.choice(((30, 36, 30), *flat))
    kind = rng.choice(("int8", "uint8", "int16", "uint16", "int32", "int64", "float32", "float64"))
    values = np.random.default_rng(rng.randrange(9999)).integers(0, 100, shape).astype(kind)
    odd = rng.choice(("nothing", "nan", "inf", "huge", "constant", "negative", "fraction"))
    if odd in ("nan", "inf", "huge", "fraction") and kind.startswith("f"):
        values.flat[0] = {"nan": np.nan, "inf": np.inf, "huge": 3e38, "fraction": 0.5}[odd]
    elif odd == "constant":
        values[:] = 7
    elif odd == "negative" and not kind.startswith("u"):
        values.flat[0] = -1
    image = sitk.GetImageFromArray(values)
    spacing = rng.choice(((5.0, 5.0, 5.0), (0.1, 0.1, 40.0), (1e-4, 1, 1), (1e4, 1, 1)))
    image.SetSpacing(spacing)
    if rng.random() < 0.3:
        image.SetDirection((1, 0.4, 0, 0, 1, 0, 0, 0, 1))
    path.unlink()
    target = path.with_name(path.name.replace(".nii.gz", rng.choice((".nii.gz", ".mha", ".nrrd"))))
    sitk.WriteImage(image, str(target), True)
    return f"volume: {kind} {shape} {odd} {spacing}"
