"""The examples of documentation/monai_torchio.md run as they stand there, with the libraries."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

PAGE = Path(__file__).resolve().parents[2] / "documentation" / "monai_torchio.md"
TURN_DEG = 9.0


def example(library: str) -> str:
    """The one block of the page that imports a library."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    [found] = [block for block in blocks if re.search(rf"^(import|from) {library}", block, re.M)]
    return found


@pytest.fixture
def scan(
    ship: Callable[[], Path], miniature: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> sitk.Image:
    """scan.nii.gz in the current folder, oblique and with axes of its own; a model ships."""
    monkeypatch.chdir(tmp_path)
    ship()
    path, image = tmp_path / "scan.nii.gz", miniature.brain(7, lesion=True).image
    miniature.write(path, image, orientation="PIR", turn_deg=TURN_DEG)
    return sitk.ReadImage(str(path))


@pytest.fixture
def expected(scan: sitk.Image) -> dict[str, sitk.Image]:
    """What the file itself gives, on the file's grid."""
    from disanat import load_predictor

    found = load_predictor("pretrained", device="cpu").predict("scan.nii.gz")
    made = {"anomaly": found.anomaly, "lesion": found.mask, "healthy": found.phi[0]}
    return {name: found.as_image(array) for name, array in made.items()}


def run(library: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(example(library), str(PAGE), "exec"), names)
    return names


def test_every_example_is_tested() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert sorted(blocks) == sorted([example("torchio"), example("monai")])


def test_torchio(scan: sitk.Image, expected: dict[str, sitk.Image]) -> None:
    pytest.importorskip("torchio")
    subject = run("torchio")["subject"]
    assert set(subject) == {"scan", *expected}
    subject.check_consistent_space()
    for name, image in expected.items():
        got = subject[name].as_sitk()
        assert got.GetSize() == scan.GetSize()
        np.testing.assert_allclose(got.GetDirection(), scan.GetDirection(), atol=1e-4)
        np.testing.assert_allclose(got.GetOrigin(), scan.GetOrigin(), atol=1e-3)
        np.testing.assert_allclose(
            sitk.GetArrayFromImage(got), sitk.GetArrayFromImage(image), atol=1e-3
        )
    assert float(subject["anomaly"].data.max()) > 0


def test_monai(scan: sitk.Image, expected: dict[str, sitk.Image]) -> None:
    pytest.importorskip("monai")
    data = run("monai")["data"]
    assert set(data) >= {"scan", "scan_anomaly", "scan_lesion"}
    for key, name in (("scan_anomaly", "anomaly"), ("scan_lesion", "lesion")):
        assert data[key].shape == data["scan"].shape == (1, *scan.GetSize())
        np.testing.assert_array_equal(data[key].affine, data["scan"].affine)
        wanted = sitk.GetArrayFromImage(expected[name]).transpose(2, 1, 0)
        np.testing.assert_allclose(data[key][0].numpy(), wanted, atol=1e-3)
