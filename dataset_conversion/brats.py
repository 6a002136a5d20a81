"""BraTS 2013 to 2024 and FeTS: brain tumours; one table of how each year names its files.

Folders of any depth are searched (`HGG/`, `MICCAI_BraTS2020_TrainingData/` and so on). Everything
above 0 in a mask is tumour: oedema too, and in 2024 also the cavities of operations. Cases without
a mask (validation sets) are taken only where no case has one.

Where the namings are described: 2013 and 2015 in the Virtual Skeleton Database's downloads; 2017 to
2020 at med.upenn.edu/cbica (its BraTS 2020 page names the contrasts); 2021 in arXiv 2107.02314;
2023 and 2024 at synapse.org (syn51156910 and syn53708249); FeTS at fets-ai.github.io/Challenge; the
sample with `OTMultiClass.nii.gz` among the examples of DeepMedic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset_conversion.common import channel_files, find_optional, nothing_found, walk_folders
from dataset_conversion.converter import Converter, Found, Request, Subject

__all__ = ["CONVERTERS"]

_CHANNELS = ("FLAIR", "T1", "T1c", "T2")


@dataclass(frozen=True)
class _Naming:
    """How one year calls a case's folder (a regular expression) and its files (glob patterns).

    `{case}` is the folder's name. Of the masks' patterns the first that is there counts.
    """

    folder: str
    files: Mapping[str, str]
    masks: tuple[str, ...]
    example: str
    marks: str = ""
    """A pattern of a file that only this naming has, where other folders are called alike."""
    source: str = ""

    def fits(self, folder: Path) -> bool:
        return not self.marks or any(folder.glob(self.marks))

    def subject(self, folder: Path, wanted: tuple[str, ...]) -> Subject:
        case = folder.name
        files = {name: pattern.format(case=case) for name, pattern in self.files.items()}
        channels = channel_files(folder, files, wanted, case)
        mask = find_optional(folder, *(pattern.format(case=case) for pattern in self.masks))
        return Subject(case, channels, {"labelsTs": mask} if mask else {})


def _joined(separator: str, words: Mapping[str, str], mask: str) -> tuple[dict[str, str], str]:
    files = {name: f"{{case}}{separator}{word}.nii*" for name, word in words.items()}
    return files, f"{{case}}{separator}{mask}.nii*"


_LOWER, _LOWER_SEG = _joined("_", {"FLAIR": "flair", "T1": "t1", "T1c": "t1ce", "T2": "t2"}, "seg")
_NEW, _NEW_SEG = _joined("-", {"FLAIR": "t2f", "T1": "t1n", "T1c": "t1c", "T2": "t2w"}, "seg")
_VSD = {
    # T1 and T1c begin alike: the dot after the word, in the file's name, tells them apart.
    name: f"VSD.Brain.XX.O.MR_{word}*/VSD.Brain.XX.O.MR_{word}.*mha"
    for name, word in {"FLAIR": "Flair", "T1": "T1", "T1c": "T1c", "T2": "T2"}.items()
}
_VSD_MASKS = ("VSD.Brain_3more.XX.*OT*/VSD.Brain_3more.XX.*OT.*.mha",)
_VSD_MARK = "VSD.Brain*/*.mha"


def _vsd(folder: str, example: str) -> _Naming:
    return _Naming(folder, _VSD, _VSD_MASKS, example, _VSD_MARK)


def _nifti(prefix: str, case: str, seg: tuple[str, ...] = ()) -> _Naming:
    example = f"{case}/{Path(case).name}_flair.nii.gz, ..._t1, ..._t1ce, ..._t2, ..._seg"
    return _Naming(prefix, _LOWER, (_LOWER_SEG, *seg), example)


_DEEPMEDIC = _Naming(
    r"brats_2013_\w+",
    {"FLAIR": "Flair_*.nii*", "T1c": "T1c_*.nii*"},
    ("OTMultiClass.nii*",),
    "brats_2013_pat0001_1/Flair_*.nii.gz, T1c_*.nii.gz, OTMultiClass.nii.gz (DeepMedic)",
    "OTMultiClass.nii*",
    "BraTS 2013, standardised scans, from the DeepMedic examples",
)
_HYPHENS = _Naming(
    r"BraTS-(GLI|MEN|MET|PED|SSA)-\d+-\d+",
    _NEW,
    (_NEW_SEG,),
    "BraTS-GLI-00000-000/BraTS-GLI-00000-000-t2f.nii.gz, ...-t1n, ...-t1c, ...-t2w, ...-seg "
    "(and MEN, MET, PED, SSA)",
)
_RADIOTHERAPY = _Naming(
    r"BraTS-MEN-RT-\d+-\d+",
    {"T1c": "{case}_t1c.nii*"},
    ("{case}_gtv.nii*",),
    "BraTS-MEN-RT-0000-1/BraTS-MEN-RT-0000-1_t1c.nii.gz, ..._gtv",
)


@dataclass(frozen=True)
class _Year:
    """A row of the table."""

    name: str
    dataset: str
    number: int
    licence: str
    source: str
    site: str
    namings: tuple[_Naming, ...]
    title: str = "glioma, four contrasts"
    channels: tuple[str, ...] = _CHANNELS


_TERMS = "challenge terms"
_CBICA = "med.upenn.edu/cbica/brats2020/data.html"
_FETS = "fets-ai.github.io/Challenge"
_SYNAPSE = "synapse.org"
_YEARS = (
    _Year(
        "brats2013", "BraTS2013", 101, "CC BY-NC-SA 3.0", "BraTS 2013",
        "smir.ch (formerly virtualskeleton.ch)",
        (
            _DEEPMEDIC,
            _vsd(
                r"\d{4}",
                "BRATS-2/Image_Data/HG/0001/VSD.Brain.XX.O.MR_Flair/VSD.Brain.XX.O.MR_Flair.684.mha",
            ),
        ),
        # The first two are the numbers that the DeepMedic sample has always had.
        channels=("FLAIR", "T1c", "T1", "T2"),
    ),
    _Year(
        "brats2015", "BraTS2015", 107, "CC BY-NC-SA 3.0", "BraTS 2015",
        "smir.ch (formerly virtualskeleton.ch)",
        (
            _vsd(
                r"brats_\w+",
                "BRATS2015_Training/HGG/brats_2013_pat0001_1/VSD.Brain.XX.O.MR_Flair.54512/"
                "VSD.Brain.XX.O.MR_Flair.54512.mha",
            ),
        ),
    ),
    _Year("brats2017", "BraTS2017", 108, _TERMS, "BraTS 2017", _CBICA,
          (_nifti(r"Brats17_\w+", "HGG/Brats17_CBICA_AAB_1"),)),
    _Year("brats2018", "BraTS2018", 109, _TERMS, "BraTS 2018", _CBICA,
          (_nifti(r"Brats18_\w+", "HGG/Brats18_2013_2_1"),)),
    _Year("brats2019", "BraTS2019", 110, _TERMS, "BraTS 2019", _CBICA,
          (_nifti(r"BraTS19_\w+", "HGG/BraTS19_2013_2_1"),)),
    # The mask of patient 355 has a name of its own in widespread copies.
    _Year("brats2020", "BraTS2020", 111, _TERMS, "BraTS 2020", _CBICA,
          (_nifti(r"BraTS20_(Training|Validation|Testing)_\d+", "BraTS20_Training_001",
                  ("W39_1998.09.19_Segm.nii*",)),)),
    _Year("brats2021", "BraTS2021", 102, "BraTS 2021 terms", "RSNA-ASNR-MICCAI BraTS 2021",
          _SYNAPSE, (_nifti(r"BraTS2021_\d+", "BraTS2021_00006"),)),
    _Year("brats2023", "BraTS2023", 112, _TERMS, "ASNR-MICCAI BraTS 2023", _SYNAPSE, (_HYPHENS,),
          "glioma, meningioma, metastases, children, Africa; four contrasts"),
    _Year("brats2024", "BraTS2024", 113, _TERMS, "BraTS 2024", _SYNAPSE, (_HYPHENS, _RADIOTHERAPY),
          "glioma after treatment and others; meningioma before radiotherapy (T1c alone)"),
    _Year("fets", "FeTS", 114, _TERMS, "FeTS challenge (2021 or 2022)", _FETS,
          (_nifti(r"FeTS(2022_\d+|21_(Training|Validation)_\d+)", "FeTS2022_00000"),)),
)  # fmt: skip


def _converter(year: _Year) -> Converter:
    def find(request: Request) -> Found:
        subjects: dict[Path, Subject] = {}
        source = ""
        for naming in year.namings:
            for folder in walk_folders(request.source, naming.folder, naming.fits):
                subjects.setdefault(folder, naming.subject(folder, request.channels))
                source = naming.source or source
        if not subjects:
            raise nothing_found(request.source, *(f"folder {n.example}" for n in year.namings))
        told = [_told_apart(subject, folder) for folder, subject in subjects.items()]
        return Found(told, source=source)

    return Converter(
        name=year.name,
        title=year.title,
        dataset=year.dataset,
        number=year.number,
        split="Ts",
        licence=year.licence,
        source=year.source,
        site=year.site,
        expects=tuple(naming.example for naming in year.namings),
        channels=year.channels,
        find=find,
    )


def _told_apart(subject: Subject, folder: Path) -> Subject:
    """Patients of 2013 are only numbers, high and low grade alike: the grade's folder tells."""
    if not subject.name.isdigit():
        return subject
    name = f"{folder.parent.name}_{subject.name}"
    return Subject(name, subject.channels, subject.labels)


CONVERTERS = tuple(_converter(year) for year in _YEARS)
