"""Predictions as a dataset of BIDS derivatives: its description, and what stands beside images."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import disanat
from disanat.errors import DatasetError
from disanat.home import atomic_path, write_json
from disanat.inference.bids_names import NO_SUFFIX, check_bids_names
from disanat.inference.layout import DESCRIPTION, Channel, Layout, Output, layout_of
from disanat.inference.prediction import Prediction
from disanat.inference.records import TABLE
from disanat.io.cases import Case
from disanat.io.label_tables import label_colour
from disanat.preprocessing.brain_mask import stripped_background

__all__ = ["check_layout", "describe_dataset", "sidecar", "sidecar_path", "write_sidecars"]

_VERSION = "1.10.0"
_LINK = "input"
_PLAIN = re.compile(r"[A-Za-z0-9._~/-]")
_TISSUES = "seg-tissues_dseg"
_NOT_BIDS = (
    "predictions.csv", "lesions.csv", "predictions.json", "prediction.json", "evaluation.csv",
    "evaluation.json", "report.html", "*_statmap.*", f"*_{NO_SUFFIX}.*", "*_seg.dcm",
    ".disanat/",
)  # fmt: skip
_README = """\
# Predictions of disanat

Made by disanat_predict --bids. For research only: not for diagnosis or treatment.

For each scan: a lesion mask (label-lesion, mask), a brain mask (desc-brain, mask), an anomaly map
(desc-anomaly, statmap) and, where they were asked for, the pseudo-healthy image
(desc-pseudohealthy), the scan with its lesions filled (desc-filled), and the tissues of the
restored anatomy (seg-tissues, dseg). The JSON file beside an image says what it was made from, with
which model and threshold. predictions.csv has a row for each case, lesions.csv for each lesion, and
predictions.json holds both. What BIDS has no name for is listed in .bidsignore.
"""
_SAID = {
    "mask": "Lesions: regions of the brain whose anomaly map reaches the threshold throughout and, "
    "if there is one, the peak threshold somewhere. Made without "
    "any expert mask; for research only.",
    "anomaly": "Anomaly map: -log10 of the share of healthy brain voxels with at least such a "
    "score; 0 outside the brain. It is not the probability of a lesion.",
    "brainmask": "Voxels that were judged.",
    "anatomy": "Tissue classes of the anatomy as it was restored, without lesions.",
    "edges": "Tissue classes of the restored anatomy, at their rims alone.",
    "phi": "Pseudo-healthy image: the scan as it would look without disease, in its own intensity "
    "units.",
    "filled": "The scan with healthy tissue in place of its lesions.",
}
_TYPES = {"mask": "Lesion", "brainmask": "Brain"}


def check_layout(target: Path, layout: Layout, cases: Sequence[Case]) -> None:
    """Whether these cases can be predicted into a folder in this layout.

    Raises:
        DatasetError: the folder is laid out otherwise, is another's dataset, or two cases would
            have the same names.
    """
    there = layout_of(target)
    if there.bids and not layout.bids:
        raise DatasetError(
            f"{target} holds predictions in BIDS: give --bids as well, or another folder with -o."
        )
    if not layout.bids:
        return
    if not there.bids and (target / DESCRIPTION).exists():
        raise DatasetError(
            f"{target} is a BIDS dataset that disanat did not make: give a folder of its own with "
            f"-o, such as {target / 'derivatives' / 'disanat'}."
        )
    if not there.bids and (target / TABLE).exists():
        raise DatasetError(
            f"{target} holds predictions that are not in BIDS: leave out --bids, or give another "
            "folder with -o."
        )
    check_bids_names(case.name for case in cases)


def describe_dataset(target: Path, cases: Sequence[Case], facts: Mapping[str, Any]) -> None:
    """Write what a dataset of derivatives says of itself.

    Args:
        target: folder of the predictions.
        cases: all that are predicted.
        facts: of the prediction: `method`, `configuration`, `dataset`.
    """
    scans = next(path.parent for case in cases for path in case.channels.values())
    write_json(
        {
            "Name": "Predictions of disanat",
            "BIDSVersion": _VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [
                {
                    "Name": "disanat",
                    "Version": disanat.__version__,
                    "Description": f"Method {facts['method']}, configuration "
                    f"{facts['configuration']}, trained on {facts['dataset']}",
                }
            ],
            "DatasetLinks": {_LINK: _as_uri(_relative(scans, target))},
        },
        target / DESCRIPTION,
    )
    for name, text in (("README.md", _README), (".bidsignore", "\n".join(_NOT_BIDS) + "\n")):
        if not (target / name).exists():
            with atomic_path(target / name) as temporary:
                temporary.write_text(text, encoding="utf-8")


def _relative(folder: Path, start: Path) -> str:
    try:
        return Path(os.path.relpath(folder.resolve(), start.resolve())).as_posix()
    except ValueError:  # another drive
        return folder.resolve().as_posix()


def _as_uri(text: str) -> str:
    """A path as it stands in a URI: bytes that are no plain letters become `%20` and the like."""
    plain = (c if _PLAIN.fullmatch(c) else "".join(f"%{b:02X}" for b in c.encode()) for c in text)
    return "".join(plain)


def sidecar_path(image: Path) -> Path:
    """The JSON file that belongs to an image."""
    return image.with_name(image.name.partition(".")[0] + ".json")


def write_sidecars(
    target: Path,
    case: Case,
    prediction: Prediction,
    outputs: Sequence[Output],
    channels: Sequence[Channel],
    facts: Mapping[str, Any],
) -> list[Path]:
    """Write the JSON file of each image of a case, and the table of its classes.

    Args:
        target: folder of the predictions.
        case: with the files it was read from.
        prediction: what was found in it.
        outputs: the files written of it, relative to `target`.
        channels: of the case.
        facts: as in `prediction.json`.

    Returns:
        The JSON files.
    """
    written = []
    for output in outputs:
        if output.kind in _SAID:
            path = target / sidecar_path(output.path)
            write_json(sidecar(output, case, prediction, channels, facts), path)
            written.append(path)
    if any(output.kind in ("anatomy", "edges") for output in outputs):
        _write_classes(target, prediction.classes)
    return written


def sidecar(
    output: Output,
    case: Case,
    prediction: Prediction,
    channels: Sequence[Channel],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """What the JSON file of one image says."""
    sources = [f"bids:{_LINK}:{_as_uri(path.name)}" for path in case.channels.values()]
    said: dict[str, Any] = {"Description": _SAID[output.kind]}
    if output.kind in _TYPES:
        said["Type"] = _TYPES[output.kind]
    said |= {"Sources": sources, "SpatialReference": sources[0]}
    if "_res-" in output.path.name:
        said["Resolution"] = "That of the source image"
    said |= dict(_of_image(output, prediction, channels))
    model = {key: facts[key] for key in ("method", "configuration", "dataset", "finished")}
    said["Model"] = {key.capitalize(): value for key, value in model.items()}
    said["Model"]["Bundled"] = facts["bundled"]
    said["Threshold"] = prediction.threshold
    said["PeakThreshold"] = prediction.peak_threshold
    said["ThresholdChoice"] = facts["threshold_choice"]
    return said


def _of_image(
    output: Output, prediction: Prediction, channels: Sequence[Channel]
) -> Iterator[tuple[str, Any]]:
    """What is said of maps and images, but not of masks and segmentations."""
    if output.kind == "anomaly":
        yield "SkullStripped", True
    if output.channel is None:
        return
    stripped = output.kind == "phi"
    if output.kind == "filled":
        z, y, x = prediction.spacing
        scan = prediction.scans[output.channel]
        stripped = stripped_background(scan, (z, y, x)) is not None
    yield "SkullStripped", stripped
    [one] = [channel for channel in channels if channel.number == output.channel]
    yield "Channel", {"Number": one.number, "Name": one.name, "ContrastFound": one.contrast}


def _write_classes(target: Path, classes: Sequence[str]) -> None:
    """`seg-tissues_dseg.tsv`: what the numbers in all segmentations mean, and their colours."""
    rows = [
        (number, name, "#{:02x}{:02x}{:02x}".format(*label_colour(name, number)))
        for number, name in enumerate(classes, start=1)
    ]
    with (
        atomic_path(target / f"{_TISSUES}.tsv") as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as handle,
    ):
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerows([("index", "name", "color"), *rows])
