"""Whether an image file is whole: its header against its data, and the checksums in it.

SimpleITK reads the voxels but not the end of a compressed file, where its checksum is, and takes
what is missing for 0. So each file is gone through once before, without keeping it in memory.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from disanat.errors import ImageError
from disanat.io.claim import Claim, HeaderError
from disanat.io.mgh import MGH_ENDINGS, mgh_claim
from disanat.io.nifti import nifti_claim
from disanat.io.text_headers import metaimage_claim, nrrd_claim

__all__ = ["available_memory", "check_file"]

_HEADER_BYTES = 1 << 16
_CHUNK = 1 << 22
_UNIT = 16
"""Bytes of the longest number."""
_COPY = "copy it again, or export the scan again"
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)


def check_file(path: Path, to_read: bool = True) -> int:
    """Go through a file once; returns how many of its voxels are NaN or infinite.

    Only NIfTI's voxels are counted, and rare forms of the other formats are left to SimpleITK.

    Args:
        path: of the image.
        to_read: whether its voxels must fit into the memory.

    Raises:
        ImageError: the file is cut short, damaged, or has a header that cannot be true, or more
            voxels than fit into the memory.
    """
    try:
        claim = _claim(path)
        if claim is None:
            return 0
        if to_read:
            _check_memory(path, claim)
        return _check_data(path, claim)
    except HeaderError as fault:
        raise ImageError(f"{path} {fault}: {_COPY}.") from fault
    except _DAMAGED as cause:
        raise ImageError(f"{path} is cut short or damaged: {_COPY}.") from cause
    except OSError as cause:
        raise ImageError(
            f"{path} cannot be read ({cause.strerror or cause}): check that it is still there and "
            "may be read."
        ) from cause


def available_memory() -> int:
    """Bytes that may still be used, as far as the system tells; else the machine's memory."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _claim(path: Path) -> Claim | None:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz", *MGH_ENDINGS)):
        with _unpacked(path) as handle:
            start = handle.read(_HEADER_BYTES)
        return mgh_claim(start) if name.endswith(MGH_ENDINGS) else nifti_claim(start)
    with open(path, "rb") as handle:
        start = handle.read(_HEADER_BYTES)
    if name.endswith((".mha", ".mhd")):
        return metaimage_claim(path, start)
    if name.endswith((".nrrd", ".nhdr")):
        return nrrd_claim(path, start)
    return None


def _is_packed(path: Path) -> bool:
    """A .nii.gz that is not compressed at all is read as it is, as SimpleITK does."""
    if not path.name.lower().endswith((".gz", ".mgz")):
        return False
    with open(path, "rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def _unpacked(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path, "rb") if _is_packed(path) else open(path, "rb")


def _check_memory(path: Path, claim: Claim) -> None:
    """Reading keeps two copies as they are stored, and two of four bytes a voxel."""
    needed, there = claim.voxels * (2 * claim.dtype.itemsize + 8), available_memory()
    if needed > there:
        size = "x".join(map(str, claim.shape))
        raise ImageError(
            f"{path} says in its header that its size is {size}, for which {needed / 1e9:.0f} GB "
            f"of memory are needed and {there / 1e9:.0f} GB are free: check that it is a single "
            "scan, or export it again."
        )


def _check_data(path: Path, claim: Claim) -> int:
    """All bytes after the header are counted; there must be just as many as it says."""
    source = claim.data_file or path
    if not source.is_file():
        raise HeaderError(f"names {source.name} as the file with its voxels, which does not exist")
    counted = claim.dtype.kind == "f" and path.name.lower().endswith((".nii", ".nii.gz"))
    length, bad = 0, 0
    dtype = claim.dtype
    for chunk in _data(source, claim):
        length += len(chunk)
        if length > claim.bytes and not claim.tagged:
            raise HeaderError("holds more voxels than its header says")
        if counted:
            values = np.frombuffer(chunk, dtype, len(chunk) // dtype.itemsize)
            bad += len(values) - int(np.count_nonzero(np.isfinite(values)))
    if length < claim.bytes:
        raise HeaderError(
            f"is cut short: its header says that there are {claim.bytes} bytes of voxels, but "
            f"there are {length}"
        )
    return bad


def _data(source: Path, claim: Claim) -> Iterator[bytes]:
    if claim.compression == "zlib":
        yield from _inflated(source, claim)
        return
    if claim.compression == "gzip":
        with open(source, "rb") as raw:
            raw.seek(claim.offset)
            with gzip.GzipFile(fileobj=raw) as handle:
                yield from _chunks(handle)
        return
    if _is_packed(source):
        yield from _beyond(_gunzipped(source), claim.offset)
        return
    with open(source, "rb") as handle:
        _skip(handle, claim.offset)
        yield from _chunks(handle)


def _gunzipped(source: Path) -> Iterator[bytes]:
    """What gzip's own reader gives, checksums checked too, in larger pieces and half the time."""
    with open(source, "rb") as handle:
        packed = handle.read(_CHUNK)
        while packed:
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while not member.eof:
                data = member.decompress(packed, _CHUNK)
                if data:
                    yield data
                packed = member.unconsumed_tail
                if not (packed or member.eof):
                    packed = handle.read(_CHUNK)
                    if not (packed or data):
                        raise EOFError
            packed = member.unused_data or handle.read(_CHUNK)
            while packed and not (packed := packed.lstrip(b"\0")):  # some pad files with zeros
                packed = handle.read(_CHUNK)


def _beyond(chunks: Iterator[bytes], offset: int) -> Iterator[bytes]:
    """Without the first bytes, and cut where no number is cut in two."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) <= offset:
            held, offset = b"", offset - len(held)
            continue
        end = len(held) - (len(held) - offset) % _UNIT
        yield held[offset:end]
        held, offset = held[end:], 0
    if offset:
        raise HeaderError("ends before the place where its voxels begin")
    yield held


def _skip(handle: IO[bytes], count: int) -> None:
    """Read rather than seek: beyond the end a seek says nothing."""
    while count > 0:
        skipped = len(handle.read(min(count, _CHUNK)))
        if not skipped:
            raise HeaderError("ends before the place where its voxels begin")
        count -= skipped


def _chunks(handle: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while chunk := handle.read(_CHUNK):
        yield chunk


def _inflated(source: Path, claim: Claim) -> Iterator[bytes]:
    stored = source.stat().st_size - claim.offset
    if claim.stored_bytes not in (None, stored):
        what = "is cut short" if stored < (claim.stored_bytes or 0) else "is longer than it should"
        raise HeaderError(
            f"{what}: its header says that there are {claim.stored_bytes} compressed bytes, but "
            f"there are {stored}"
        )
    inflate = zlib.decompressobj()
    with open(source, "rb") as handle:
        handle.seek(claim.offset)
        for packed in _chunks(handle):
            while packed:
                yield inflate.decompress(packed, _CHUNK)
                packed = inflate.unconsumed_tail
    yield inflate.flush()
    if not inflate.eof or inflate.unused_data:
        raise EOFError
