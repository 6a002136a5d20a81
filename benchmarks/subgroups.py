"""For whom is the shipped model wrong? Real scans of several sets, by what is known of each.

    python benchmarks/subgroups.py [-m MODEL] [--work FOLDER]     -> benchmarks/subgroups.md

One scan of each patient: FLAIR with expert masks from six sets, healthy T1 that trained no network.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from disanat import evaluate, subgroups
from disanat.home import atomic_path
from disanat.inference.bundled import bundled_folder
from disanat.inference.folder import predict_folder
from disanat.inference.model import finished
from disanat.inference.predictor import Predictor
from disanat.io.cases import find_cases
from disanat.io.dataset import read_dataset
from disanat.io.images import read_geometry, read_labels, write_like
from disanat.reporting.subgroup_figure import subgroup_figure
from disanat.reporting.subgroup_page import HOW_TO_READ, subgroup_sections
from disanat.training.splits import split_cases
from real import TEST_SETS
from steps import ROOT, Commands, Stopwatch, commit, machine

PAGE = "benchmarks/subgroups.md"
PICTURE = "documentation/images/subgroups.png"
CONTRAST = "FLAIR"
DISEASES = {"MSLUB": "multiple sclerosis", "MSLesSeg": "multiple sclerosis",
            "ISBI2015": "multiple sclerosis"}  # fmt: skip
WITH_SKULL = ("ISBI2015", "LGG", "IXI")
VENTRICLES = (4, 11, 49, 50, 51, 52)
"""In DLMUSE's numbering."""
COLUMNS = ("set", "disease", "skull", "slice_mm", "lesion_ml", "brain_ml", "ventricles_percent")
CUTS = {"slice_mm": (3.0,)}
INTRO = f"""\
Written by `benchmarks/subgroups.py`; not edited by hand. The shipped model (or the one named) on
one scan of each person: {CONTRAST} with expert masks from six sets, and healthy IXI T1 that trained
no network. AP and dice are of the ill, false positives of the healthy alone. Little is known of
them: age, sex and scanner come with none of these scans. The columns are the set, the disease,
whether the skull is in the scan, the distance of its slices (cut at {CUTS["slice_mm"][0]:g} mm),
the volume of the expert mask, and for the healthy the volumes of brain and ventricles in an
automatic segmentation (ventricles grow with age). In these data the columns hang together: thick
slices and skulls come from the same two sets. So a column that differs does not say why."""


@dataclass
class Material:
    """Folders of scans and masks, and what is known of each case."""

    scans: Path
    labels: Path
    rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, case: str, scan: Path, label: Path, name: str, **known: str) -> None:
        """Link a scan and its mask, and note what the file and the set say."""
        self.scans.mkdir(parents=True, exist_ok=True)
        self.labels.mkdir(parents=True, exist_ok=True)
        (self.scans / f"{case}_0000.nii.gz").symlink_to(scan.resolve())
        if label.parent != self.labels:
            (self.labels / f"{case}.nii.gz").symlink_to(label.resolve())
        skull = "in" if name in WITH_SKULL else "stripped"
        slices = f"{max(read_geometry(scan).spacing):.1f}"
        facts = {"participant_id": case, "set": name, "skull": skull, "slice_mm": slices, **known}
        self.rows.append({key: facts.get(key, "n/a") for key in ("participant_id", *COLUMNS)})

    def write(self, target: Path) -> None:
        """As BIDS has it."""
        with target.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, list(self.rows[0]), delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


def ill(commands: Commands, data: Path, home: Path, into: Material) -> None:
    """Every patient of the test sets, in one contrast."""
    for source, dataset in TEST_SETS.items():
        commands.run("disanat_convert", source, "-i", data / source, "--link")
        folder, name = home / "raw" / dataset, dataset[11:]
        channel = list(read_dataset(folder).channel_names).index(CONTRAST)
        for case in find_cases(folder / "imagesTs"):
            label = folder / "labelsTs" / f"{case.name}.nii.gz"
            truth = read_labels(label)
            volume = np.count_nonzero(truth.array) * float(np.prod(truth.spacing)) / 1000
            into.add(
                case.name, case.channels[channel], label, name,
                disease=DISEASES.get(name, "glioma"), lesion_ml=f"{volume:.1f}",
            )  # fmt: skip


def healthy(data: Path, many: int, into: Material) -> None:
    """IXI scans that trained no network, with masks of zeros."""
    source = data / "ixi_t1_2mm"
    named = sorted(p.name.removesuffix("_T1.nii.gz") for p in (source / "t1").glob("*.nii.gz"))
    for case in split_cases(named, "0").validation[:many]:
        scan, label = source / "t1" / f"{case}_T1.nii.gz", into.labels / f"{case}.nii.gz"
        regions = read_labels(next((source / "dlmuse").glob(f"{case}*.nii.gz")))
        brain = np.count_nonzero(regions.array)
        share = 100 * np.count_nonzero(np.isin(regions.array, VENTRICLES)) / brain
        write_like(np.zeros(regions.array.shape, np.uint8), regions.geometry, label)
        into.add(
            case, scan, label, "IXI", disease="none", ventricles_percent=f"{share:.2f}",
            brain_ml=f"{brain * float(np.prod(regions.spacing)) / 1000:.0f}",
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-m", "--model", type=Path, default=bundled_folder(), help="its folder")
    parser.add_argument("--healthy", type=int, default=9, help="healthy scans (default: 9)")
    parser.add_argument(
        "--work", type=Path,
        help="keep the predictions in this folder; those that are there are not done again",
    )  # fmt: skip
    args = parser.parse_args()
    data = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as temporary:
        work, out = Path(temporary), (args.work or Path(temporary)) / "predictions"
        material = Material(work / "scans", work / "labels")
        with watch.step("prepare"):
            ill(Commands(work / "home"), data.resolve(), work / "home", material)
            healthy(data.resolve(), args.healthy, material)
            material.write(work / "participants.tsv")
        kept = len(list(out.glob("*_anomaly.nii.gz")))
        with watch.step("predict"):
            predict_folder(Predictor.from_folder(args.model), material.scans, out)
        with watch.step("evaluate"):
            evaluation = evaluate(out, material.labels, out, scans=material.scans)
            found = subgroups(evaluation, work / "participants.tsv", out, cuts=CUTS)
    subgroup_figure(found, ROOT / PICTURE)
    shipped = "the one that ships with disanat" if args.model == bundled_folder() else "own"
    times = ", ".join(f"{step} {minutes:.1f}" for step, minutes in watch.minutes.items())
    page = [
        "# For whom is the shipped model wrong?",
        "",
        INTRO,
        "",
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE, PICTURE])}",
        f"- model: {shipped}, finished {finished(args.model)}",
        f"- machine: {machine()}",
        f"- {watch.total:.1f} minutes in all ({times})"
        + (f"; {kept} predictions of an earlier run were taken again" if kept else ""),
        "",
        *subgroup_sections(found, "##"),
        f"![Subgroups and lesions](../{PICTURE})",
        "",
        "## How to read it",
        "",
        HOW_TO_READ,
        "",
    ]
    with atomic_path(ROOT / PAGE) as temporary_page:
        temporary_page.write_text("\n".join(page), encoding="utf-8")
    print(f"Written: {PAGE}, {PICTURE}")


if __name__ == "__main__":
    main()
