"""A home for the command that plans, and a stand-in for what follows planning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planning_command import write


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "raw" / "Dataset007_Small"
    for number in range(4):
        write(folder / "imagesTr" / f"c{number}_0000.nii.gz", number)
    (folder / "dataset.json").write_text('{"channel_names": {"0": "T1"}}')
    return tmp_path


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stands in for preprocessing, and records what it was asked for."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "disanat.preprocessing.dataset.preprocess_dataset", lambda *a, **_: calls.append(a)
    )
    return calls
