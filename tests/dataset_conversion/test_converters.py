"""Converters on tiny trees in the real layouts, and on the real ones where they are there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from dataset_conversion import brats2013, brats2021, isbi2015, ixi, lgg, mslesseg, mslub
from dataset_conversion.cli import main
from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.dataset import read_dataset
from disanat.io.images import read_labels, read_scan, same_grid

SHAPE = (6, 8, 10)


def save(path: Path, array: np.ndarray, spacing=(1.0, 1.0, 2.0), origin=(3.0, -5.0, 7.0)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))
    return path


def scan(path: Path, seed: int = 0) -> Path:
    values = np.random.default_rng(seed).normal(100, 10, SHAPE).astype(np.float32)
    return save(path, values)


def labels(path: Path, value: int = 4) -> Path:
    mask = np.zeros(SHAPE, np.float32)
    mask[2:4, 3:5, 1:4] = value
    mask[2, 3, 1] = 1
    return save(path, mask)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def tree_ixi(source: Path) -> None:
    for i, case in enumerate(("IXI013", "IXI048")):
        scan(source / "t1" / f"{case}_T1.nii.gz", i)
        labels(source / "dlmuse" / f"{case}_DLMUSE.nii.gz", 82)


def tree_brats2013(source: Path) -> None:
    folder = source / "brats_2013_pat0001_1"
    for i, name in enumerate(("Flair_subtrMeanDivStd", "T1c_subtrMeanDivStd", "brainmask")):
        scan(folder / f"{name}.nii.gz", i)
    labels(folder / "OTMultiClass.nii.gz")


def tree_brats2021(source: Path) -> None:
    name = "BraTS2021_00006"
    for i, contrast in enumerate(("flair", "t1", "t1ce", "t2")):
        scan(source / name / f"{name}_{contrast}.nii.gz", i)
    labels(source / name / f"{name}_seg.nii.gz")


def tree_mslub(source: Path) -> None:
    for i, contrast in enumerate(("FLAIR", "T1", "T2")):
        scan(source / "patient19" / f"{contrast}_N4_brain_N4_regtoMNI.nii.gz", i)
    labels(source / "patient19" / "GOLD_STANDARD_N4_regtoMNI.nii.gz", 1)


def tree_mslesseg(source: Path) -> None:
    for i, contrast in enumerate(("FLAIR", "T1", "T2")):
        scan(source / f"P14_T2_{contrast}.nii.gz", i)
    labels(source / "P14_T2_MASK.nii.gz", 1)


def tree_lgg(source: Path) -> None:
    name = "TCGA_CS_4942_19970222"
    for i, contrast in enumerate(("flair", "pre", "post")):
        scan(source / name / f"{name}_{contrast}.nii.gz", i)
    labels(source / name / f"{name}_mask.nii.gz", 1)


TEST_SETS = [
    (brats2013, tree_brats2013, "Dataset101_BraTS2013", "brats_2013_pat0001_1", ["FLAIR", "T1c"]),
    (
        brats2021,
        tree_brats2021,
        "Dataset102_BraTS2021",
        "BraTS2021_00006",
        ["FLAIR", "T1", "T1c", "T2"],
    ),
    (mslub, tree_mslub, "Dataset103_MSLUB", "patient19", ["FLAIR", "T1", "T2"]),
    (mslesseg, tree_mslesseg, "Dataset104_MSLesSeg", "P14_T2", ["FLAIR", "T1", "T2"]),
    (lgg, tree_lgg, "Dataset106_LGG", "TCGA_CS_4942_19970222", ["FLAIR", "T1", "T1c"]),
]


@pytest.mark.parametrize("module, tree, folder, case, channels", TEST_SETS)
def test_test_sets(module, tree, folder, case, channels, tmp_path: Path, home: Home) -> None:
    tree(tmp_path / "source")
    made = module.convert(tmp_path / "source", home)
    assert made == home.raw / folder
    described = json.loads((made / "dataset.json").read_text())
    assert list(described["channel_names"].values()) == channels
    assert described["licence"] and described["source"] and "prior" not in described
    files = sorted(p.name for p in (made / "imagesTs").iterdir())
    assert files == [f"{case}_{i:04d}.nii.gz" for i in range(len(channels))]
    truth = read_labels(made / "labelsTs" / f"{case}.nii.gz")
    assert set(np.unique(truth.array)) == {0, 1} and truth.array.sum() == 12
    assert same_grid(truth.geometry, read_scan(made / "imagesTs" / files[0]).geometry)
    stored = sitk.ReadImage(str(made / "labelsTs" / f"{case}.nii.gz"))
    assert stored.GetPixelID() == sitk.sitkUInt8
    assert not (made / "imagesTr").exists()


def test_channels_keep_their_own_voxels(tmp_path: Path, home: Home) -> None:
    tree_brats2021(tmp_path / "source")
    made = brats2021.convert(tmp_path / "source", home)
    origin = tmp_path / "source" / "BraTS2021_00006" / "BraTS2021_00006_t1ce.nii.gz"
    assert (made / "imagesTs" / "BraTS2021_00006_0002.nii.gz").read_bytes() == origin.read_bytes()


def test_ixi_has_priors_and_training_scans(tmp_path: Path, home: Home) -> None:
    tree_ixi(tmp_path / "source")
    made = ixi.convert(tmp_path / "source", home, 7)
    assert made.name == "Dataset007_IXI"
    assert json.loads((made / "dataset.json").read_text())["prior"] == {"numbering": "dlmuse"}
    assert sorted(p.name for p in (made / "imagesTr").iterdir()) == [
        "IXI013_0000.nii.gz",
        "IXI048_0000.nii.gz",
    ]
    assert read_labels(made / "priorsTr" / "IXI013.nii.gz").array.max() == 82
    assert not (made / "labelsTs").exists()


def test_label_maps_are_added_to_a_dataset(tmp_path: Path, home: Home) -> None:
    tree_ixi(tmp_path / "source")
    made = ixi.convert(tmp_path / "source", home)
    for number in (1, 2):
        labels(tmp_path / "maps" / f"seg_{number}.nii.gz", 41)
    (tmp_path / "maps" / "readme.txt").write_text("label maps")
    flags = ["label_maps", "-i", str(tmp_path / "maps"), "--home", str(home.root)]
    for _ in range(2):
        assert main(flags) == 0
        raw = read_dataset(made)
        assert list(raw.label_maps()) == ["seg_1", "seg_2"]
        assert raw.map_mapping["white"] == (2, 41, 85, 25, 57)
        assert raw.label_mapping["white"] == tuple(range(81, 96))
    assert main([*flags, "-d", "77"]) == 2


def test_link_does_not_copy(tmp_path: Path, home: Home) -> None:
    tree_ixi(tmp_path / "source")
    for _ in range(2):
        made = ixi.convert(tmp_path / "source", home, link=True)
    scan_path = made / "imagesTr" / "IXI013_0000.nii.gz"
    assert scan_path.samefile(tmp_path / "source" / "t1" / "IXI013_T1.nii.gz")
    assert len(list((made / "imagesTr").iterdir())) == 2


def test_missing_prior_is_named(tmp_path: Path, home: Home) -> None:
    tree_ixi(tmp_path / "source")
    (tmp_path / "source" / "dlmuse" / "IXI048_DLMUSE.nii.gz").unlink()
    with pytest.raises(DatasetError, match="IXI048_DLMUSE"):
        ixi.convert(tmp_path / "source", home)
    assert not home.raw.exists()


def test_label_on_another_grid_is_refused(tmp_path: Path, home: Home) -> None:
    tree_mslesseg(tmp_path / "source")
    save(tmp_path / "source" / "P14_T2_MASK.nii.gz", np.ones(SHAPE, np.uint8), origin=(0, 0, 0))
    with pytest.raises(DatasetError, match=r"P14_T2_MASK.*grid"):
        mslesseg.convert(tmp_path / "source", home)
    assert not (home.raw / "Dataset104_MSLesSeg" / "dataset.json").exists()


def test_number_of_another_dataset_is_refused(tmp_path: Path, home: Home) -> None:
    (home.raw / "Dataset104_Mine").mkdir(parents=True)
    tree_mslesseg(tmp_path / "source")
    with pytest.raises(DatasetError, match="Dataset104_Mine"):
        mslesseg.convert(tmp_path / "source", home)


def test_lgg_leaves_out_absent_and_constant_channels(
    tmp_path: Path, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    tree_lgg(tmp_path / "source")
    name = "TCGA_CS_4942_19970222"
    (tmp_path / "source" / name / f"{name}_pre.nii.gz").unlink()
    save(tmp_path / "source" / name / f"{name}_post.nii.gz", np.full(SHAPE, 3, np.uint8))
    made = lgg.convert(tmp_path / "source", home)
    assert [p.name for p in (made / "imagesTs").iterdir()] == [f"{name}_0000.nii.gz"]
    assert "no pre scan" in caplog.text and "is constant" in caplog.text


def test_isbi_masks_are_averaged_within_thick_slices(tmp_path: Path, home: Home) -> None:
    folder = tmp_path / "source" / "training01"
    values = np.random.default_rng(0).normal(50, 5, (5, 8, 8)).astype(np.float32)
    save(folder / "training01_01_flair.nii.gz", values, (1, 1, 4), (0, 0, 1.5))
    first, second = np.zeros((20, 8, 8), np.float32), np.zeros((20, 8, 8), np.float32)
    first[4:7, 2:4, 2:4] = 1  # three of the four fine slices within thick slice 1: lesion
    first[9, 5, 5] = 1  # one of the four in thick slice 2: not
    second[4:8, 2:5, 2:4] = 1
    for rater, mask in ((1, first), (2, second)):
        save(folder / f"training01_01_mask{rater}.nii.gz", mask, (1, 1, 1), (0, 0, 0))
    made = isbi2015.convert(tmp_path / "source", home)
    truth = read_labels(made / "labelsTs" / "training01_01.nii.gz").array
    expected = np.zeros((5, 8, 8), int)
    expected[1, 2:4, 2:4] = 1
    np.testing.assert_array_equal(truth, expected)
    other = read_labels(made / "labelsTs_rater2" / "training01_01.nii.gz").array
    assert other.sum() == 6


def test_isbi_mask_elsewhere_is_refused(tmp_path: Path) -> None:
    flair = scan(tmp_path / "flair.nii.gz")
    mask = save(tmp_path / "mask.nii.gz", np.ones(SHAPE, np.float32), origin=(500, 0, 0))
    with pytest.raises(DatasetError, match="belong together"):
        isbi2015.resample_mask(mask, flair)


def test_command_converts_and_prints_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree_mslub(tmp_path / "source")
    arguments = ["mslub", "-i", str(tmp_path / "source"), "-d", "42", "--link"]
    assert main([*arguments, "--home", str(tmp_path / "home")]) == 0
    assert capsys.readouterr().out.strip().endswith("Dataset042_MSLUB")


@pytest.mark.parametrize("arguments", [["lgg"], ["lgg", "-i", "nowhere"]])
def test_command_asks_for_the_folder(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--home", str(tmp_path)]) == 2
    assert "-i" in capsys.readouterr().err


def test_empty_source_is_named(tmp_path: Path, home: Home) -> None:
    for module in (brats2013, brats2021, mslub, mslesseg, lgg, isbi2015, ixi):
        with pytest.raises(DatasetError, match=r"holds no (file|folder)"):
            module.convert(tmp_path, home)


def test_real_mslesseg(real_data: Path, home: Home) -> None:
    made = mslesseg.convert(real_data / "mslesseg", home, link=True)
    truth = read_labels(made / "labelsTs" / "P14_T2.nii.gz")
    assert truth.array.sum() / 1000 == pytest.approx(29.7, abs=0.1)


def test_real_isbi_volume_survives_resampling(real_data: Path) -> None:
    folder = real_data / "isbi2015" / "training01"
    mask, flair = (folder / f"training01_01_{n}.nii.gz" for n in ("mask1", "flair"))
    before, after = read_labels(mask), isbi2015.resample_mask(mask, flair)
    volume = before.array.sum() * np.prod(before.spacing)
    assert after.sum() * np.prod(read_scan(flair).spacing) == pytest.approx(volume, rel=0.1)
