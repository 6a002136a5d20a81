"""The kinds of input: what is spoilt, what it is fed to, and whether its damage shows."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import mutations as spoil
import numpy as np
from oracle import given_away

from dataset_conversion import cli as convert
from disanat.cli import evaluate, predict
from disanat.errors import DatasetError, DisanatError
from disanat.evaluation.evaluate import evaluate_folder, read_evaluation
from disanat.inference.archive import read_archive
from disanat.inference.folder import predict_folder
from disanat.inference.model import load_model
from disanat.inference.predictor import Predictor
from disanat.io.cases import find_cases
from disanat.io.dataset import read_dataset
from disanat.io.images import read_labels, read_scan
from disanat.io.store import open_case
from disanat.plans import Fingerprint, Plans, load_json
from planning import cli as planning

__all__ = ["KINDS", "DisanatError", "Kind", "fingerprint_of"]

Spoil = Callable[[Random, Path], str]


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    `parts` of the material are copied; one of the files that match `files` is spoilt in one of
    several `ways`; `use` gives back what was read, or raises. `shows` says what gives a damaged
    file away; empty where nothing does.
    """

    name: str
    parts: tuple[str, ...]
    files: str
    ways: tuple[Spoil, ...]
    use: Callable[[Path, Path], Any]
    shows: Callable[[Path], str] = lambda _path: ""


def is_json(path: Path) -> str:
    """Whether a text gives itself away as no JSON."""
    try:
        json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return "no JSON"
    return ""


def _scan(read: Callable[[Path], Any]) -> Callable[[Path, Path], Any]:
    def use(_folder: Path, path: Path) -> Any:
        scan = read(path)
        return scan.array, scan.spacing, scan.geometry.origin, scan.geometry.direction

    return use


def _command(main: Callable[[list[str]], int], *words: str) -> Callable[[Path, Path], Any]:
    """A command in this process; `{}` in its words is the input's folder."""

    def use(folder: Path, _path: Path) -> Any:
        said, printed = StringIO(), StringIO()
        with redirect_stderr(said), redirect_stdout(printed):
            code = main([word.replace("{}", str(folder)) for word in words])
        if code == 0:
            return "done"
        lines = [x for x in said.getvalue().splitlines() if x.startswith(("error: ", "  "))]
        if not lines and code == 2 and "remedy" in printed.getvalue():
            raise DatasetError(f"{folder} has problems in a table: see there.")
        raise DatasetError(lines[-1].removeprefix("error: ") if lines else f"code {code}")

    return use


def _predict(folder: Path, _path: Path) -> Any:
    predictor = Predictor.from_folder(folder / "threshold", "cpu")
    rows = predict_folder(predictor, folder / "scans", folder / "out")
    failed = [row for row in rows if row.status == "failed"]
    if failed:
        raise DatasetError(failed[0].message)
    return [(row.case, row.lesion_volume_ml) for row in rows]


def _evaluate(folder: Path, _path: Path) -> Any:
    found = evaluate_folder(folder / "predictions", folder / "truth")
    return found.average_precision, [case.case_score for case in found.cases]


def _dataset(folder: Path, _path: Path) -> Any:
    dataset = read_dataset(folder / "dataset")
    return dataset.channel_names, dataset.label_mapping, len(dataset.training_cases())


def _model(name: str) -> Callable[[Path, Path], Any]:
    def use(folder: Path, _path: Path) -> Any:
        model = load_model(folder / name)
        state = model.method.networks().state_dict()
        return model.plans, model.calibration, {k: v.numpy() for k, v in state.items()}

    return use


def _archive(folder: Path, path: Path) -> Any:
    read_archive(path, folder / "imported/fold_0")
    return _model("imported/fold_0")(folder, path)


def _store(folder: Path, _path: Path) -> Any:
    case = open_case(folder / "store", "h0")
    return np.asarray(case.image[:]), np.asarray(case.labels[:]), case.channels


def _home(use: Callable[[Path, Path], Any]) -> Callable[[Path, Path], Any]:
    """The dataset in the place where the commands look for it."""

    def inside(folder: Path, path: Path) -> Any:
        (folder / "raw").mkdir()
        (folder / "dataset").rename(folder / "raw/Dataset005_Fuzz")
        return use(folder, path)

    return inside


