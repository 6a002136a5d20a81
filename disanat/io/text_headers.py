"""What the text headers of MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr) claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from disanat.io.claim import Claim, HeaderError

__all__ = ["metaimage_claim", "nrrd_claim"]

_NO_HEADER = "cannot be read as an image, for it does not begin with a {} header"
_META_TYPES = {
    "CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4",
    "LONG_LONG": "i8", "ULONG_LONG": "u8", "FLOAT": "f4", "DOUBLE": "f8",
}  # fmt: skip
_NRRD_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_KINDS = {name: kind for kind, names in _NRRD_TYPES.items() for name in names}


def metaimage_claim(path: Path, start: bytes) -> Claim | None:
    """Read the beginning of a .mha or .mhd file; None where the voxels lie in several files.

    Raises:
        HeaderError: it is no MetaImage header, or one that cannot be true.
    """
    fields: dict[str, str] = {}
    offset = 0
    while "ElementDataFile" not in fields:
        line, _, _ = start[offset:].partition(b"\n")
        key, equals, value = line.decode("latin-1").partition("=")
        if not equals or len(start) <= offset:
            raise HeaderError(_NO_HEADER.format("MetaImage"))
        fields[key.strip()] = value.strip()
        offset += len(line) + 1
    source = fields["ElementDataFile"]
    if source == "LIST" or "%" in source or int(_number(fields.get("HeaderSize", "0"))):
        return None
    shape = _whole(_required(fields, "DimSize"))
    spacing = fields.get("ElementSpacing") or _required(fields, "ElementSize")
    _check_spacing(_numbers(spacing))
    if _whole(_required(fields, "NDims")) != (len(shape),) or len(spacing.split()) != len(shape):
        raise HeaderError("has a header that contradicts itself about the number of axes")
    kind = _META_TYPES.get(_required(fields, "ElementType").removeprefix("MET_"))
    if kind is None:
        raise HeaderError(f"has voxels of an unknown kind ({fields['ElementType']})")
    parts = _whole(fields.get("ElementNumberOfChannels", "1"))
    compressed = fields.get("CompressedData", "False").lower() == "true"
    stored = fields.get("CompressedDataSize") if compressed else None
    return Claim(
        (*shape, *parts) if parts != (1,) else shape,
        np.dtype(kind),
        offset if source == "LOCAL" else 0,
        "zlib" if compressed else "",
        None if source == "LOCAL" else path.parent / source,
        None if stored is None else _whole(stored)[0],
    )


def nrrd_claim(path: Path, start: bytes) -> Claim | None:
    """Read the beginning of a .nrrd or .nhdr file; None for a rare encoding or several files.

    Raises:
        HeaderError: it is no NRRD header, or one that cannot be true.
    """
    if not start.startswith(b"NRRD000"):
        raise HeaderError(_NO_HEADER.format("NRRD"))
    ends = (at + len(b) for b in (b"\n\n", b"\r\n\r\n") if (at := start.find(b)) >= 0)
    end = min(ends, default=0)
    lines = (start[:end] if end else start).decode("latin-1").splitlines()[1:]
    pairs = [line.partition(":") for line in lines if line and line[0] != "#" and ":=" not in line]
    fields = {key.strip().lower(): value.strip() for key, _, value in pairs}
    source = fields.get("data file", fields.get("datafile"))
    encoding = fields.get("encoding", "").lower()
    skips = any(key.replace(" ", "") in ("lineskip", "byteskip") for key in fields)
    if skips or encoding not in ("raw", "gzip", "gz") or (source or "").startswith("LIST"):
        return None
    if source is None and not end:
        raise HeaderError("has a NRRD header without an end")
    if not {"space directions", "spacings"} & set(fields):
        raise HeaderError("does not say in its header how large its voxels are")
    kind = _KINDS.get(_required(fields, "type").lower())
    if kind is None:
        raise HeaderError(f"has voxels of an unknown kind ({fields['type']})")
    if source is not None and (" " in source and "%" in source):
        return None
    return Claim(
        _whole(_required(fields, "sizes")),
        np.dtype(kind),
        end if source is None else 0,
        "" if encoding == "raw" else "gzip",
        None if source is None else path.parent / source,
    )


def _required(fields: dict[str, str], key: str) -> str:
    if not fields.get(key):
        raise HeaderError(f"has a header without '{key}'")
    return fields[key]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise HeaderError(f"has {text[:20]!r} in its header where a number must be") from None


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(_number(word) for word in text.split())


def _whole(text: str) -> tuple[int, ...]:
    values = _numbers(text)
    if not values or not all(v.is_integer() and v > 0 for v in values):
        raise HeaderError(f"has {text[:40]!r} in its header where whole numbers above 0 must be")
    return tuple(int(v) for v in values)


def _check_spacing(spacing: tuple[float, ...]) -> None:
    if not (np.isfinite(spacing).all() and min(spacing) > 0):
        stated = " x ".join(f"{s:g}" for s in spacing)
        raise HeaderError(f"says in its header that its voxels have the size {stated}")
