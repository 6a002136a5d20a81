"""Small sound inputs of every kind, which the mutations then spoil."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.evaluation.evaluate import evaluate_folder, write_evaluation
from disanat.inference.archive import write_archive
from disanat.inference.folder import predict_folder
from disanat.inference.model import Model, save_model
from disanat.inference.predictor import Predictor
from disanat.io.store import StoredCase, save_case
from disanat.methods.registry import get_method
from disanat.plans import (
    CaseFingerprint,
    ChannelFingerprint,
    Configuration,
    Decision,
    Fingerprint,
    NetworkPlan,
    Plans,
    save_json,
)
from disanat.scoring.calibration import Calibration

__all__ = ["CLASSES", "brain", "make_material", "write_dicom", "write_image"]

_SHAPE = (30, 36, 30)
_SPACING = (5.0, 5.0, 5.0)
CLASSES = {"csf": [11], "grey": [12], "white": [13]}


def brain(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A stripped brain of ellipsoids and its three tissues, axes S, P, L."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[(np.arange(n) - n / 2 + 0.5) * 5.0 for n in _SHAPE]))
    grid = grid.transpose(0, 2, 1, 3)
    radii = np.array([56.0, 74.0, 60.0]) * rng.uniform(0.95, 1.05, 3)
    depth = np.sqrt(((grid / radii.reshape(3, 1, 1, 1)) ** 2).sum(0))
    labels = np.select([depth < 0.72, depth < 0.9, depth < 1], [3, 2, 1], 0).astype(np.uint8)
    image = np.array([0.0, 30.0, 70.0, 110.0])[labels] + rng.normal(0, 3, _SHAPE)
    return np.where(labels > 0, np.maximum(image, 1), 0).astype(np.float32), labels


def write_image(array: np.ndarray, path: Path) -> None:
    """Store an array (axes S, P, L) with SimpleITK alone."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(_SPACING)
    image.SetOrigin((-72.5, -87.5, -72.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), True)


def write_dicom(folder: Path, array: np.ndarray, series: str = "1.2.826.0.1.3680043.2.1") -> None:
    """Store an array as one DICOM series, a file for each slice along S."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index, plane in enumerate(array.astype(np.int16)):
        image = sitk.GetImageFromArray(plane)
        image.SetSpacing(_SPACING[:2])
        tags = {
            "0008|0060": "MR",
            "0008|0018": f"{series}.{index}",
            "0020|000d": "1.2.826.0.1.3680043.2",
            "0020|000e": series,
            "0020|0013": str(index + 1),
            "0020|0032": f"0\\0\\{index * 5}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{series[-1]}_{index:03d}.dcm"))
        writer.Execute(image)


def _configuration() -> Configuration:
    net = NetworkPlan((8, 12), ((1, 1), (2, 2)), ((3, 3), (3, 3)), 1)
    return Configuration(
        "2d", 2, _SPACING, "S", 1, (32, 32), 4, net, net, net, 8, 5.0, 2, 4, 1e-3, 0.5
    )


def _plans() -> Plans:
    one = _configuration()
    return Plans(
        "Dataset005_Fuzz", ("T1",), ("csf", "grey", "white"), "labels",
        {name: tuple(numbers) for name, numbers in CLASSES.items()}, True, "cpu", 8.0,
        "float32", {"2d": one}, "2d", (replace(one, name="2d_rung1", batch_size=2),),
        (Decision("spacing", "5 mm", "as the scans have it"),),
    )  # fmt: skip


def _fingerprint() -> Fingerprint:
    percentiles = (1.0, 40.0, 70.0, 100.0, 120.0)
    cases = tuple(
        CaseFingerprint(
            f"h{i}", (0,), _SPACING, _SHAPE, (24, 30, 26), "LPS", True, (0.0,), 1000.0,
            (percentiles,), (11, 12, 13), (0.1,), (0.05,), (_SPACING,), 5.0, "ab" * 32,
            "background",
        )
        for i in range(4)
    )  # fmt: skip
    channel = ChannelFingerprint("T1", 4, percentiles, 0.1, 0.2, 0.05, 0.1, _SPACING, False)
    return Fingerprint(
        "Dataset005_Fuzz", ("T1",), cases, _SPACING, (24, 30, 26), True, True, (channel,),
        1000.0, {"LPS": 4}, {"11": 4, "12": 4, "13": 4},
    )  # fmt: skip


def _model(method: str, folder: Path) -> None:
    plans, tables = _plans(), tuple(np.linspace(0.0, 1.0, 61))
    calibration = Calibration({"any": tables, "t1": tables}, 2.0, 0.1, 0.5)
    made = get_method(method)(plans, _configuration())
    weights = dict(made.networks().state_dict())
    model = Model(made, plans, _configuration(), calibration, folder)
    save_model(model, weights, {"fold": "0", "train_cases": ["h0", "h1"]})


def make_material(root: Path) -> None:
    """Write one sound input of every kind into a folder."""
    for seed in range(4):
        image, labels = brain(seed)
        write_image(image, root / f"dataset/imagesTr/h{seed}_0000.nii.gz")
        tissues = np.where(labels > 0, labels + 10, 0).astype(np.uint8)
        write_image(tissues, root / f"dataset/priorsTr/h{seed}.nii.gz")
    declared = {"channel_names": {"0": "T1"}, "prior": {"classes": CLASSES}, "simulated": True}
    (root / "dataset/dataset.json").write_text(json.dumps(declared))
    image, labels = brain(9)
    for kind in (np.int16, np.float32):
        for ending in ("nii", "nii.gz", "mha", "nrrd"):
            write_image(image.astype(kind), root / f"images/{np.dtype(kind).name}.{ending}")
    write_image(labels, root / "labels/case.nii.gz")
    write_dicom(root / "dicom/case_0000", image[8:16])
    save_json(_plans(), root / "plans.json")
    save_json(_fingerprint(), root / "dataset_fingerprint.json")
    _model("threshold", root / "threshold")
    _model("dal", root / "dal")
    write_archive(root / "dal", root / "model.zip", "somebody")
    save_case(root / "store", StoredCase("h0", image[None], labels, (0,)))
    _predictions(root, image, labels)


def _predictions(root: Path, image: np.ndarray, labels: np.ndarray) -> None:
    ill = image.copy()
    lesion = np.zeros(labels.shape, np.uint8)
    lesion[12:17, 14:19, 10:15] = 1
    ill[lesion > 0] = 150
    write_image(ill, root / "scans/p1_0000.nii.gz")
    write_image(lesion, root / "truth/p1.nii.gz")
    predictor = Predictor.from_folder(root / "threshold", "cpu")
    predict_folder(predictor, root / "scans", root / "predictions")
    write_evaluation(evaluate_folder(root / "predictions", root / "truth"), root / "evaluation")
