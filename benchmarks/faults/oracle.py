"""Whether something in an image file gives its damage away: judged without disanat's own checks."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

__all__ = ["given_away"]

_BITS = {2: 8, 4: 16, 8: 32, 16: 32, 64: 64, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64}


def given_away(path: Path) -> str:
    """What gives a damaged file away, in a word or two; empty where nothing does."""
    if path.is_dir() or not path.exists():
        return "" if path.exists() else "absent"
    data = path.read_bytes()
    if path.name.endswith(".gz") and data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return "gzip"
    if ".nii" in path.name:
        return _nifti(data)
    if path.name.endswith((".mha", ".mhd")):
        return _metaimage(data)
    return _nrrd(data)


def _nifti(data: bytes) -> str:
    if len(data) < 352:
        return "length"
    order = "<" if data[:4] == struct.pack("<i", 348) else ">"
    if struct.unpack_from(f"{order}i", data)[0] != 348 or data[344:347] != b"n+1":
        return "magic"
    dims = struct.unpack_from(f"{order}8h", data, 40)
    kind, bits = struct.unpack_from(f"{order}2h", data, 70)
    pixdim = struct.unpack_from(f"{order}4f", data, 76)[1:]
    offset, slope, _ = struct.unpack_from(f"{order}3f", data, 108)
    if not 1 <= dims[0] <= 7 or min(dims[1 : 1 + dims[0]]) < 1:
        return "dim"
    if _BITS.get(kind, bits) != bits:
        return "bitpix"
    if not all(math.isfinite(p) and p > 0 for p in pixdim[: min(3, dims[0])]):
        return "pixdim"
    if not math.isfinite(offset) or math.isinf(slope):
        return "offset or slope"
    return "length" if math.prod(dims[1 : 1 + dims[0]]) * bits // 8 + offset != len(data) else ""


def _metaimage(data: bytes) -> str:
    head, found, body = data.partition(b"ElementDataFile = LOCAL\n")
    if not found:
        return "header"
    fields = dict(line.split(b" = ", 1) for line in head.splitlines() if b" = " in line)
    if fields.get(b"CompressedData") == b"True":
        try:
            body = zlib.decompress(body)
        except zlib.error:
            return "zlib"
    return _size(fields.get(b"DimSize", b""), fields.get(b"ElementType", b""), body)


def _nrrd(data: bytes) -> str:
    head, found, body = data.partition(b"\n\n")
    if not found:
        return "header"
    fields = dict(line.split(b": ", 1) for line in head.splitlines() if b": " in line)
    if fields.get(b"encoding") == b"gzip":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return "gzip"
    return _size(fields.get(b"sizes", b""), fields.get(b"type", b""), body)


def _size(sizes: bytes, kind: bytes, body: bytes) -> str:
    width = {b"MET_SHORT": 2, b"MET_FLOAT": 4, b"short": 2, b"float": 4}.get(kind)
    try:
        size = [int(word) for word in sizes.split()]
    except ValueError:
        return "size"
    return "length" if width and math.prod(size) * width != len(body) else ""
