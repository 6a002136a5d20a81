from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.errors import DatasetError
from disanat.evaluation.evaluate import evaluate_folder, read_evaluation, write_evaluation
from disanat.evaluation.scans import Scans

SHAPE = (10, 12, 14)


def save(array: np.ndarray, path: Path, origin: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin((origin, 0.0, 0.0))
    sitk.WriteImage(image, str(path))


def lesion() -> np.ndarray:
    truth = np.zeros(SHAPE, np.uint8)
    truth[3:6, 4:8, 4:8] = 2
    return truth


def write_case(root: Path, case: str, truth: np.ndarray, mask: np.ndarray) -> None:
    score = np.random.default_rng(0).uniform(0.0, 0.4, SHAPE).astype(np.float32)
    brain = np.ones(SHAPE, np.uint8)
    brain[0] = 0
    save((score + truth.astype(np.float32)) * brain, root / "out" / f"{case}_anomaly.nii.gz")
    save(brain, root / "out" / f"{case}_brainmask.nii.gz")
    save(mask, root / "out" / f"{case}.nii.gz")
    save(truth, root / "labels" / f"{case}.nii.gz")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    truth = lesion()
    half = (truth > 0).astype(np.uint8)
    half[5] = 0
    write_case(tmp_path, "ill", truth, half)
    false = np.zeros(SHAPE, np.uint8)
    false[2, 2, 2:7] = 1
    write_case(tmp_path, "well", np.zeros(SHAPE, np.uint8), false)
    rows = "case,status,case_score\nill,ok,3.5\nwell,ok,0.5\nlost,failed,\n"
    (tmp_path / "out" / "predictions.csv").write_text(rows)
    return tmp_path


def test_numbers_of_a_small_set(folders: Path) -> None:
    found = evaluate_folder(folders / "out", folders / "labels")
    ill, well = found.cases
    assert ill.average_precision == pytest.approx(1.0)
    assert ill.best_dice == pytest.approx(1.0)
    # Two of three slices: 2 * 32 / (32 + 48).
    assert ill.stored_dice == pytest.approx(0.8)
    assert ill.lesion_ml == pytest.approx(48 * 0.002)
    assert well.healthy
    assert (well.average_precision, well.stored_dice) == (None, None)
    assert well.false_positive_ml == pytest.approx(5 * 0.002)
    assert found.average_precision.cases == 1
    assert found.healthy_false_positive_ml.mean == pytest.approx(0.01)
    assert found.case_auroc == 1.0
    assert found.slice_auroc == 1.0
    assert found.recall[0].found == found.recall[0].lesions == 1
    assert found.lost_voxels == 0


def test_lesion_outside_the_brain_mask_is_counted(folders: Path) -> None:
    truth = lesion()
    truth[0, 4:8, 4:8] = 1
    save(truth, folders / "labels" / "ill.nii.gz")
    found = evaluate_folder(folders / "out", folders / "labels")
    assert (found.lost_voxels, found.lesion_voxels) == (16, 64)
    assert found.cases[0].average_precision == pytest.approx(48 / 64)


def test_without_healthy_cases_there_is_no_case_auroc(folders: Path) -> None:
    for path in (folders / "out").glob("well*"):
        path.unlink()
    found = evaluate_folder(folders / "out", folders / "labels")
    assert found.case_auroc is None
    assert found.not_predicted == ("well",)


def test_files_hold_every_case(folders: Path) -> None:
    write_evaluation(evaluate_folder(folders / "out", folders / "labels"), folders / "new")
    stored = json.loads((folders / "new" / "evaluation.json").read_text())
    assert stored["average_precision"]["mean"] == pytest.approx(1.0)
    with (folders / "new" / "evaluation.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["case"] for row in rows] == ["ill", "well"]
    assert rows[0]["stored_dice"] == "0.8"
    assert rows[1]["stored_dice"] == ""


def test_missing_label_is_named(folders: Path) -> None:
    (folders / "labels" / "well.nii.gz").unlink()
    with pytest.raises(DatasetError, match="no label map for case well"):
        evaluate_folder(folders / "out", folders / "labels")


def test_label_on_another_grid_is_named(folders: Path) -> None:
    save(lesion(), folders / "labels" / "ill.nii.gz", origin=3.0)
    with pytest.raises(DatasetError, match=r"ill\.nii\.gz lies on another grid"):
        evaluate_folder(folders / "out", folders / "labels")


def test_folder_without_predictions(folders: Path) -> None:
    with pytest.raises(DatasetError, match="holds no predictions"):
        evaluate_folder(folders / "labels", folders / "labels")
    with pytest.raises(DatasetError, match="not a folder"):
        evaluate_folder(folders / "nowhere", folders / "labels")


def test_what_was_written_is_read_back_alike_and_damage_is_named(folders: Path) -> None:
    found = evaluate_folder(folders / "out", folders / "labels")
    write_evaluation(found, folders / "new")
    assert read_evaluation(folders / "new") == found
    (folders / "new" / "evaluation.json").write_text('{"cases": 3}')
    with pytest.raises(DatasetError, match="evaluation.json is no evaluation"):
        read_evaluation(folders / "new")
    with pytest.raises(DatasetError, match="does not exist: run disanat_evaluate again"):
        read_evaluation(folders)


def test_with_the_scans_each_lesion_has_its_contrast(folders: Path) -> None:
    rng = np.random.default_rng(3)
    scan = rng.normal(100, 10, SHAPE).astype(np.float32)
    scan[lesion() > 0] = 130
    save(scan, folders / "scans" / "ill_0000.nii.gz")
    save(scan, folders / "scans" / "well_0000.nii.gz", origin=9.0)  # as before its registration
    given = Scans.wanted(folders / "out", folders / "scans")
    ill, well = evaluate_folder(folders / "out", folders / "labels", scans=given).cases
    assert len(ill.lesions) == 1 and ill.lesions[0].found and well.lesions == ()
    assert ill.lesions[0].volume_ml == pytest.approx(48 * 0.002)
    assert ill.lesions[0].contrast == pytest.approx(3.0, abs=0.4)
    save(scan, folders / "scans" / "ill_0000.nii.gz", origin=9.0)
    (moved, _) = evaluate_folder(folders / "out", folders / "labels", scans=given).cases
    assert moved.lesions[0].contrast is None


def test_the_channels_that_were_predicted_are_those_that_count(folders: Path) -> None:
    rows = "case,status,channels,case_score\nill,ok,1,3.5\nwell,ok,1,0.5\n"
    (folders / "out" / "predictions.csv").write_text(rows)
    for channel, value in ((0, 300), (1, 130)):
        scan = np.random.default_rng(3).normal(100, 10, SHAPE).astype(np.float32)
        scan[lesion() > 0] = value
        save(scan, folders / "scans" / f"ill_{channel:04d}.nii.gz")
    given = Scans.wanted(folders / "out", folders / "scans")
    ill, _ = evaluate_folder(folders / "out", folders / "labels", scans=given).cases
    assert ill.lesions[0].contrast == pytest.approx(3.0, abs=0.4)


def test_an_evaluation_of_an_earlier_disanat_has_no_single_lesions(folders: Path) -> None:
    found = evaluate_folder(folders / "out", folders / "labels")
    write_evaluation(found, folders / "old")
    stored = json.loads((folders / "old" / "evaluation.json").read_text())
    for case in stored["cases"]:
        del case["lesions"]
    (folders / "old" / "evaluation.json").write_text(json.dumps(stored))
    assert [case.lesions for case in read_evaluation(folders / "old").cases] == [(), ()]
