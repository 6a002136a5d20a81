"""What the commands say of bad scans, wrong names and missing plans."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from predictions import ENDINGS, home_flags, names, table


def test_a_bad_case_is_reported_and_the_others_are_predicted(
    miniature: Any,
    trained_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = miniature.brain(100, "flair", lesion=True).image
    scans, out = tmp_path / "in", tmp_path / "out"
    miniature.write(scans / "good_0000.nii.gz", image)
    miniature.write(scans / "later_0000.nii.gz", image)
    broken = image.copy()
    broken[20, 20, 20:23] = (np.nan, np.inf, -np.inf)
    miniature.write(scans / "nan_0000.nii.gz", broken)
    miniature.write(scans / "flat_0000.nii.gz", np.full_like(image, 7))
    miniature.write(scans / "grids_0000.nii.gz", image)
    miniature.write(scans / "grids_0001.nii.gz", image[:-2])
    four = sitk.JoinSeries([sitk.GetImageFromArray(image)] * 2)
    sitk.WriteImage(four, str(scans / "four_0000.nii.gz"))
    (scans / "text_0000.nii.gz").write_text("this is no image")
    whole = (scans / "good_0000.nii.gz").read_bytes()
    (scans / "cut_0000.nii.gz").write_bytes(whole[: len(whole) // 2])
    miniature.write(scans / "tiny_0000.nii.gz", image, (1.0, 1.0, 1.0))

    flags = ("-m", "threshold", *home_flags(trained_home))
    assert miniature.run("predict", "-i", scans, "-o", out, *flags) == 1
    rows = table(out)
    words = {
        "nan": "nan_0000.nii.gz holds 3 voxels that are NaN or infinite",
        "flat": "flat_0000.nii.gz has the same value in every voxel",
        "grids": "different grids",
        "four": "four_0000.nii.gz is not a single 3D image",
        "text": "text_0000.nii.gz cannot be read as an image",
        "cut": "cut_0000.nii.gz is cut short or damaged",
        "tiny": "not plausible",
    }
    assert {c for c, r in rows.items() if r["status"] == "failed"} == set(words)
    assert {c for c, r in rows.items() if r["status"] == "ok"} == {"good", "later"}
    for case, text in words.items():
        assert text in rows[case]["message"]
        assert rows[case]["message"].endswith(".") and "\n" not in rows[case]["message"]
    made = {f"{c}{e}.nii.gz" for c in ("good", "later") for e in ENDINGS[:4]}
    made |= {"predictions.csv", "lesions.csv", "predictions.json", "prediction.json"}
    assert names(out) == made
    last = capsys.readouterr().err.rpartition("7 failed:")[2]
    assert all(f"{case}: " in last for case in words)


def one_sentence(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    error = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(error) == 1 and error[0].endswith(".")
    assert all(word in error[0] for word in words), error[0]


def test_an_empty_folder_is_refused(
    miniature: Any, trained_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    out = tmp_path / "out"
    flags = ("-o", out, *home_flags(trained_home))
    assert miniature.run("predict", "-i", tmp_path / "in", *flags) == 2
    one_sentence(capsys, str(tmp_path / "in"), "holds no image")
    assert miniature.run("predict", "-i", tmp_path / "nowhere.nii.gz", *flags) == 2
    one_sentence(capsys, "nowhere.nii.gz does not exist")
    assert not out.exists()


def test_wrong_names_are_refused_and_nothing_is_written(
    miniature: Any, planned_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    before, common = names(home), home_flags(home)
    miniature.write(tmp_path / "scan.nii.gz", miniature.brain(3).image)
    put = ("-i", tmp_path / "scan.nii.gz", "-o", tmp_path / "out")
    tries = [
        (("predict", *put, *common), ("No model has been trained yet", str(home / "results"))),
        (("predict", *put, "-d", "77", *common), ("no dataset '77'", "Dataset005_Mini")),
        (("predict", *put, "-m", "magic", *common), ("'magic'", "dal, threshold")),
        (("train", "-d", "77", *common), ("no dataset '77'", "Dataset005_Mini")),
        (("train", "-d", "5", "-m", "magic", *common), ("'magic'", "dal, threshold")),
        (("train", "-d", "5", "-c", "4d", *common), ("'4d'", "2d")),
        (("train", "-d", "5", "-f", "9", *common), ("'9'", "0 to 4")),
        (("train", "-d", "5", "--epochs", "0", *common), ("--epochs 0",)),
        (("train", "-d", "5", "-np", "-1", *common), ("-np -1",)),
        (("plan", "-d", "77", "--home", home), ("no dataset '77'", "Dataset005_Mini")),
    ]
    for arguments, words in tries:
        assert miniature.run(*arguments) == 2, arguments
        one_sentence(capsys, *words)
    assert names(home) == before and not (tmp_path / "out").exists()


def test_training_without_a_plan_is_refused(
    miniature: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert miniature.run("train", *home_flags(tmp_path)) == 2
    one_sentence(capsys, "No dataset has been planned yet", "disanat_plan_and_preprocess")
    assert names(tmp_path) == set()
