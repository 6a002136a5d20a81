from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.cli.evaluate import main


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    predictions, labels = tmp_path / "predictions", tmp_path / "labels"
    predictions.mkdir()
    labels.mkdir()
    score = np.random.default_rng(0).random((8, 8, 8)).astype(np.float32)
    truth = (score > 0.9).astype(np.uint8)
    files = {
        predictions / "a_anomaly.nii.gz": score,
        predictions / "a_brainmask.nii.gz": np.ones_like(truth),
        predictions / "a.nii.gz": truth,
        labels / "a.nii.gz": truth,
    }
    for path, array in files.items():
        sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    return predictions, labels


def test_table_and_files(folders: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    predictions, labels = folders
    assert main(["-i", str(predictions), "-l", str(labels)]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("a ")][0].split()[2:5] == [
        "1.000",
        "1.000",
        "1.000",
    ]
    assert "AP               1.000 [n/a]" in out
    assert (predictions / "evaluation.json").is_file()
    assert (predictions / "evaluation.csv").is_file()


def test_other_output_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    predictions, labels = folders
    argv = ["-i", str(predictions), "-l", str(labels), "-o", str(tmp_path / "new" / "there")]
    assert main(argv) == 0
    assert (tmp_path / "new" / "there" / "evaluation.json").is_file()
    assert not (predictions / "evaluation.json").exists()


def test_missing_label_is_exit_code_two_and_writes_nothing(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture
) -> None:
    predictions, labels = folders
    (labels / "a.nii.gz").unlink()
    assert main(["-i", str(predictions), "-l", str(labels)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (predictions / "evaluation.json").exists()


def test_help_explains_the_measures(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "average precision" in capsys.readouterr().out
