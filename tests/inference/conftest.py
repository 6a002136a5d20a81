"""The archive of a miniature model, and what is in it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from archive_files import Content

from disanat.inference.archive import write_archive


@pytest.fixture(scope="session")
def exported(once: Any, trained_home: Path) -> Path:
    """The archive of a miniature model; not to be changed."""
    fold = trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"
    made = once("archive", lambda folder: write_archive(fold, folder / "x.zip", "A. Maker"))
    return made / "x.zip"


@pytest.fixture
def content(exported: Path) -> Content:
    with zipfile.ZipFile(exported) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
