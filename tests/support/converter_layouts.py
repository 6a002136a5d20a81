"""What becomes of each tree of public sets: its converter, cases and contrasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import healthy_trees as healthy
import lesion_trees as ill


@dataclass(frozen=True)
class Layout:
    """What becomes of a tree: the converter's name, the cases, the contrasts by number."""

    converter: str
    build: Callable[[Path], None]
    cases: tuple[str, ...]
    channels: tuple[str, ...]
    labelled: bool = True
    linked: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.build.__name__


_FOUR = ("FLAIR", "T1", "T1c", "T2")
_THREE = ("FLAIR", "T1", "T2")
_PATTERNS = {
    "name": "Mine",
    "test": True,
    "channel": [
        ["T1", "{site}/{case}/{case}_t1.nii.gz"],
        ["FLAIR", "{site}/{case}/*_flair.nii.gz"],
    ],
    "label": "masks/{site}-{case}.nii.gz",
}
LAYOUTS = (
    Layout("ixi", healthy.ixi, ("IXI012-HH-1211", "IXI013-Guys-1212"), ("T1",), False),
    Layout("ixi", healthy.ixi_nichart, ("IXI013", "IXI048"), ("T1",), False),
    Layout("oasis1", healthy.oasis1, ("OAS1_0001_MR1", "OAS1_0002_MR1"), ("T1",), False, False),
    Layout(
        "oasis3", healthy.oasis3, ("sub-OAS30001_ses-d0129", "sub-OAS30003_ses-d0003"), ("T1",),
        False,
    ),
    Layout(
        "oasis3", healthy.oasis3_bids, ("sub-OAS30001_ses-d0129", "sub-OAS30003_ses-d0129"),
        ("T1",), False,
    ),
    Layout("camcan", healthy.camcan, ("sub-CC110033", "sub-CC110037"), ("T1",), False),
    Layout("hcp", healthy.hcp, ("100307", "100408"), ("T1", "T2"), False),
    Layout("hcp", healthy.hcp_unprocessed, ("100307", "100408"), ("T1",), False),
    Layout("brats2013", ill.brats2013, ("brats_2013_pat0001_1",), ("FLAIR", "T1c")),
    Layout("brats2013", ill.brats2013_vsd, ("HG_0001", "LG_0001"), ("FLAIR", "T1c", "T1", "T2")),
    Layout("brats2015", ill.brats2015, ("brats_2013_pat0001_1", "brats_tcia_pat101_0001"), _FOUR),
    Layout("brats2017", ill.brats2017, ("Brats17_CBICA_AAB_1",), _FOUR),
    Layout("brats2018", ill.brats2018, ("Brats18_2013_2_1",), _FOUR),
    Layout("brats2019", ill.brats2019, ("BraTS19_2013_0_1",), _FOUR),
    Layout("brats2020", ill.brats2020, ("BraTS20_Training_001", "BraTS20_Training_355"), _FOUR),
    Layout("brats2020", ill.brats2020_validation, ("BraTS20_Validation_001",), _FOUR, False),
    Layout("brats2021", ill.brats2021, ("BraTS2021_00006",), _FOUR),
    Layout("brats2023", ill.brats2023, ("BraTS-GLI-00000-000", "BraTS-MEN-00004-000"), _FOUR),
    Layout("brats2024", ill.brats2024, ("BraTS-GLI-00005-100", "BraTS-MEN-RT-0000-1"), _FOUR),
    Layout("fets", ill.fets, ("FeTS2022_00000",), _FOUR),
    Layout("upenn_gbm", ill.upenn_gbm, ("UPENN-GBM-00002_11",), _FOUR),
    Layout("mslub", ill.mslub, ("patient19",), _THREE),
    Layout("mslub", ill.mslub_original, ("patient01",), _THREE),
    Layout("mslub", ill.mslub_github, ("patient01",), _THREE),
    Layout("mslesseg", ill.mslesseg, ("P14_T2",), _THREE),
    Layout("mslesseg", ill.mslesseg_published, ("P1_T1", "P1_T2", "P54"), _THREE),
    Layout("isbi2015", ill.isbi2015, ("training01_01", "training01_02"), (*_THREE, "PD")),
    Layout("isbi2015", ill.isbi2015_package, ("training01_01",), ("FLAIR",)),
    Layout(
        "msseg2016", ill.msseg2016,
        ("Testing_Center_03_Patient_01", "Training_Center_01_Patient_01"),
        (*_THREE, "PD", "T1c"),
    ),
    Layout("atlas2", ill.atlas2, ("sub-r001s001_ses-1", "sub-r001s002_ses-1"), ("T1",)),
    Layout(
        "wmh2017", ill.wmh2017,
        ("Amsterdam_GE3T_100", "Amsterdam_Philips_VU_PETMR_01_161", "Utrecht_0"),
        ("FLAIR", "T1"),
    ),
    Layout(
        "isles2022", ill.isles2022, ("sub-strokecase0001_ses-0001", "sub-strokecase0002_ses-0001"),
        ("DWI", "ADC"),
    ),
    Layout("lgg", ill.lgg, ("TCGA_CS_4942_19970222",), ("FLAIR", "T1", "T1c")),
    Layout("lgg", ill.lgg_kaggle, ("TCGA_CS_4941_19960909",), ("FLAIR", "T1", "T1c"), linked=False),
    Layout(
        "bids", ill.bids, ("sub-01_ses-1", "sub-01_ses-10", "sub-02_ses-1"), ("T1",),
        options={"test": True, "name": "Mine"},
    ),
    Layout("pattern", ill.pattern, ("north_A1", "north_B2"), ("T1", "FLAIR"), options=_PATTERNS),
)  # fmt: skip
