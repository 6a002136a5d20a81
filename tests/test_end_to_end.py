"""The commands, one after the other, on a miniature dataset of simulated brains."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from predictions import ENDINGS, canonical, home_flags, names, table
from scipy import ndimage

ALL = ("phi", "anatomy", "edges")


@pytest.fixture(scope="module")
def flair(miniature: Any) -> dict[str, Any]:
    thick = {"shape": (20, 48, 40), "spacing": (8.0, 4.0, 4.0)}
    return {
        "a": miniature.brain(100, "flair", lesion=True),
        "b": miniature.brain(101, "flair", lesion=True, **thick),
    }


@pytest.fixture(scope="module")
def folders(
    flair: dict[str, Any], miniature: Any, trained_home: Path, tmp_path_factory: Any
) -> tuple[Path, Path, Path]:
    """Scans, what dal made of them, and the truth."""
    base = tmp_path_factory.mktemp("folders")
    scans, out, truth = base / "scans", base / "out", base / "truth"
    how = {
        "a": ("a_0000.nii.gz", "LAS", 12.0),
        "b": ("b_0000.mha", "PSR", 0.0),
    }
    for case, (file, orientation, turn) in how.items():
        brain = flair[case]
        grid = (brain.spacing, orientation, turn)
        miniature.write(scans / file, brain.image, *grid)
        miniature.write(truth / f"{case}.nii.gz", brain.lesion.astype(np.uint8), *grid)
    # With no model named, the baseline that was added last does not win over dal.
    flags = ("--save", *ALL, *home_flags(trained_home))
    assert miniature.run("predict", "-i", scans, "-o", out, *flags) == 0
    return scans, out, truth


def test_every_case_has_its_files_and_nothing_is_left_over(
    folders: tuple[Path, Path, Path],
) -> None:
    expected = {f"{c}{e}.nii.gz" for c in "ab" for e in ENDINGS}
    expected |= {"predictions.csv", "lesions.csv", "predictions.json", "prediction.json"}
    assert names(folders[1]) == expected | {"anatomy_labels.ctbl", "anatomy_labels_itksnap.txt"}


@pytest.mark.parametrize("file", ["a_0000.nii.gz", "b_0000.mha"])
def test_outputs_lie_on_the_scans_own_grid(folders: tuple[Path, Path, Path], file: str) -> None:
    scans, out, _ = folders
    scan = sitk.ReadImage(str(scans / file))
    for ending in ENDINGS:
        made = sitk.ReadImage(str(out / f"{file[0]}{ending}.nii.gz"))
        assert made.GetSize() == scan.GetSize()
        np.testing.assert_allclose(made.GetSpacing(), scan.GetSpacing(), rtol=1e-6)
        np.testing.assert_allclose(made.GetOrigin(), scan.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(made.GetDirection(), scan.GetDirection(), atol=1e-6)


@pytest.mark.parametrize("case", ["a", "b"])
def test_mask_is_where_the_anomaly_map_reaches_threshold_and_peak(
    folders: tuple[Path, Path, Path], flair: dict[str, Any], case: str
) -> None:
    _, out, _ = folders
    facts = json.loads((out / "prediction.json").read_text())
    anomaly, mask = canonical(out / f"{case}_anomaly.nii.gz"), canonical(out / f"{case}.nii.gz")
    brain = canonical(out / f"{case}_brainmask.nii.gz")
    with open(out / "predictions.csv", newline="", encoding="utf-8") as handle:
        row = {one["case"]: one for one in csv.DictReader(handle)}[case]
    rules = [facts, *facts["own_thresholds"].values()]
    told = [(rule["threshold"], rule["peak_threshold"]) for rule in rules]
    threshold, peak = float(row["threshold"]), float(row["peak_threshold"])
    assert (threshold, peak) in told
    unusual = (anomaly >= threshold) & (brain > 0)
    regions, count = ndimage.label(unusual, structure=np.ones((3, 3, 3)))
    peaks = ndimage.maximum(anomaly, regions, np.arange(1, count + 1))
    rare = 1 + np.flatnonzero(peaks >= peak)
    np.testing.assert_array_equal(mask > 0, np.isin(regions, rare))
    assert anomaly.dtype == np.float32 and anomaly.min() == 0 and (anomaly[brain == 0] == 0).all()
    assert set(np.unique(mask)) <= {0, 1}
    truth = flair[case].labels > 0
    assert 2 * (truth & (brain > 0)).sum() / (truth.sum() + brain.sum()) > 0.98
    row = table(out)[case]
    voxel_ml = np.prod(flair[case].spacing) / 1000
    assert float(row["brain_volume_ml"]) == pytest.approx(brain.sum() * voxel_ml, abs=0.06)
    assert float(row["lesion_volume_ml"]) == pytest.approx(mask.sum() * voxel_ml, abs=6e-4)
    highest = np.sort(anomaly.ravel())[::-1]
    score = highest[max(1, round(1.0 / voxel_ml)) - 1]
    assert float(row["case_score"]) == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize("case", ["a", "b"])
def test_the_pseudo_healthy_image_is_in_the_scans_own_units(
    folders: tuple[Path, Path, Path], flair: dict[str, Any], case: str
) -> None:
    _, out, _ = folders
    phi, scan = canonical(out / f"{case}_0000_phi.nii.gz"), flair[case].image
    brain = canonical(out / f"{case}_brainmask.nii.gz") > 0
    assert (phi[~brain] == 0).all()
    assert scan.min() <= phi.min() and phi.max() <= scan.max()
    assert phi[brain].std() > 0.05 * scan[brain].std()
    anatomy = canonical(out / f"{case}_anatomy.nii.gz")
    edges = canonical(out / f"{case}_edges.nii.gz")
    assert set(np.unique(anatomy)) <= {0, 1, 2, 3}
    assert ((edges == 0) | (edges == anatomy)).mean() > 0.999


def test_the_table_of_predictions(folders: tuple[Path, Path, Path]) -> None:
    rows = table(folders[1])
    wanted = {"case", "status", "channels", "threshold", "brain_volume_ml", "lesion_volume_ml"}
    assert list(rows) == ["a", "b"]
    assert wanted | {"case_score", "case_p", "flags", "seconds", "message"} <= set(rows["a"])
    assert [r["status"] for r in rows.values()] == ["ok", "ok"]
    assert all(r["channels"] == "0" and r["message"] == "" for r in rows.values())
    facts = json.loads((folders[1] / "prediction.json").read_text())
    assert facts["method"] == "dal" and facts["dataset"] == "Dataset005_Mini"
    assert float(rows["a"]["threshold"]) == pytest.approx(facts["threshold"], abs=1e-4)
    assert facts["threshold_choice"] == "best"
    for row in rows.values():
        resolution = float(row["case_p_resolution"])
        assert resolution == 0.25  # one case is set aside for the threshold, in three looks
        assert resolution <= float(row["case_p"]) <= 1 and row["flags"] == ""


@pytest.mark.parametrize("choice", ["1%", "5%", "2.5"])
def test_another_threshold_changes_the_mask_alone(
    folders: tuple[Path, Path, Path],
    trained_home: Path,
    miniature: Any,
    tmp_path: Path,
    choice: str,
) -> None:
    scans, out, truth = folders
    given = ("-i", scans / "a_0000.nii.gz", "-o", tmp_path, *home_flags(trained_home))
    assert miniature.run("predict", *given, "--threshold", choice) == 0
    facts = json.loads((tmp_path / "prediction.json").read_text())
    assert facts["threshold_choice"] == choice
    model = json.loads((Path(facts["model"]) / "model.json").read_text())
    stored = {**model["calibration"]["fpr_thresholds"], "2.5": 2.5}
    assert facts["threshold"] == stored[choice]
    row = table(tmp_path)["a"]
    stored |= model["calibration"]["own_fpr_thresholds"].get(row["contrasts"], {})
    assert float(row["threshold"]) == pytest.approx(stored[choice], abs=1e-4)
    assert row["peak_threshold"] == ""
    anomaly = canonical(tmp_path / "a_anomaly.nii.gz")
    np.testing.assert_array_equal(anomaly, canonical(out / "a_anomaly.nii.gz"))
    mask = canonical(tmp_path / "a.nii.gz") > 0
    np.testing.assert_array_equal(mask, anomaly >= stored[choice])
    assert miniature.run("evaluate", "-i", tmp_path, "-l", truth) == 0
    judged = json.loads((tmp_path / "evaluation.json").read_text())["cases"][0]
    lesion = canonical(truth / "a.nii.gz") > 0
    wrong = (mask & ~lesion).sum() * 0.064
    assert judged["false_positive_ml"] == pytest.approx(wrong, abs=0.01)


def test_a_threshold_that_is_none_is_refused_before_anything_is_written(
    folders: tuple[Path, Path, Path],
    trained_home: Path,
    miniature: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ("-i", folders[0], "-o", tmp_path / "out", *home_flags(trained_home))
    assert miniature.run("predict", *given, "--threshold", "10%") == 2
    assert "'10%' is no threshold" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_no_brain_scan_is_flagged(
    trained_home: Path, miniature: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Noise in the shape of a brain, and a ball; a healthy brain beside them is not flagged."""
    rng = np.random.default_rng(0)
    brain = miniature.brain(102)
    inside = brain.labels > 0
    middle = (np.indices(brain.labels.shape).T - [19.5, 23.5, 19.5]).T
    ball = np.sqrt((middle**2).sum(0)) < 16.5
    scans = {
        "ball": np.where(ball, rng.normal(100, 4, ball.shape), 0),
        "brain": brain.image,
        "noise": np.where(inside, np.maximum(rng.normal(100, 20, inside.shape), 1), 0),
    }
    for name, image in scans.items():
        miniature.write(tmp_path / "in" / f"{name}.nii.gz", image.astype(np.float32))
    given = ("-i", tmp_path / "in", "-o", tmp_path / "out", *home_flags(trained_home))
    assert miniature.run("predict", *given) == 0
    rows = table(tmp_path / "out")
    assert {name: bool(row["flags"]) for name, row in rows.items()} == {
        "ball": True,
        "brain": False,
        "noise": True,
    }
    assert "unlike_training:noise" in rows["noise"]["flags"].split(";")
    assert any("Case noise is unlike the scans of the training" in m for m in caplog.messages)


