"""The simulated dataset: complete, repeatable, with the promised lesions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataset_conversion import simulated
from disanat.home import Home
from disanat.io.images import read_labels, read_scan, same_grid


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Home(tmp_path_factory.mktemp("home"))
    return simulated.convert(home, training_cases=1, spacing_mm=4.0)


def test_says_that_it_is_simulated(dataset: Path) -> None:
    described = json.loads((dataset / "dataset.json").read_text())
    assert described["simulated"] is True
    assert described["channel_names"] == {"0": "T1"}
    assert "prior" not in described and not (dataset / "priorsTr").exists()


def test_every_test_case_has_a_lesion_on_its_grid(dataset: Path) -> None:
    volumes = {}
    for name, (_, kind) in simulated.TEST_CASES.items():
        scan = read_scan(dataset / "imagesTs" / f"{name}_0000.nii.gz")
        truth = read_labels(dataset / "labelsTs" / f"{name}.nii.gz")
        assert same_grid(scan.geometry, truth.geometry)
        assert not (truth.array.astype(bool) & (scan.array == 0)).any()
        volumes.setdefault(kind, []).append(truth.array.sum() * 0.064)
    assert min(volumes["large"]) > max(volumes["medium"]) > max(volumes["small"]) > 0.1


def test_same_bytes_again(dataset: Path, tmp_path: Path) -> None:
    again = simulated.convert(Home(tmp_path), training_cases=1, spacing_mm=4.0)
    name = "imagesTr/sim_001_0000.nii.gz"
    assert (read_scan(again / name).array == read_scan(dataset / name).array).all()
