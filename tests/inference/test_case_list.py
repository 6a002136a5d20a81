"""`predictions.json` holds what the tables say, and its schema fits it and nothing else."""

from __future__ import annotations

import copy
import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from predictions import table

from disanat.inference.case_list import case_list_schema
from disanat.inference.folder import predict_folder
from disanat.inference.predictor import Predictor

CHECK = Draft202012Validator(case_list_schema())


@pytest.fixture(scope="module")
def predictor(trained_home: Path) -> Predictor:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    return Predictor.from_folder(folder, threshold=1.5)


@pytest.fixture(scope="module", params=[False, True], ids=["flat", "bids"])
def made(
    request: pytest.FixtureRequest,
    miniature: Any,
    predictor: Predictor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Two channels with lesions, a healthy brain, and a scan that cannot be used."""
    root = tmp_path_factory.mktemp("list")
    for channel, look in enumerate(("t1", "flair")):
        image = miniature.brain(5, look, lesion=True).image
        miniature.write(root / "in" / f"ill_000{channel}.nii.gz", image)
    miniature.write(root / "in" / "fine_0000.nii.gz", miniature.brain(6).image)
    miniature.write(root / "in" / "odd_0000.nii.gz", np.zeros((8, 8, 8), np.float32))
    how = {"channel_names": ("T1", "FLAIR"), "bids": request.param}
    predict_folder(predictor, root / "in", root / "out", **how)
    return root / "out"


def read(folder: Path) -> dict[str, Any]:
    text = (folder / "predictions.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(case_list_schema())
    assert case_list_schema()["$id"] == "urn:disanat:predictions:1"


def test_what_is_written_fits_the_schema(made: Path) -> None:
    CHECK.validate(read(made))
    assert [case["status"] for case in read(made)["cases"]] == ["ok", "ok", "failed"]


def test_it_says_what_the_tables_say(made: Path) -> None:
    rows = table(made)
    with open(made / "lesions.csv", newline="", encoding="utf-8") as handle:
        lesions = list(csv.DictReader(handle))
    cases = read(made)["cases"]
    assert [case["case"] for case in cases] == list(rows)
    for case in cases:
        row = rows[case["case"]]
        for name in ("threshold", "lesion_volume_ml", "case_score", "case_p", "seconds"):
            assert ("" if case[name] is None else str(case[name])) == row[name]
        assert ";".join(case["flags"]) == row["flags"] and case["message"] == row["message"]
        own = [lesion for lesion in lesions if lesion["case"] == case["case"]]
        assert [{k: str(v) for k, v in one.items()} for one in case["lesions"]] == [
            {k: v for k, v in lesion.items() if k != "case"} for lesion in own
        ]
    ill = next(case for case in cases if case["case"] == "ill")
    assert ill["channels"][1] == {"number": 1, "name": "FLAIR", "contrast": "any"}
    assert ill["lesions"]


def test_files_are_where_it_says(made: Path) -> None:
    for case in read(made)["cases"]:
        kinds = [(file["kind"], file["channel"]) for file in case["files"]]
        phi = [("phi", channel["number"]) for channel in case["channels"]]
        shared = [(kind, None) for kind in ("mask", "anomaly", "brainmask")]
        assert kinds == (shared + phi if case["status"] == "ok" else [])
        for file in case["files"]:
            content = (made / file["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]


def test_it_tells_no_folder(made: Path) -> None:
    said = read(made)
    assert said["model"]["method"] == "threshold" and said["model"]["bundled"] is False
    said["cases"] = [case for case in said["cases"] if case["status"] == "ok"]
    assert str(made.parent) not in json.dumps(said)


SPOILT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another version": lambda d: d.update(schema_version=2),
    "no version": lambda d: d.pop("schema_version"),
    "no model": lambda d: d.pop("model"),
    "a model without a method": lambda d: d["model"].pop("method"),
    "a key of its own": lambda d: d.update(more=1),
    "another layout": lambda d: d.update(layout="tree"),
    "another status": lambda d: d["cases"][0].update(status="good"),
    "no name": lambda d: d["cases"][0].update(case=""),
    "a number as text": lambda d: d["cases"][0].update(case_score="3"),
    "a negative volume": lambda d: d["cases"][0].update(lesion_volume_ml=-1),
    "a p above 1": lambda d: d["cases"][0].update(case_p=1.5),
    "no score of a good case": lambda d: d["cases"][0].update(case_score=None),
    "flags as text": lambda d: d["cases"][0].update(flags="a;b"),
    "a good case without files": lambda d: d["cases"][0].update(files=[]),
    "a failed one with files": lambda d: d["cases"][2].update(files=d["cases"][0]["files"]),
    "a failed one without a reason": lambda d: d["cases"][2].update(message=""),
    "a lesion without a place": lambda d: d["cases"][1]["lesions"][0].pop("x_mm"),
    "an unknown kind": lambda d: d["cases"][0]["files"][0].update(kind="picture"),
    "no checksum": lambda d: d["cases"][0]["files"][0].update(sha256="abc"),
    "half a channel": lambda d: d["cases"][0]["channels"][0].update(number=0.5),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_one_is_refused(made: Path, spoil: Callable[[dict[str, Any]], Any]) -> None:
    spoilt = copy.deepcopy(read(made))
    assert CHECK.is_valid(spoilt)
    spoil(spoilt)
    assert not CHECK.is_valid(spoilt)


def test_parts_write_all_cases(miniature: Any, predictor: Predictor, tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        miniature.write(tmp_path / "in" / f"{name}.nii.gz", miniature.brain(number).image)
    for part, there in ((1, ["b"]), (0, ["a", "b", "c"])):
        predict_folder(predictor, tmp_path / "in", tmp_path / "out", part=(part, 2))
        said = read(tmp_path / "out")
        assert [case["case"] for case in said["cases"]] == there and CHECK.is_valid(said)
    no_images = predict_folder(predictor, tmp_path / "in", tmp_path / "out")
    assert len(no_images) == 3 and read(tmp_path / "out")["cases"] == said["cases"]
