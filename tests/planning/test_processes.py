"""How many cases are worked on at once."""

from __future__ import annotations

import json
import logging
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.io.dataset import read_dataset
from planning import processes
from planning.processes import estimated_peak_gb, fitting_processes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "imagesTr"
    images.mkdir()
    names = {"0": "T1", "1": "T2"}
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": names}))
    for name, size in {"a_0000": 20, "b_0000": 100, "b_0001": 100}.items():
        image = sitk.GetImageFromArray(np.zeros((size, 100, 100), np.uint8))
        sitk.WriteImage(image, str(images / f"{name}.nii.gz"))
    return tmp_path


def test_the_largest_case_decides(folder: Path) -> None:
    assert estimated_peak_gb(read_dataset(folder)) == pytest.approx(0.7 + 2e6 * 100e-9)
    (folder / "imagesTr" / "c.nii.gz").write_text("no image")
    assert estimated_peak_gb(read_dataset(folder)) == pytest.approx(0.7 + 256**3 * 100e-9)


@pytest.mark.parametrize(("free_gb", "workers"), [(64, 4), (2.3, 2), (0.1, 1)])
def test_memory_limits_the_cores(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    free_gb: float,
    workers: int,
) -> None:
    memory = namedtuple("memory", "available")(free_gb * 1e9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    monkeypatch.setattr(processes, "cores_at_most_four", lambda: 4)
    with caplog.at_level(logging.INFO):
        assert fitting_processes(read_dataset(folder)) == workers
    assert ("takes about 0.9 GB: working on" in caplog.text) == (workers < 4)
