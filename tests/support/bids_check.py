"""The validator of BIDS itself, where it is installed; it needs no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NAME = "bids-validator-deno"


def issues(dataset: Path, severity: str = "error") -> list[str]:
    """What the validator finds wrong, as code and place; skips the test without a validator."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which(NAME, path=beside) or shutil.which(NAME)
    if program is None:
        pytest.skip(f"{NAME} is not installed")
    done = subprocess.run(
        [program, str(dataset), "--format", "json"], capture_output=True, text=True, timeout=120
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["issues"]["issues"]
    return [
        f"{one['code']} {one.get('subCode', '')} {one.get('location')}"
        for one in found
        if one["severity"] == severity
    ]
