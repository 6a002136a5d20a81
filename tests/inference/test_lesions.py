"""The single lesions of a mask."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.inference.folder import predict_folder
from disanat.inference.lesions import find_lesions
from disanat.inference.predictor import Predictor
from disanat.io.images import read_scan

CLASSES = ("csf", "grey", "white")


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PSR", "LIA"])
def test_places_are_those_of_the_file(tmp_path: Path, orientation: str) -> None:
    """A cube at a known place of the patient is found there, whatever the file's orientation."""
    image = sitk.Image((20, 24, 16), sitk.sitkFloat32)
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetOrigin((-5.0, 7.0, -11.0))
    image[4:7, 10:13, 5:8] = 1.0  # centre at index 5, 11, 6
    expected = image.TransformIndexToPhysicalPoint((5, 11, 6))
    path = tmp_path / "x.nii.gz"
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))
    scan = read_scan(path)
    mask = scan.array > 0
    [lesion] = find_lesions(mask, 3 * scan.array, None, scan.geometry, CLASSES)
    assert (lesion.x_mm, lesion.y_mm, lesion.z_mm) == pytest.approx(expected, abs=0.01)
    assert lesion.volume_ml == pytest.approx(27 * 6 / 1000)
    assert (lesion.number, lesion.region, lesion.peak, lesion.mean) == (1, "", 3.0, 3.0)


def test_largest_first_with_region_and_scores(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.eye(12)[None].repeat(12, 0)), str(tmp_path / "x.nii"))
    geometry = read_scan(tmp_path / "x.nii").geometry
    mask = np.zeros((12, 12, 12), bool)
    mask[1, 1, 1] = mask[2, 2, 2] = True  # they touch at a corner: one lesion
    mask[6:9, 6:9, 6:9] = True
    mask[11, 0, 0] = True
    anomaly, anatomy = np.where(mask, 2.0, 0.0), np.where(mask, 2, 0)
    anomaly[7, 7, 7] = 5.0
    anatomy[6:8, 6:9, 6:9] = 3
    anatomy[11, 0, 0] = 0
    found = find_lesions(mask, anomaly, anatomy, geometry, CLASSES)
    assert [round(1000 * lesion.volume_ml) for lesion in found] == [27, 2, 1]
    assert [lesion.region for lesion in found] == ["white", "grey", ""]
    assert found[0].peak == 5.0 and found[0].mean == pytest.approx(2 + 3 / 27, abs=1e-3)
    assert find_lesions(mask & False, anomaly, anatomy, geometry, CLASSES) == ()


def test_the_table_holds_all_cases_and_agrees_with_the_masks(
    trained_home: Path, miniature: Any, tmp_path: Path
) -> None:
    model = trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"
    for number, case in enumerate("ab"):
        brain = miniature.brain(7 + number, "flair", lesion=True)
        miniature.write(tmp_path / "in" / f"{case}.nii.gz", brain.image)
    predictor = Predictor.from_folder(model, threshold=1.5)  # low: the model knows next to nothing
    for _ in range(2):  # the second time nothing is predicted, and the table is the same
        predict_folder(predictor, tmp_path / "in", tmp_path / "out")
        with open(tmp_path / "out" / "lesions.csv", newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        assert {row["case"] for row in rows} <= {"a", "b"} and rows
        with open(tmp_path / "out" / "predictions.csv", newline="", encoding="utf-8") as handle:
            volumes = {r["case"]: float(r["lesion_volume_ml"]) for r in csv.DictReader(handle)}
        for case, volume in volumes.items():
            own = [row for row in rows if row["case"] == case]
            assert sum(float(row["volume_ml"]) for row in own) == pytest.approx(volume, abs=0.01)
            assert [int(row["number"]) for row in own] == list(range(1, len(own) + 1))
            for row in own:
                mask = sitk.ReadImage(str(tmp_path / "out" / f"{case}.nii.gz"))
                place = [float(row[f"{axis}_mm"]) for axis in "xyz"]
                assert mask.TransformPhysicalPointToIndex(place) is not None
                assert float(row["peak"]) >= float(row["mean"]) > 0