_IMAGE = (spoil.spoil_bytes, spoil.spoil_header)
_JSON = (spoil.spoil_json,)
_DAMAGED: Callable[[Path], str] = lambda _path: "its checksum"  # noqa: E731
_VERIFY = ("-d", "5", "--home", "{}", "--verify", "-np", "0")
_SCANS = "scans/p1_0000.nii.gz"

KINDS = (
    Kind("NIfTI header", ("images",), "images/*.nii*", _IMAGE[1:], _scan(read_scan), given_away),
    Kind("NIfTI bytes", ("images",), "images/*.nii", _IMAGE[:1], _scan(read_scan), given_away),
    Kind("NIfTI gzip", ("images",), "images/*.gz", _IMAGE[:1], _scan(read_scan), given_away),
    Kind("MetaImage", ("images",), "images/*.mha", _IMAGE, _scan(read_scan), given_away),
    Kind("NRRD", ("images",), "images/*.nrrd", _IMAGE, _scan(read_scan), given_away),
    Kind("label map", ("labels",), "labels/*", _IMAGE, _scan(read_labels), given_away),
    Kind("odd volume", ("threshold", "scans"), _SCANS, (spoil.spoil_volume,), _predict),
    Kind("DICOM folder", ("dicom",), "dicom/*", (spoil.spoil_dicom,), _scan(read_scan)),
    Kind("names in a folder", ("scans",), "scans", (spoil.spoil_names,),
         lambda folder, _: [c.name for c in find_cases(folder / "scans")]),
    Kind("dataset.json", ("dataset",), "dataset/dataset.json", _JSON, _dataset, is_json),
    Kind("plans.json", ("plans.json",), "plans.json", _JSON,
         lambda _, path: load_json(path, Plans), is_json),
    Kind("fingerprint", ("dataset_fingerprint.json",), "*.json", _JSON,
         lambda _, path: load_json(path, Fingerprint), is_json),
    Kind("model.json", ("threshold",), "threshold/model.json", _JSON, _model("threshold"), is_json),
    Kind("checkpoint", ("dal",), "dal/*.pt", _IMAGE[:1], _model("dal"), _DAMAGED),
    Kind("stored case", ("store",), "store/*", _IMAGE[:1], _store, _DAMAGED),
    Kind("model archive", ("model.zip",), "model.zip", _IMAGE[:1], _archive, _DAMAGED),
    Kind("predictions.csv", ("predictions", "truth"), "predictions/predictions.csv",
         (spoil.spoil_csv,), _evaluate),
    Kind("evaluation.json", ("evaluation",), "evaluation/evaluation.json", _JSON,
         lambda folder, _: read_evaluation(folder / "evaluation"), is_json),
    Kind("disanat_evaluate", ("predictions", "truth"), "*/p1*[1aks].nii.gz", _IMAGE,
         _command(evaluate.main, "-i", "{}/predictions", "-l", "{}/truth"), given_away),
    Kind("predict_folder", ("threshold", "scans"), _SCANS, _IMAGE, _predict, given_away),
    Kind("disanat_predict", ("threshold", "scans"), "scans", (spoil.spoil_names,),
         _command(predict.main, "-i", "{}/scans", "-o", "{}/out", "-m", "{}/threshold",
                  "--device", "cpu")),
    Kind("disanat_plan --verify", ("dataset",), "dataset/*/h1*", _IMAGE,
         _home(_command(planning.main, *_VERIFY)), given_away),
    Kind("disanat_convert", ("dataset", "labels"), "labels/*", _IMAGE,
         _home(_command(convert.main, "label_maps", "-i", "{}/labels", "-d", "5", "--home", "{}")),
         given_away),
    Kind("real scans", ("real",), "real/*.nii.gz", _IMAGE, _scan(read_scan), given_away),
)  # fmt: skip


def fingerprint_of(value: Any) -> str:
    """A digest of what was read, to see whether it is what was written."""
    return hashlib.sha256(pickle.dumps(value)).hexdigest()

