"""Tiny copies of public sets with lesions, with the folders and names of their downloads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from converter_files import LESION, SHAPE, labels, save, scan


def brats2013(source: Path) -> None:
    folder = source / "brats_2013_pat0001_1"
    for i, name in enumerate(("Flair_subtrMeanDivStd", "T1c_subtrMeanDivStd", "brainmask")):
        scan(folder / f"{name}.nii.gz", i)
    labels(folder / "OTMultiClass.nii.gz")


def _vsd(folder: Path, mask: str, numbered: bool) -> None:
    for i, name in enumerate(("Flair", "T1", "T1c", "T2")):
        start, number = f"VSD.Brain.XX.O.MR_{name}", 684 + i
        where = f"{start}.{number}" if numbered else start
        scan(folder / where / f"{start}.{number}.mha", i)
    labels(folder / (f"{mask}.6560" if numbered else mask) / f"{mask}.6560.mha")


def brats2013_vsd(source: Path) -> None:
    for grade in ("HG", "LG"):
        folder = source / "BRATS-2" / "Image_Data" / grade / "0001"
        _vsd(folder, "VSD.Brain_3more.XX.XX.OT", numbered=False)


def brats2015(source: Path) -> None:
    for grade, case in (("HGG", "brats_2013_pat0001_1"), ("LGG", "brats_tcia_pat101_0001")):
        folder = source / "BRATS2015_Training" / grade / case
        _vsd(folder, "VSD.Brain_3more.XX.O.OT", numbered=True)


def _nifti(
    folder: Path, words: tuple[str, ...], mask: str = "_seg", ending: str = ".nii.gz"
) -> None:
    for i, word in enumerate(words):
        scan(folder / f"{folder.name}{word}{ending}", i)
    if mask:
        labels(folder / f"{folder.name}{mask}{ending}")


_OLD = ("_flair", "_t1", "_t1ce", "_t2")
_NEW = ("-t2f", "-t1n", "-t1c", "-t2w")


def brats2017(source: Path) -> None:
    _nifti(source / "Brats17TrainingData" / "HGG" / "Brats17_CBICA_AAB_1", _OLD)


def brats2018(source: Path) -> None:
    _nifti(source / "MICCAI_BraTS_2018_Data_Training" / "HGG" / "Brats18_2013_2_1", _OLD)


def brats2019(source: Path) -> None:
    _nifti(source / "MICCAI_BraTS_2019_Data_Training" / "LGG" / "BraTS19_2013_0_1", _OLD)


def brats2020(source: Path) -> None:
    inner = source / "BraTS2020_TrainingData" / "MICCAI_BraTS2020_TrainingData"
    _nifti(inner / "BraTS20_Training_001", _OLD, ending=".nii")
    _nifti(inner / "BraTS20_Training_355", _OLD, "", ".nii")
    labels(inner / "BraTS20_Training_355" / "W39_1998.09.19_Segm.nii")
    inner = source / "BraTS2020_ValidationData" / "MICCAI_BraTS2020_ValidationData"
    _nifti(inner / "BraTS20_Validation_001", _OLD, "", ".nii")


def brats2020_validation(source: Path) -> None:
    inner = source / "MICCAI_BraTS2020_ValidationData"
    _nifti(inner / "BraTS20_Validation_001", _OLD, "", ".nii")


def brats2021(source: Path) -> None:
    _nifti(source / "BraTS2021_00006", _OLD)


def brats2023(source: Path) -> None:
    inner = source / "ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData"
    _nifti(inner / "BraTS-GLI-00000-000", _NEW, "-seg")
    inner = source / "ASNR-MICCAI-BraTS2023-MEN-Challenge-TrainingData"
    _nifti(inner / "BraTS-MEN-00004-000", _NEW, "-seg")


def brats2024(source: Path) -> None:
    _nifti(source / "training_data1_v2" / "BraTS-GLI-00005-100", _NEW, "-seg")
    _nifti(source / "BraTS-MEN-RT-Train" / "BraTS-MEN-RT-0000-1", ("_t1c",), "_gtv")


def fets(source: Path) -> None:
    _nifti(source / "MICCAI_FeTS2022_TrainingData" / "FeTS2022_00000", _OLD)


def upenn_gbm(source: Path) -> None:
    for i, case in enumerate(("UPENN-GBM-00001_11", "UPENN-GBM-00002_11")):
        for j, word in enumerate(("FLAIR", "T1", "T1GD", "T2")):
            scan(source / "images_structural" / case / f"{case}_{word}.nii.gz", 4 * i + j)
    labels(source / "images_segm" / "UPENN-GBM-00002_11_segm.nii.gz")
    automated = source / "automated_segm" / "UPENN-GBM-00001_11_automated_approx_segm.nii.gz"
    labels(automated)


def mslub(source: Path) -> None:
    """The version in MNI space."""
    for i, contrast in enumerate(("FLAIR", "T1", "T2", "T1POST")):
        name = f"{contrast}_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
        scan(source / "patient19" / name, i)
    name = "GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz"
    labels(source / "patient19" / name, 1)


def _mslub(folder: Path, start: str) -> None:
    for i, contrast in enumerate(("FLAIR", "T1W", "T2W", "T1WKS")):
        scan(folder / f"{start}{contrast}.nii.gz", i)
    labels(folder / f"{start}consensus_gt.nii.gz", 1)
    scan(folder / f"{start}brainmask.nii.gz")


def mslub_original(source: Path) -> None:
    _mslub(source / "patient01", "patient01_")
    scan(source / "patient01" / "raw" / "patient01_FLAIR.nii.gz", spacing=(0.5, 0.5, 3.0))


def mslub_github(source: Path) -> None:
    _mslub(source / "cross_sectional" / "coregistered_resampled" / "patient01", "")
    _mslub(source / "cross_sectional" / "raw" / "patient01", "")


def mslesseg(source: Path) -> None:
    for i, contrast in enumerate(("FLAIR", "T1", "T2")):
        scan(source / f"P14_T2_{contrast}.nii.gz", i)
    labels(source / "P14_T2_MASK.nii.gz", 1)


def mslesseg_published(source: Path) -> None:
    inner = source / "MSLesSeg Dataset"
    for folder, case in (
        ("train/P1/T1", "P1_T1"), ("train/P1/T2", "P1_T2"), ("test/P54", "P54"),
    ):  # fmt: skip
        for i, contrast in enumerate(("FLAIR", "T1", "T2")):
            scan(inner / folder / f"{case}_{contrast}.nii.gz", i)
        labels(inner / folder / f"{case}_MASK.nii.gz", 1)


def isbi2015(source: Path) -> None:
    inner = source / "training" / "training01"
    for visit in ("training01_01", "training01_02"):
        for i, word in enumerate(("flair", "mprage", "t2", "pd")):
            scan(inner / "preprocessed" / f"{visit}_{word}_pp.nii", i)
        for rater in (1, 2):
            labels(inner / "masks" / f"{visit}_mask{rater}.nii", 1)


def isbi2015_package(source: Path) -> None:
    """Raw FLAIR in slices of 4 mm, and masks of 1 mm."""
    folder = source / "training01"
    scan(folder / "training01_01_flair.nii.gz", spacing=(1, 1, 4), origin=(0, 0, 1.5))
    for rater in (1, 2):
        mask = np.zeros((40, 14, 12), np.float32)
        mask[8:16, 3:5, 1:4] = 1
        path = folder / f"training01_01_mask{rater}.nii.gz"
        save(path, mask, spacing=(1, 1, 1), origin=(0, 0, 0))


def msseg2016(source: Path) -> None:
    for split, centre in (("Training", "Center_01"), ("Testing", "Center_03")):
        patient = source / split / centre / "Patient_01"
        for i, word in enumerate(("FLAIR", "T1", "T2", "DP", "GADO")):
            scan(patient / "Preprocessed_Data" / f"{word}_preprocessed.nii.gz", i)
            scan(patient / "Raw_Data" / f"{word}.nii.gz", i, spacing=(1.0, 1.0, i + 1.0))
        labels(patient / "Masks" / "Consensus.nii.gz", 1)
        labels(patient / "Masks" / "ManualSegmentation_1.nii.gz", 1)


def atlas2(source: Path) -> None:
    for case in ("sub-r001s001", "sub-r001s002"):
        folder = source / "ATLAS_2" / "Training" / "R001" / case / "ses-1" / "anat"
        start = f"{case}_ses-1_space-MNI152NLin2009aSym"
        scan(folder / f"{start}_T1w.nii.gz")
        labels(folder / f"{start}_label-L_desc-T1lesion_mask.nii.gz", 1)
    folder = source / "ATLAS_2" / "Testing" / "R005" / "sub-r005s047" / "ses-1" / "anat"
    scan(folder / "sub-r005s047_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz")


def wmh2017(source: Path) -> None:
    philips = "test/Amsterdam/Philips_VU .PETMR_01./161"
    for i, case in enumerate(("training/Utrecht/0", "training/Amsterdam/GE3T/100", philips)):
        folder = source / case
        for where in ("pre", "orig"):
            for j, name in enumerate(("FLAIR", "T1")):
                scan(folder / where / f"{name}.nii.gz", 10 * i + j)
            scan(folder / where / "3DT1.nii.gz", i, spacing=(1.0, 1.0, 1.0))
        mask = np.zeros(SHAPE, np.float32)
        mask[LESION] = 1
        mask[6, 6:9, 6] = 2
        save(folder / "wmh.nii.gz", mask)
    rater = source / "additional_annotations" / "observer_o3" / "training" / "Utrecht" / "0"
    labels(rater / "result.nii.gz", 1)


def isles2022(source: Path) -> None:
    for i, number in enumerate(("0001", "0002")):
        start = f"sub-strokecase{number}_ses-0001"
        inner = Path(f"sub-strokecase{number}") / "ses-0001"
        for j, word in enumerate(("dwi", "adc")):
            scan(source / "ISLES-2022" / inner / "dwi" / f"{start}_{word}.nii.gz", 2 * i + j)
        flair = source / "ISLES-2022" / inner / "anat" / f"{start}_FLAIR.nii.gz"
        scan(flair, i, spacing=(0.5, 0.5, 5.0))
        labels(source / "ISLES-2022" / "derivatives" / inner / f"{start}_msk.nii.gz", 1)


def lgg(source: Path) -> None:
    name = "TCGA_CS_4942_19970222"
    for i, contrast in enumerate(("flair", "pre", "post")):
        scan(source / name / f"{name}_{contrast}.nii.gz", i)
    labels(source / name / f"{name}_mask.nii.gz", 1)


def lgg_kaggle(source: Path, missing: tuple[int, ...] = ()) -> None:
    """Slices as pictures of three colours; missing colours are filled with FLAIR."""
    name = "TCGA_CS_4941_19960909"
    folder = source / "kaggle_3m" / name
    folder.mkdir(parents=True)
    colours = np.random.default_rng(0).integers(0, 250, (*SHAPE, 3)).astype(np.uint8)
    for colour in missing:
        colours[..., colour] = colours[..., 1]
    mask = np.zeros(SHAPE, np.uint8)
    mask[LESION] = 255
    for i in range(SHAPE[0]):
        picture = sitk.GetImageFromArray(colours[i], isVector=True)
        sitk.WriteImage(picture, str(folder / f"{name}_{i + 1}.tif"))
        sitk.WriteImage(sitk.GetImageFromArray(mask[i]), str(folder / f"{name}_{i + 1}_mask.tif"))


def bids(source: Path) -> None:
    """Two patients with masks among the derivatives; T1 and FLAIR on one grid in the first."""
    for i, case in enumerate(("sub-01", "sub-02")):
        folder = source / case / "ses-1" / "anat"
        scan(folder / f"{case}_ses-1_run-1_T1w.nii.gz", i)
        scan(folder / f"{case}_ses-1_run-2_T1w.nii.gz", i + 10)
        grid = {"spacing": (1.0, 1.0, 3.0)} if i else {}
        scan(folder / f"{case}_ses-1_FLAIR.nii.gz", i + 20, **grid)
        masks = source / "derivatives" / "manual" / case / "ses-1" / "anat"
        labels(masks / f"{case}_ses-1_space-T1w_label-lesion_mask.nii.gz", 1)
    scan(source / "sub-01" / "ses-10" / "anat" / "sub-01_ses-10_T1w.nii.gz", 30)
    labels(source / "derivatives" / "manual" / "sub-01_ses-10_label-lesion_mask.nii.gz", 1)
    said = '{"Name": "A set", "License": "CC0", "DatasetDOI": "doi:10.1/x", "BIDSVersion": "1.8.0"}'
    (source / "dataset_description.json").write_text(said)
    rows = ("participant_id\tage\tgroup", "sub-01\t30\tpatient", "sub-02\t40\tcontrol")
    (source / "participants.tsv").write_text("\n".join(rows))


def pattern(source: Path) -> None:
    for i, case in enumerate(("A1", "B2")):
        scan(source / "north" / case / f"{case}_t1.nii.gz", i)
        scan(source / "north" / case / f"{case}_flair.nii.gz", i + 5)
        labels(source / "masks" / f"north-{case}.nii.gz", 1)
