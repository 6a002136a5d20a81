"""What other acquisitions do to the shipped model's detection, on real scans.

    python benchmarks/stress.py [-m MODEL] [--quick]    -> benchmarks/stress.md and stress.png

Two scans with lesions and six healthy ones, brought to 2 mm, the voxel size of the model's plan.
"""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import shutil
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.experiments.stress import Stress, Study, stress
from disanat.experiments.stress_kinds import chosen
from disanat.experiments.stress_table import write_pages
from disanat.home import atomic_path
from disanat.inference.bundled import bundled_folder
from disanat.inference.predictor import Predictor
from disanat.training.splits import split_cases
from steps import ROOT, commit, machine

PAGE, PICTURE = "benchmarks/stress.md", "benchmarks/stress.png"
VOXEL_MM = 2.0
GUIDE = 1
HEALTHY = 5
SHOWN = {
    "mslub": "FLAIR of a patient with multiple sclerosis (MSLUB)",
    "brats2021": "FLAIR of a patient with a glioma (BraTS 2021)",
    "neurohacking_kirby21": "FLAIR of a healthy brain (Kirby21)",
    "ixi": "T1 of healthy whole heads (IXI) that neither trained nor calibrated the shipped model",
}
INTRO = """\
Written by `benchmarks/stress.py`; not edited by hand. What `disanat_stress` says of the shipped
model (or the one named) on a few real scans: {shown}.
They were brought to 2 mm first, the voxel size of the model's plan, so that slices of 2 mm are the
untouched ones, and low field loses no resolution at its first two strengths. T1, where it is there
beside FLAIR, guides the restoration of thick slices. So few scans show what may happen, not how
often."""


def prepare(data: Path, work: Path) -> None:
    """Put the scans and labels at 2 mm into `scans` and `labels`."""
    mslub, brats = data / "mslub" / "patient19", data / "brats2021" / "BraTS2021_00006"
    kirby, ixi = data / "kirby21", data / "ixi_t1_2mm" / "t1"
    end = "_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
    names = sorted(p.name.removesuffix("_T1.nii.gz") for p in ixi.glob("*.nii.gz"))
    held_out = split_cases(names, "0").validation[:HEALTHY]
    channels = {
        "mslub": (mslub / f"FLAIR{end}", mslub / f"T1{end}"),
        "brats2021": (brats / f"{brats.name}_flair.nii.gz", brats / f"{brats.name}_t1.nii.gz"),
        "neurohacking_kirby21": (
            kirby / "113-02-FLAIR_processed_reg.nii.gz",
            kirby / "113-02-MPRAGE_processed_reg.nii.gz",
        ),
        **{f"ixi{n}": (ixi / f"{name}_T1.nii.gz",) for n, name in enumerate(held_out, start=1)},
    }
    truths = {
        "mslub": mslub / f"GOLD_STANDARD{end.replace('_brain_N4', '')}",
        "brats2021": brats / f"{brats.name}_seg.nii.gz",
    }
    for folder in (work / "scans", work / "labels"):
        folder.mkdir(parents=True, exist_ok=True)
    for case, paths in channels.items():
        for number, path in enumerate(paths):
            given = sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkFloat32)
            image = given if case.startswith("ixi") else stripped_at_two_mm(given)
            sitk.WriteImage(image, str(work / "scans" / f"{case}_{number:04d}.nii.gz"))
    for case, path in truths.items():
        lesion = sitk.Cast(sitk.ReadImage(str(path)) > 0, sitk.sitkFloat32)
        half = sitk.Cast(at_two_mm(lesion) >= 0.5, sitk.sitkUInt8)
        sitk.WriteImage(half, str(work / "labels" / f"{case}.nii.gz"))


def at_two_mm(image: sitk.Image) -> sitk.Image:
    """Smoothed over the new voxel's width where it is larger, then linearly interpolated."""
    own = np.array(image.GetSpacing())
    size = np.rint(np.array(image.GetSize()) * own / VOXEL_MM).astype(int)
    sigma = np.sqrt(np.maximum(VOXEL_MM**2 - own**2, 1e-6)) / 2.355
    smooth = sitk.DiscreteGaussian(image, (sigma**2).tolist(), 32)
    shift = (VOXEL_MM - own) / 2
    begin = image.TransformContinuousIndexToPhysicalPoint((shift / own).tolist())
    return sitk.Resample(
        smooth, size.tolist(), sitk.Transform(), sitk.sitkLinear, begin,
        [VOXEL_MM] * 3, image.GetDirection(), 0.0,
    )  # fmt: skip


def stripped_at_two_mm(image: sitk.Image) -> sitk.Image:
    """The same for a brain on a background of 0, which takes nothing from that background."""
    covered = at_two_mm(sitk.Cast(image != 0, sitk.sitkFloat32))
    mean = sitk.Cast(at_two_mm(image) / sitk.Maximum(covered, 0.1), sitk.sitkFloat32)
    return sitk.Mask(mean, covered >= 0.5)


def write_page(found: Stress, predictor: Predictor, study: Study) -> None:
    """The study's own page with what it is of above it, and its picture."""
    model = predictor.model
    head = [
        ("date", f"{datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}"),
        ("machine", machine()),
        ("model", f"{model.method.name} on {model.plans.dataset}"),
        ("threshold", predictor.told_mask_rules()),
        ("seed", str(study.seed)),
        ("strengths", f"{max(len(k.strengths) for k in study.degradations)} of each five"),
    ]
    page = write_pages(head, found, study.degradations, study.folder)
    title, _, rest = page.partition("\n")
    judged = tuple(r.case for r in found.results)
    shown = "; ".join(
        text for begin, text in SHOWN.items() if any(c.startswith(begin) for c in judged)
    )
    intro = textwrap.fill(INTRO.format(shown=shown), 100)
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(f"{title}\n\n{intro}\n{rest}", encoding="utf-8")
    shutil.copyfile(study.folder / "stress.png", ROOT / PICTURE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-m", "--model", type=Path, default=bundled_folder(), help="its folder")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "real_home" / "stress",
        help="folder for scans and results; a run that was interrupted goes on there",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="the middle and the strongest of the five strengths alone, and no change of units, "
        "which changes nothing",
    )  # fmt: skip
    args = parser.parse_args()
    data = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    logging.basicConfig(level=logging.WARNING)
    if not (args.work / "scans").is_dir():
        prepare(data.resolve(), args.work)
    kinds = chosen(None, restore=True)
    if args.quick:
        kinds = tuple(
            replace(k, strengths=k.strengths[2::2] or k.strengths)
            for k in kinds
            if k.name != "scale"
        )
    study = Study(
        scans=args.work / "scans",
        folder=args.work / "results",
        degradations=kinds,
        labels=args.work / "labels",
        guide=GUIDE,
    )
    predictor = Predictor.from_folder(args.model)
    for found in stress(study, predictor):
        write_page(found, predictor, study)
    print(f"Written: {PAGE} and {PICTURE}")


if __name__ == "__main__":
    main()
