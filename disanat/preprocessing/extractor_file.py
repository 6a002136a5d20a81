"""The file of the brain extractor that ships, known without the network that reads it.

Most preparation needs no network, and torch would cost it seconds and 200 MB a process.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from disanat.errors import ModelError

__all__ = ["FILE", "REMEDY", "shipped_digest"]

FILE = "brain_extractor.safetensors"
REMEDY = "install disanat again, or train it with benchmarks/brain_extractor.py"


@cache
def shipped_digest() -> str:
    """SHA-256 (hex) of the shipped weights' file: other weights find other masks.

    Raises:
        ModelError: the file is missing.
    """
    source = resources.files("disanat") / "pretrained" / FILE
    try:
        return hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as cause:
        raise ModelError(f"{source} cannot be read ({cause.strerror}): {REMEDY}.") from cause
