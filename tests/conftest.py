"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _no_home_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own DISANAT_HOME must not decide what a test sees."""
    monkeypatch.delenv("DISANAT_HOME", raising=False)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; tests that need it skip where it is absent."""
    folder = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}: set DISANAT_TEST_DATA to run this test")
    return folder
