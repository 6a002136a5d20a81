"""A folder with bad cases among good ones: each bad one is named, the good ones are predicted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from predictions import names, table
from sentences import check_sentence
from typical_plans import fingerprint, make

from disanat.cli import predict
from disanat.inference.folder import predict_folder
from disanat.inference.model import Model, save_model
from disanat.inference.predictor import Predictor
from disanat.methods.registry import get_method
from disanat.scoring.calibration import Calibration


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The cheapest model there is."""
    plans = make(fingerprint(cases=4))
    configuration = plans.configuration()
    method = get_method("threshold")(plans, configuration)
    calibration = Calibration({"any": tuple(np.linspace(0, 1, 61))}, 2.0, 0.1, 0.5)
    save_model(Model(method, plans, configuration, calibration, tmp_path / "model"), {}, {})
    return tmp_path / "model"


@pytest.fixture
def scans(tmp_path: Path, miniature: Any) -> Path:
    folder = tmp_path / "scans"
    image = miniature.brain(0).image
    miniature.write(folder / "good_0000.nii.gz", image)
    for name, spoilt in {
        "slice": image[20:21],
        "column": image[:, 20:21, 20:21],
        "nan": np.where(image > 100, np.nan, image),
        "flat": np.full_like(image, 7),
    }.items():
        miniature.write(folder / f"{name}_0000.nii.gz", spoilt)
    whole = (folder / "good_0000.nii.gz").read_bytes()
    (folder / "cut_0000.nii.gz").write_bytes(whole[:-4])
    (folder / "lost_0000.nii.gz").symlink_to("nowhere")
    (folder / "empty_0000.nii.gz").touch()
    return folder


def test_each_bad_case_is_named_and_the_good_one_is_as_if_alone(
    model: Path, scans: Path, tmp_path: Path
) -> None:
    predictor = Predictor.from_folder(model, "cpu")
    rows = {row.case: row for row in predict_folder(predictor, scans, tmp_path / "out")}
    bad = {"slice", "column", "nan", "flat", "cut", "lost", "empty"}
    assert {name for name, row in rows.items() if row.status == "failed"} == bad
    for name in bad:
        check_sentence(rows[name].message, f"{name}_0000.nii.gz")
        assert not list((tmp_path / "out").glob(f"{name}*"))
    shutil.copytree(scans, tmp_path / "alone", ignore=lambda *_: [f"{n}_0000.nii.gz" for n in bad])
    predict_folder(predictor, tmp_path / "alone", tmp_path / "again")
    for ending in ("", "_anomaly", "_brainmask", "_0000_phi"):
        one, other = (
            sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f / f"good{ending}.nii.gz")))
            for f in ("out", "again")
        )
        np.testing.assert_array_equal(one, other)
    assert set(table(tmp_path / "out")) == bad | {"good"}


@pytest.mark.parametrize("where", ["file", "below a file", "input"])
def test_an_output_folder_that_cannot_be(
    model: Path, scans: Path, tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("mine")
    out = {"file": tmp_path / "taken", "below a file": tmp_path / "taken/x", "input": scans}[where]
    before = names(tmp_path)
    good = scans if where == "input" else scans / "good_0000.nii.gz"
    words = ("-i", str(good), "-o", str(out), "-m", str(model), "--device", "cpu")
    assert predict.main(words) == 2
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(errors) == 1
    check_sentence(errors[0], str(out))
    assert names(tmp_path) == before and (tmp_path / "taken").read_text() == "mine"
