"""Tiny copies of public sets of healthy brains, with the folders and names of their downloads."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from converter_files import labels, scan


def ixi(source: Path) -> None:
    for i, case in enumerate(("IXI012-HH-1211", "IXI013-Guys-1212")):
        scan(source / "IXI-T1" / f"{case}-T1.nii.gz", i, orientation="PSR")
        for j, name in enumerate(("T2", "PD")):
            scan(source / f"IXI-{name}" / f"{case}-{name}.nii.gz", 2 * i + j)
    table = '"IXI_ID","SEX_ID (1=m, 2=f)","HEIGHT","AGE"\n12,1,175,38.78\n13,2,182,46.71\n'
    (source / "IXI.csv").write_text(table)


def ixi_nichart(source: Path) -> None:
    for i, case in enumerate(("IXI013", "IXI048")):
        scan(source / "t1" / f"{case}_T1.nii.gz", i)
        labels(source / "dlmuse" / f"{case}_DLMUSE.nii.gz", 82)


def _analyze(path: Path, seed: int, size: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 900, size).astype(">i2")
    values[0, 0, 0] = 5000  # the first voxel of the file: a corner that can be found again
    header = nib.AnalyzeHeader(endianness=">")
    header.set_data_dtype(np.int16)
    header.set_data_shape(values.shape + (1,))
    header.set_zooms((1.0, 1.0, 2.0, 1.0))
    image = nib.AnalyzeImage(values[..., None], None, header)
    image.to_filename(str(path))


def oasis1(source: Path) -> None:
    for number, cdr in (("0001", "0"), ("0002", ""), ("0003", "0.5")):
        name = f"OAS1_{number}_MR1"
        folder = source / "disc1" / name
        average = folder / "PROCESSED" / "MPRAGE" / "SUBJ_111" / f"{name}_mpr_n4_anon_sbj_111.img"
        atlas = folder / "PROCESSED" / "MPRAGE" / "T88_111" / f"{name}_mpr_n4_anon_111_t88_gfc.img"
        _analyze(average, int(number), (12, 14, 10))
        _analyze(atlas, int(number), (12, 14, 10))
        _analyze(folder / "RAW" / f"{name}_mpr-1_anon.img", int(number), (12, 14, 10))
        said = (f"SESSION ID:   {name}", "", "AGE:   74", "M/F:   Female", f"CDR:   {cdr}", "")
        (folder / f"{name}.txt").write_text("\n".join(said))
    second = source / "disc1" / "OAS1_0001_MR2" / "RAW" / "OAS1_0001_MR2_mpr-1_anon.img"
    _analyze(second, 9, (12, 14, 10))


def _oasis3_table(source: Path) -> None:
    table = source / "OASIS3_data_files" / "scans" / "UDSb4" / "OASIS3_UDSb4_cdr.csv"
    table.parent.mkdir(parents=True)
    rows = ["OASISID,days_to_visit,CDRTOT", "OAS30001,0,0", "OAS30001,339,0.0", "OAS30002,0,0"]
    table.write_text("\n".join([*rows, "OAS30002,700,0.5", "OAS30003,10,0", ""]))


def oasis3(source: Path) -> None:
    sessions = ("OAS30001_MR_d0129", "OAS30001_MR_d0757", "OAS30002_MR_d0100", "OAS30003_MR_d0003")
    for i, name in enumerate(sessions):
        start = f"sub-{name[:8]}_ses-{name[12:]}"
        for run in (1, 2):
            scan(source / name / f"anat{run}" / f"{start}_run-0{run}_T1w.nii.gz", 3 * i + run)
        scan(source / name / "anat3" / f"{start}_FLAIR.nii.gz", i, spacing=(1.0, 1.0, 3.0))
    _oasis3_table(source)


def oasis3_bids(source: Path) -> None:
    name = "sub-OAS30001/ses-d0129/anat/sub-OAS30001_ses-d0129_T1w.nii.gz"
    scan(source / name)
    scan(source / name.replace("30001", "30003"))
    _oasis3_table(source)


def camcan(source: Path) -> None:
    for i, case in enumerate(("sub-CC110033", "sub-CC110037")):
        scan(source / "anat" / case / "anat" / f"{case}_T1w.nii.gz", i)
        scan(source / "anat" / case / "anat" / f"{case}_T2w.nii.gz", i + 5, origin=(0.0, 0.0, 0.0))
    rows = ("participant_id\tAge\tSex", "CC110033\t24\tMALE", "CC110037\t18\tMALE")
    (source / "anat" / "participants.tsv").write_text("\n".join(rows))


def hcp(source: Path) -> None:
    for i, case in enumerate(("100307", "100408")):
        for j, name in enumerate(("T1w", "T2w")):
            scan(source / case / "T1w" / f"{name}_acpc_dc_restore.nii.gz", 2 * i + j)
            scan(source / case / "T1w" / f"{name}_acpc_dc_restore_brain.nii.gz", 2 * i + j)


def hcp_unprocessed(source: Path) -> None:
    for i, case in enumerate(("100307", "100408")):
        raw = source / case / "unprocessed" / "3T"
        scan(raw / "T1w_MPR1" / f"{case}_3T_T1w_MPR1.nii.gz", i)
        scan(raw / "T2w_SPC1" / f"{case}_3T_T2w_SPC1.nii.gz", i, spacing=(1.0, 1.5, 2.0))