def test_training_teaches_the_anatomy(trained_home: Path) -> None:
    folder = trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"
    lines = (folder / "training_log.txt").read_text().splitlines()
    dice = [float(re.search(r"dice_anatomy ([\d.]+)", line)[1]) for line in lines]  # type: ignore[index]
    assert len(dice) == 2 and dice[1] > dice[0]
    assert {p.name for p in folder.iterdir()} >= {"model.json", "progress.png"}


def test_evaluation_of_both_methods(
    folders: tuple[Path, Path, Path],
    miniature: Any,
    trained_home: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scans, out, truth = folders
    last, flags = tmp_path / "threshold", ("-d", "5", *home_flags(trained_home))
    with caplog.at_level("INFO"):
        assert miniature.run("predict", "-i", scans, "-o", last, "-m", "threshold", *flags) == 0
    assert any("threshold__2d" in message for message in caplog.messages)
    values = {}
    for name, folder in {"dal": out, "threshold": last}.items():
        written = tmp_path / f"evaluation_{name}"
        assert miniature.run("evaluate", "-i", folder, "-l", truth, "-o", written) == 0
        values[name] = json.loads((written / "evaluation.json").read_text())
    assert (last / "a_0000_phi.nii.gz").exists() and not (last / "a_anatomy.nii.gz").exists()
    # Nothing healthy is as bright. Of dal, two short epochs are too few to ask for more than order.
    assert values["threshold"]["average_precision"]["mean"] > 0.99
    assert 0 < values["dal"]["average_precision"]["mean"] <= 1
    assert [case["lost_voxels"] for case in values["dal"]["cases"]] == [0, 0]


@pytest.mark.parametrize("method", ["dal", "threshold"])
def test_the_same_scan_permuted_and_flipped_gives_the_same_map(
    miniature: Any, trained_home: Path, tmp_path: Path, flair: dict[str, Any], method: str
) -> None:
    stored = ("LPS", "PSR", "RAS", "LIA")
    for name in stored:
        miniature.write(tmp_path / "in" / f"{name}.nii.gz", flair["a"].image, orientation=name)
    model = trained_home / "results" / "Dataset005_Mini" / f"{method}__2d" / "fold_0"
    code = miniature.run(
        "predict", "-i", tmp_path / "in", "-o", tmp_path / "out", "-m", model, "--device", "cpu"
    )
    assert code == 0
    maps = [canonical(tmp_path / "out" / f"{name}_anomaly.nii.gz") for name in stored]
    assert maps[0].std() > 0.1
    for other in maps[1:]:
        np.testing.assert_allclose(other, maps[0], atol=1e-4)


def test_other_intensity_units_change_nothing_but_the_units(
    miniature: Any, trained_home: Path, tmp_path: Path, flair: dict[str, Any]
) -> None:
    image = flair["a"].image
    miniature.write(tmp_path / "in" / "plain.nii.gz", image)
    miniature.write(tmp_path / "in" / "other.nii.gz", image * 16 - 512)
    flags = ("-m", "dal", *home_flags(trained_home))
    assert miniature.run("predict", "-i", tmp_path / "in", "-o", tmp_path / "out", *flags) == 0
    out = tmp_path / "out"
    anomaly = [canonical(out / f"{n}_anomaly.nii.gz") for n in ("plain", "other")]
    phi = [canonical(out / f"{n}_0000_phi.nii.gz") for n in ("plain", "other")]
    np.testing.assert_allclose(anomaly[1], anomaly[0], atol=2e-3)
    np.testing.assert_allclose(phi[1], phi[0] * 16 - 512, atol=1.0)
