"""Real scans, where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.io.images import read_labels, read_scan
from disanat.preprocessing.brain_extractor import extract_brain
from disanat.preprocessing.brain_mask import (
    close_mask,
    stripped_background,
    stripped_brain_mask,
)


def one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        pytest.skip(f"no {pattern} in {folder}")
    return found[0]


def test_brats2013_is_stripped_though_its_background_is_not_0(real_data: Path) -> None:
    folder = one(real_data / "brats2013", "*pat0001*")
    scan = read_scan(folder / "Flair_subtrMeanDivStd.nii.gz")
    assert scan.array.shape == (155, 240, 240) and scan.spacing == (1.0, 1.0, 1.0)
    background = stripped_background(scan.array, scan.spacing)
    assert background is not None and background < 0
    mask = stripped_brain_mask(scan.array, background)
    truth = read_labels(folder / "brainmask.nii.gz").array > 0
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.98
    lesion = read_labels(folder / "OTMultiClass.nii.gz").array > 0
    assert mask[lesion].mean() > 0.99


def test_lgg_shows_whole_heads_in_thick_slices(real_data: Path) -> None:
    scan = read_scan(one(real_data / "lgg", "*/*_flair.nii.gz"))
    assert scan.spacing[0] == pytest.approx(7, abs=0.5) and scan.array.shape[1:] == (256, 256)
    assert stripped_background(scan.array, scan.spacing) is None


def test_ixi_is_brought_from_psr_to_anatomical_axes(real_data: Path) -> None:
    path = one(real_data / "ixi_t1_2mm", "t1/IXI013*")
    scan = read_scan(path)
    assert scan.geometry.orientation == "PSR" and scan.spacing == pytest.approx((2, 2, 2))
    oriented = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    np.testing.assert_array_equal(scan.array, sitk.GetArrayFromImage(oriented))
    labels = read_labels(one(real_data / "ixi_t1_2mm", "dlmuse/IXI013*")).array
    assert labels.shape == scan.array.shape

    def centre(*numbers: int) -> np.ndarray:
        return np.argwhere(np.isin(labels, numbers)).mean(0)

    # DLMUSE: 35 brainstem, 38 and 39 cerebellum, 51 right and 52 left lateral ventricle.
    cerebrum, ventricles = centre(*range(81, 96)), centre(51, 52)
    assert centre(35)[0] < ventricles[0] - 10
    assert centre(38, 39)[1] > cerebrum[1] + 5
    assert centre(52)[2] > centre(51)[2] + 4


@pytest.mark.parametrize("case", ["IXI013", "IXI048"])
def test_the_extractor_finds_the_brain_of_raw_heads(real_data: Path, case: str) -> None:
    scan = read_scan(one(real_data / "ixi_t1_2mm", f"t1/{case}*"))
    labels = read_labels(one(real_data / "ixi_t1_2mm", f"dlmuse/{case}*")).array
    truth = close_mask(labels > 0, scan.spacing, 6.0)
    mask = extract_brain(scan.array, scan.spacing)
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.93


def test_a_real_case_with_a_tiny_model(
    real_data: Path, trained_home: Path, miniature: Any, tmp_path: Path
) -> None:
    """Nothing is asked of the map but that it lies in the brain, on the scan's own grid."""
    folder = one(real_data / "mslub", "*")
    source = one(folder, "FLAIR*brain*.nii.gz")
    code = miniature.run(
        "predict", "-i", source, "-o", tmp_path, "-m", "dal", "--home", trained_home,
        "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    [mask] = tmp_path.glob("*_brainmask.nii.gz")
    name = mask.name.removesuffix("_brainmask.nii.gz")
    scan, brain = read_scan(source), read_labels(mask)
    anomaly, phi = (read_scan(tmp_path / f"{name}{e}.nii.gz") for e in ("_anomaly", "_0000_phi"))
    assert anomaly.geometry == brain.geometry and anomaly.geometry.size == scan.geometry.size
    np.testing.assert_allclose(anomaly.geometry.origin, scan.geometry.origin, atol=1e-3)
    inside = brain.array > 0
    assert 900 < inside.sum() / 1000 < 2000
    assert (anomaly.array[~inside] == 0).all() and anomaly.array[inside].std() > 0
    assert scan.array.min() <= phi.array.min() and phi.array.max() <= scan.array.max()
    lesion = read_labels(one(folder, "GOLD*.nii.gz")).array > 0
    assert inside[lesion].mean() > 0.97
