"""What is peculiar to single sets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import converter_files as written
import healthy_trees as healthy
import lesion_trees as ill
import numpy as np
import pytest
import SimpleITK as sitk
from sentences import check_sentence

from dataset_conversion import isbi2015, oasis1
from dataset_conversion.conversion import prepare
from dataset_conversion.convert import convert
from dataset_conversion.registry import CONVERTERS
from disanat.errors import DatasetError, ImageError
from disanat.home import Home
from disanat.io.images import read_geometry, read_labels, read_scan


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def table(made: Path) -> dict[str, dict[str, str]]:
    return {row["case"]: row for row in csv.DictReader((made / "participants.csv").open())}


def test_ixi_has_demographics(source: Path, home: Home) -> None:
    healthy.ixi(source)
    rows = table(convert(CONVERTERS["ixi"], source, home))
    assert rows["IXI012-HH-1211"] == {
        "case": "IXI012-HH-1211", "age": "38.78", "sex": "M", "site": "HH",
    }  # fmt: skip
    assert rows["IXI013-Guys-1212"]["sex"] == "F"


def test_ixi_of_nichart_has_priors_and_t1_alone(source: Path, home: Home) -> None:
    healthy.ixi_nichart(source)
    made = convert(CONVERTERS["ixi"], source, home, 7)
    assert json.loads((made / "dataset.json").read_text())["prior"] == {"numbering": "dlmuse"}
    assert read_labels(made / "priorsTr" / "IXI013.nii.gz").array.max() == 82
    with pytest.raises(DatasetError, match="T1 alone"):
        convert(CONVERTERS["ixi"], source, home, 8, channels=("T2",))
    (source / "dlmuse" / "IXI048_DLMUSE.nii.gz").unlink()
    with pytest.raises(DatasetError, match="IXI048_DLMUSE"):
        convert(CONVERTERS["ixi"], source, home, 9)


@pytest.mark.parametrize(
    "image, place, axes, size",
    [
        ("average", "SUBJ_111", "ASL", (12, 14, 10)),
        ("atlas", "T88_111", "LAS", (12, 14, 10)),
        ("raw", "RAW", "ASL", (12, 14, 10)),
    ],
)
def test_oasis1_directions(
    image: str, place: str, axes: str, size: tuple[int, int, int], source: Path, home: Home
) -> None:
    """The first voxel of the file lies at the ends from which its axes come."""
    healthy.oasis1(source)
    made = convert(CONVERTERS["oasis1"], source, home, image=image)
    scan = read_scan(made / "imagesTr" / "OAS1_0001_MR1_0000.nii.gz")
    assert scan.geometry.orientation == axes and scan.geometry.size == size
    [s, p, l] = np.unravel_index(scan.array.argmax(), scan.array.shape)
    last_p = scan.array.shape[1] - 1
    assert scan.array.max() == 5000 and (s, p, l) == (0, last_p, 0)
    row = table(made)["OAS1_0001_MR1"]
    assert (row["age"], row["sex"], row["cdr"]) == ("74", "F", "0")


def test_oasis1_needs_its_text_files_and_images(source: Path, home: Home) -> None:
    healthy.oasis1(source)
    with pytest.raises(DatasetError, match="atlas_stripped"):
        convert(CONVERTERS["oasis1"], source, home, image="atlas_stripped")
    (source / "disc1" / "OAS1_0001_MR1" / "OAS1_0001_MR1.txt").unlink()
    with pytest.raises(DatasetError, match="OAS1_0001_MR1.txt"):
        convert(CONVERTERS["oasis1"], source, home)
    with pytest.raises(ImageError, match=r"\.img"):
        oasis1.read_analyze(source / "nowhere.hdr", np.eye(3))


def test_oasis3_needs_the_table_of_ratings(source: Path, home: Home, tmp_path: Path) -> None:
    healthy.oasis3(source)
    [found] = source.rglob("OASIS3_UDSb4_cdr.csv")
    moved = found.rename(tmp_path / "ratings.csv")
    with pytest.raises(DatasetError, match="--cdr") as caught:
        convert(CONVERTERS["oasis3"], source, home)
    check_sentence(str(caught.value), "source")
    conversion = prepare(CONVERTERS["oasis3"], source, home, options={"cdr": str(moved)})
    assert len(conversion.subjects) == 2
    assert "run-01" in str(conversion.subjects[0].channels["T1"])
    moved.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="CDRTOT"):
        convert(CONVERTERS["oasis3"], source, home, cdr=str(moved))


def test_lgg_leaves_out_copies_of_flair(
    source: Path, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    ill.lgg_kaggle(source, missing=(2,))
    made = convert(CONVERTERS["lgg"], source, home)
    files = sorted(p.name for p in (made / "imagesTs").iterdir())
    assert files == ["TCGA_CS_4941_19960909_0000.nii.gz", "TCGA_CS_4941_19960909_0001.nii.gz"]
    assert "T1c is a copy of FLAIR" in caplog.text
    scan = read_scan(made / "imagesTs" / files[0])
    assert scan.geometry.orientation == "LPS"
    np.testing.assert_allclose(scan.geometry.spacing, (0.86, 0.86, 7.0), atol=1e-5)
    second = source / "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_2.tif"
    flair = sitk.GetArrayFromImage(sitk.ReadImage(str(second)))[..., 1]
    np.testing.assert_array_equal(scan.array[1], flair)


def test_lgg_needs_a_mask_for_each_slice(source: Path, home: Home) -> None:
    ill.lgg_kaggle(source)
    next(source.rglob("*_3_mask.tif")).unlink()
    with pytest.raises(DatasetError, match="_3_mask.tif"):
        convert(CONVERTERS["lgg"], source, home)


def test_lgg_leaves_out_absent_and_constant_channels(
    source: Path, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    ill.lgg(source)
    name = "TCGA_CS_4942_19970222"
    (source / name / f"{name}_pre.nii.gz").unlink()
    written.save(source / name / f"{name}_post.nii.gz", np.full(written.SHAPE, 3, np.uint8))
    made = convert(CONVERTERS["lgg"], source, home)
    assert [p.name for p in (made / "imagesTs").iterdir()] == [f"{name}_0000.nii.gz"]
    assert "no pre scan" in caplog.text and "is constant" in caplog.text


def test_wmh_keeps_other_pathology_apart(source: Path, home: Home) -> None:
    ill.wmh2017(source)
    made = convert(CONVERTERS["wmh2017"], source, home)
    described = json.loads((made / "dataset.json").read_text())
    assert described["other_pathology"] == "labelsTs_other"
    other = read_labels(made / "labelsTs_other" / "Utrecht_0.nii.gz").array
    lesion = read_labels(made / "labelsTs" / "Utrecht_0.nii.gz").array
    assert other.sum() == 3 and not (other & lesion).any()
    chosen = prepare(CONVERTERS["wmh2017"], source, home, options={"scans": "orig"})
    assert all("orig" in str(s.channels["FLAIR"]) for s in chosen.subjects)


def test_brats_names_a_missing_contrast(source: Path, home: Home) -> None:
    ill.brats2021(source)
    (source / "BraTS2021_00006" / "BraTS2021_00006_t1ce.nii.gz").unlink()
    with pytest.raises(DatasetError, match="T1c of BraTS2021_00006") as caught:
        convert(CONVERTERS["brats2021"], source, home)
    check_sentence(str(caught.value), "BraTS2021_00006")


def test_brats_of_one_patient_alone(source: Path, home: Home) -> None:
    ill.brats2023(source)
    patient = source / "ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData" / "BraTS-GLI-00000-000"
    conversion = prepare(CONVERTERS["brats2023"], patient, home)
    assert [s.name for s in conversion.subjects] == ["BraTS-GLI-00000-000"]


def test_isbi_masks_are_averaged_within_thick_slices(source: Path, home: Home) -> None:
    folder = source / "training01"
    values = np.random.default_rng(0).normal(50, 5, (5, 8, 8)).astype(np.float32)
    grid = {"orientation": "LPS"}
    written.save(folder / "training01_01_flair.nii.gz", values, (1, 1, 4), (0, 0, 1.5), **grid)
    first, second = np.zeros((20, 8, 8), np.float32), np.zeros((20, 8, 8), np.float32)
    first[4:7, 2:4, 2:4] = 1  # three of the four fine slices within thick slice 1: lesion
    first[9, 5, 5] = 1  # one of the four in thick slice 2: not
    second[4:8, 2:5, 2:4] = 1
    for rater, mask in ((1, first), (2, second)):
        path = folder / f"training01_01_mask{rater}.nii.gz"
        written.save(path, mask, (1, 1, 1), (0, 0, 0), **grid)
    made = convert(CONVERTERS["isbi2015"], source, home)
    truth = read_labels(made / "labelsTs" / "training01_01.nii.gz").array
    expected = np.zeros((5, 8, 8), int)
    expected[1, 2:4, 2:4] = 1
    np.testing.assert_array_equal(truth, expected)
    assert read_labels(made / "labelsTs_rater2" / "training01_01.nii.gz").array.sum() == 6


def test_isbi_mask_elsewhere_is_refused(tmp_path: Path) -> None:
    flair = written.scan(tmp_path / "flair.nii.gz")
    mask = np.ones(written.SHAPE, np.float32)
    path = written.save(tmp_path / "mask.nii.gz", mask, origin=(500, 0, 0))
    with pytest.raises(DatasetError, match="belong together"):
        isbi2015.resample_mask(path, read_geometry(flair))


def test_real_isbi_volume_survives_resampling(real_data: Path) -> None:
    folder = real_data / "isbi2015" / "training01"
    mask, flair = (folder / f"training01_01_{n}.nii.gz" for n in ("mask1", "flair"))
    before, after = read_labels(mask), isbi2015.resample_mask(mask, read_geometry(flair))
    volume = before.array.sum() * np.prod(before.spacing)
    assert after.sum() * np.prod(read_scan(flair).spacing) == pytest.approx(volume, rel=0.1)
