"""Flags of prediction: registration, names of channels, DICOM segmentations, label tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
from dicom_files import write_slices
from predictions import table


def test_a_dicom_segmentation_holds_the_masks_voxels(
    miniature: Any, trained_home: Path, tmp_path: Path
) -> None:
    image = miniature.brain(7, "flair", lesion=True).image
    write_slices(tmp_path / "in" / "p", image, (4.0, 4.0, 4.0))
    flags = ("--save", "dicom_seg", "filled", "--channels", "FLAIR", "--home", trained_home)
    words = ("predict", "-i", tmp_path / "in", "-o", tmp_path / "out", *flags, "--device", "cpu")
    assert miniature.run(*words) == 0
    import SimpleITK as sitk

    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "p.nii.gz")))
    found = highdicom.seg.segread(tmp_path / "out" / "p_seg.dcm")
    assert found.get_volume(combine_segments=True).array.sum() == mask.sum() > 0
    assert (tmp_path / "out" / "p_0000_filled.nii.gz").exists()
    assert table(tmp_path / "out")["p"]["channel_names"] == "FLAIR"
    assert np.any(mask)
