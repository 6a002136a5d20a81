"""Predictions as BIDS derivatives: valid, resumed, shared out, judged and reported."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bids_check import issues
from dicom_files import write_slices
from predictions import canonical, names, table

from disanat.cli.evaluate import main as evaluate
from disanat.cli.predict import main as predict
from disanat.cli.report import main as report
from disanat.errors import DatasetError
from disanat.evaluation.evaluate import evaluate_folder
from disanat.inference.bids import _as_uri
from disanat.inference.folder import predict_folder
from disanat.inference.predictor import Predictor

CASES = ("sub-01_ses-1", "P_07", "sub-02_T1w")
MASKS = {
    "sub-01_ses-1": "sub-01/ses-1/anat/sub-01_ses-1_label-lesion_mask.nii.gz",
    "P_07": "sub-P07/anat/sub-P07_label-lesion_mask.nii.gz",
    "sub-02_T1w": "sub-02/anat/sub-02_label-lesion_desc-T1w_mask.nii.gz",
}


def write_scans(folder: Path, miniature: Any) -> None:
    """The first case has two channels; the second is a scan without anything in it."""
    for number, case in enumerate(CASES):
        brain = miniature.brain(number + 5, lesion=True)
        miniature.write(folder / f"{case}_0000.nii.gz", brain.image)
    flair = miniature.brain(5, "flair", lesion=True).image
    miniature.write(folder / f"{CASES[0]}_0001.nii.gz", flair)


@pytest.fixture(scope="module")
def predictor(trained_home: Path) -> Predictor:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    return Predictor.from_folder(folder, threshold=1.5)


@pytest.fixture(scope="module")
def scans(miniature: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bids") / "my scans"
    write_scans(folder, miniature)
    return folder


@pytest.fixture(scope="module")
def made(scans: Path, taught_model: Path) -> Path:
    """Everything that can be written, by the command."""
    out = scans.parent / "made"
    words = ["-i", str(scans), "-o", str(out), "-m", str(taught_model), "--device", "cpu"]
    extras = ["phi", "anatomy", "edges", "filled"]
    assert predict([*words, "--save", *extras, "--channels", "T1", "FLAIR", "--bids"]) == 0
    return out


@pytest.fixture(scope="module")
def pair(scans: Path, predictor: Predictor) -> tuple[Path, Path]:
    """The same predictions in both layouts; not to be changed."""
    flat, bids = scans.parent / "flat", scans.parent / "bids"
    predict_folder(predictor, scans, flat)
    predict_folder(predictor, scans, bids, bids=True)
    return flat, bids


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_validator_of_bids_has_nothing_to_say_against_it(made: Path) -> None:
    assert issues(made) == []
    # Authors are for those who publish the set; a table of classes needs nothing beside it.
    advice = ("TOO_FEW_AUTHORS", "SIDECAR_KEY_RECOMMENDED")
    left = [issue for issue in issues(made, "warning") if not issue.startswith(advice)]
    assert left == []


def test_the_validator_would_have_found_a_wrong_name(made: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(made, wrong)
    path = wrong / MASKS["P_07"]
    path.rename(path.with_name("P_07.nii.gz"))
    (wrong / "dataset_description.json").write_text('{"Name": "x"}')
    found = {issue.split()[0] for issue in issues(wrong)}
    assert "NOT_INCLUDED" in found and "JSON_KEY_REQUIRED" in found


def test_all_files_are_where_they_belong(made: Path) -> None:
    stems = [
        "label-lesion_mask", "desc-brain_mask", "desc-anomaly_statmap", "seg-tissues_dseg",
        "seg-tissues_desc-edges_dseg", "desc-pseudohealthy_T1w", "desc-pseudohealthy_FLAIR",
        "desc-filled_T1w", "desc-filled_FLAIR",
    ]  # fmt: skip
    below = {name for name in names(made) if name.startswith("sub-01/")}
    prefix = "sub-01/ses-1/anat/sub-01_ses-1_"
    assert below == {f"{prefix}{stem}{end}" for stem in stems for end in (".nii.gz", ".json")}
    assert {name for name in names(made) if "/" not in name} == {
        ".bidsignore", "README.md", "dataset_description.json", "lesions.csv", "prediction.json",
        "predictions.csv", "predictions.json", "seg-tissues_dseg.tsv",
    }  # fmt: skip
    assert all((made / path).is_file() for path in MASKS.values())
    assert table(made)["P_07"]["status"] == "ok"


def test_an_image_says_what_it_was_made_from_and_how(made: Path) -> None:
    anat = made / "sub-01" / "ses-1" / "anat"
    mask = read(anat / "sub-01_ses-1_label-lesion_mask.json")
    facts = read(made / "prediction.json")
    assert mask["Type"] == "Lesion" and mask["Threshold"] == facts["threshold"] > 0
    assert mask["ThresholdChoice"] == "best"
    assert mask["Model"]["Method"] == "dal" and mask["Model"]["Finished"] == facts["finished"]
    sources = [f"bids:input:sub-01_ses-1_000{channel}.nii.gz" for channel in (0, 1)]
    assert mask["Sources"] == sources and mask["SpatialReference"] == sources[0]
    phi = read(anat / "sub-01_ses-1_desc-pseudohealthy_FLAIR.json")
    assert phi["SkullStripped"] is True and phi["Channel"]["Name"] == "FLAIR"
    assert phi["Channel"]["Number"] == 1


def test_names_of_scans_are_written_as_in_a_uri() -> None:
    assert _as_uri("../a b/ü%_1.nii.gz") == "../a%20b/%C3%BC%25_1.nii.gz"


def test_the_sources_are_found_from_the_description(made: Path, scans: Path) -> None:
    said = read(made / "dataset_description.json")
    assert said["DatasetType"] == "derivative"
    assert said["GeneratedBy"][0]["Name"] == "disanat" and said["GeneratedBy"][0]["Version"]
    assert said["DatasetLinks"] == {"input": "../my%20scans"}
    assert (made / said["DatasetLinks"]["input"].replace("%20", " ")).resolve() == scans.resolve()


def test_the_table_of_classes_names_every_number(made: Path, taught_model: Path) -> None:
    with open(made / "seg-tissues_dseg.tsv", newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    classes = read(taught_model / "model.json")["plans"]["classes"]
    assert [row["name"] for row in rows] == classes
    assert [row["index"] for row in rows] == [str(n + 1) for n in range(len(classes))]
    found = canonical(made / "sub-P07/anat/sub-P07_seg-tissues_dseg.nii.gz")
    assert 0 < found.max() <= len(classes)


def test_images_are_those_of_the_flat_layout(pair: tuple[Path, Path]) -> None:
    flat, bids = pair
    for case, path in MASKS.items():
        assert (bids / path).read_bytes() == (flat / f"{case}.nii.gz").read_bytes()
    rows = [{c: {**r, "seconds": ""} for c, r in table(folder).items()} for folder in pair]
    assert rows[0] == rows[1] and len(rows[0]) == 3
    assert (flat / "lesions.csv").read_bytes() == (bids / "lesions.csv").read_bytes()
    assert issues(bids) == []


def test_what_was_interrupted_goes_on_and_parts_fill_one_folder(
    predictor: Predictor,
    scans: Path,
    pair: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, out = pair[1], tmp_path / "out"
    case, seen = predictor.predict_case, []

    def watched(given: Any, mask: Any) -> Any:
        seen.append(given.name)
        return case(given, mask)

    monkeypatch.setattr(predictor, "predict_case", watched)
    for part in (1, 0):
        predict_folder(predictor, scans, out, bids=True, part=(part, 2))
    assert names(out) == names(whole) and sorted(seen) == sorted(CASES)
    predict_folder(predictor, scans, out, bids=True)
    assert len(seen) == 3  # nothing was predicted again
    (out / MASKS["P_07"]).unlink()
    (out / "sub-02/anat/sub-02_desc-pseudohealthy_T1w.json").write_text("{}")
    predict_folder(predictor, scans, out, bids=True)
    assert sorted(seen[3:]) == ["P_07", "sub-02_T1w"] and names(out) == names(whole)
    for image in whole.rglob("sub-*.nii.gz"):
        assert (out / image.relative_to(whole)).read_bytes() == image.read_bytes()


def test_other_wishes_leave_nothing_behind(
    predictor: Predictor, scans: Path, tmp_path: Path
) -> None:
    for channels in (("FLAIR", "T1"), ("T1", "FLAIR")):
        predict_folder(predictor, scans, tmp_path, bids=True, channel_names=channels)
    images = {path.name for path in (tmp_path / "sub-P07" / "anat").glob("*.nii.gz")}
    assert "sub-P07_desc-pseudohealthy_T1w.nii.gz" in images and len(images) == 4


def test_a_case_that_fails_leaves_no_files(
    predictor: Predictor, miniature: Any, tmp_path: Path
) -> None:
    scans, out = tmp_path / "in", tmp_path / "out"
    miniature.write(scans / "a.nii.gz", miniature.brain(5).image)
    predict_folder(predictor, scans, out, bids=True)
    left = out / "sub-a" / "anat" / ".1.tmp.sub-a_desc-brain_mask.nii.gz"
    left.write_bytes(b"half written by a process that was killed")
    miniature.write(scans / "a.nii.gz", np.zeros_like(miniature.brain(5).image))
    [row] = predict_folder(predictor, scans, out, bids=True)
    assert row.status == "failed" and not [p for p in out.rglob("*") if "sub-a_" in p.name]


def test_layouts_are_not_mixed(
    predictor: Predictor, scans: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    flat, bids = pair
    with pytest.raises(DatasetError, match="are not in BIDS: leave out --bids"):
        predict_folder(predictor, scans, flat, bids=True)
    with pytest.raises(DatasetError, match="holds predictions in BIDS: give --bids"):
        predict_folder(predictor, scans, bids)
    other = tmp_path / "other"
    other.mkdir()
    (other / "dataset_description.json").write_text('{"Name": "mine", "BIDSVersion": "1.8.0"}')
    with pytest.raises(DatasetError, match="is a BIDS dataset that disanat did not make"):
        predict_folder(predictor, scans, other, bids=True)
    assert names(other) == {"dataset_description.json"}


def test_names_that_clash_are_one_sentence(
    miniature: Any, trained_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("P_7", "P7"):
        miniature.write(tmp_path / "in" / f"{name}.nii.gz", miniature.brain(5).image)
    words = ["-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--bids"]
    assert predict([*words, "-m", "threshold", "--home", str(trained_home)]) == 2
    assert "P7 and P_7 would have the same names" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_it_is_judged_like_the_flat_layout(
    pair: tuple[Path, Path], miniature: Any, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    for number, case in enumerate(CASES):
        lesion = miniature.brain(number + 5, lesion=True).lesion
        miniature.write(labels / f"{case}.nii.gz", lesion.astype(np.uint8))
    found = []
    for folder in pair:
        words = ["-i", str(folder), "-l", str(labels), "-o", str(tmp_path / folder.name)]
        assert evaluate(words) == 0
        found.append(read(tmp_path / folder.name / "evaluation.json"))
    assert [case["case"] for case in found[1]["cases"]] == sorted(CASES)
    assert found[0] == found[1] and found[0]["average_precision"]["mean"] > 0


def test_without_its_table_it_cannot_be_judged(pair: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(pair[1], tmp_path / "bids")
    (tmp_path / "bids" / "predictions.csv").unlink()
    with pytest.raises(DatasetError, match="predict the cases again with disanat_predict --bids"):
        evaluate_folder(tmp_path / "bids", tmp_path)


def test_a_report_shows_scan_and_phi_of_each_case(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert report(["-i", str(made), "-o", str(target), "-np", "0"]) == 0
    page = target.read_text(encoding="utf-8")
    for case in CASES:
        assert f'alt="scan of {case}' in page
        assert f'alt="PHI (pseudo-healthy) of {case}' in page


def test_a_dicom_segmentation_is_laid_out_as_well(
    predictor: Predictor, miniature: Any, tmp_path: Path
) -> None:
    pytest.importorskip("highdicom")
    image = miniature.brain(7, lesion=True).image
    write_slices(tmp_path / "in" / "sub-9_ses-a", image, (4.0, 4.0, 4.0))
    out = tmp_path / "out"
    predict_folder(predictor, tmp_path / "in", out, ("dicom_seg",), bids=True)
    assert (out / "sub-9/ses-a/anat/sub-9_ses-a_label-lesion_seg.dcm").is_file()
    mask = read(out / "sub-9/ses-a/anat/sub-9_ses-a_label-lesion_mask.json")
    assert mask["Sources"] == ["bids:input:sub-9_ses-a"] and issues(out) == []
