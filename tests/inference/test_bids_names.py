"""Names of results in BIDS: what a case's name says is kept, and no two cases share one."""

from __future__ import annotations

import pytest

from disanat.errors import DatasetError
from disanat.inference.bids_names import check_bids_names
from disanat.inference.layout import BIDS, Channel


def mask(case: str) -> str:
    return BIDS.path(case, "mask").as_posix()


def phi(case: str, *channels: Channel) -> list[str]:
    return [BIDS.channel_path(case, "phi", c.number, channels).name for c in channels]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("sub-01", "sub-01/anat/sub-01_label-lesion_mask.nii.gz"),
        ("sub-01_ses-2", "sub-01/ses-2/anat/sub-01_ses-2_label-lesion_mask.nii.gz"),
        ("sub-01_T1w", "sub-01/anat/sub-01_label-lesion_desc-T1w_mask.nii.gz"),
        # Entities in the order of the specification.
        ("sub-1_run-2_acq-x", "sub-1/anat/sub-1_acq-x_run-2_label-lesion_mask.nii.gz"),
        # Those that a mask may not have go into desc.
        ("sub-1_desc-preproc_T1w", "sub-1/anat/sub-1_label-lesion_desc-preprocT1w_mask.nii.gz"),
        ("sub-1_inv-2_MP2RAGE", "sub-1/anat/sub-1_label-lesion_desc-inv2MP2RAGE_mask.nii.gz"),
        ("sub-1_run-a", "sub-1/anat/sub-1_label-lesion_desc-runa_mask.nii.gz"),
        ("sub-1_part-x", "sub-1/anat/sub-1_label-lesion_desc-partx_mask.nii.gz"),
        # No names of BIDS.
        ("P07", "sub-P07/anat/sub-P07_label-lesion_mask.nii.gz"),
        ("Müller 3_T1", "sub-Muller3T1/anat/sub-Muller3T1_label-lesion_mask.nii.gz"),
        ("sub-1_ses-1_ses-2", "sub-sub1ses1ses2/anat/sub-sub1ses1ses2_label-lesion_mask.nii.gz"),
        ("sub-../x", "sub-subx/anat/sub-subx_label-lesion_mask.nii.gz"),
    ],
)  # fmt: skip
def test_names_of_masks(case: str, expected: str) -> None:
    assert mask(case) == expected


def test_a_name_without_letters_gets_a_digest() -> None:
    one, other = mask("患者"), mask("病人")
    assert one != other and one == mask("患者") and one.isascii()


def test_the_other_kinds_of_a_marked_case() -> None:
    found = [o.path.name for o in BIDS.outputs("sub-1_T1w", [Channel(0, "", "t1")])]
    assert sorted(found) == sorted([
        "sub-1_label-lesion_desc-T1w_mask.nii.gz",
        "sub-1_desc-anomalyT1w_statmap.nii.gz",
        "sub-1_desc-brainT1w_mask.nii.gz",
        "sub-1_seg-tissues_desc-T1w_dseg.nii.gz",
        "sub-1_seg-tissues_desc-edgesT1w_dseg.nii.gz",
        "sub-1_label-lesion_desc-T1w_seg.dcm",
        "sub-1_desc-pseudohealthy_T1w.nii.gz",
        "sub-1_desc-filled_T1w.nii.gz",
    ])  # fmt: skip


def test_an_image_is_called_by_name_then_by_case_then_by_looks() -> None:
    assert phi("sub-1", Channel(0, "Flair", "t1")) == ["sub-1_desc-pseudohealthy_FLAIR.nii.gz"]
    assert phi("sub-1_T2w", Channel(0, "", "t1")) == ["sub-1_desc-pseudohealthy_T2w.nii.gz"]
    assert phi("sub-1", Channel(0, "", "t2")) == ["sub-1_desc-pseudohealthy_T2w.nii.gz"]
    assert phi("sub-1", Channel(0, "", "any")) == ["sub-1_desc-pseudohealthy_MRI.nii.gz"]
    assert phi("sub-1", Channel(0, "ADC", "t2")) == ["sub-1_desc-pseudohealthyADC_T2w.nii.gz"]
    assert phi("sub-1_FLAIR", Channel(0, "T1", "t1")) == [
        "sub-1_desc-pseudohealthyFLAIR_T1w.nii.gz"
    ]


def test_channels_that_look_alike_are_numbered_and_enhanced_t1_is_told_apart() -> None:
    named = (Channel(0, "T1", "t1"), Channel(1, "T1ce", "t1"))
    assert phi("sub-1", *named) == [
        "sub-1_desc-pseudohealthy_T1w.nii.gz",
        "sub-1_desc-pseudohealthyT1ce_T1w.nii.gz",
    ]
    assert phi("sub-1", Channel(0, "", "t1"), Channel(3, "", "t1")) == [
        "sub-1_desc-pseudohealthy0_T1w.nii.gz",
        "sub-1_desc-pseudohealthy3_T1w.nii.gz",
    ]


@pytest.mark.parametrize(
    "cases",
    [("a-b", "ab"), ("P_7", "p7"), ("sub-1", "1"), ("sub-1", "sub-1_T1w")],
)
def test_names_that_would_be_the_same_are_refused(cases: tuple[str, str]) -> None:
    with pytest.raises(DatasetError, match="would have the same names in BIDS"):
        check_bids_names(cases)


def test_scans_of_one_subject_have_names_of_their_own() -> None:
    further = ("_T1w", "_FLAIR", "_run-2_T1w", "_ses-1_T1w", "_desc-x_T1w")
    cases = [f"sub-1{more}" for more in further]
    check_bids_names(cases)
    paths = [o.path for case in cases for o in BIDS.outputs(case, [Channel(0, "", "t1")])]
    assert len(set(paths)) == len(paths)
