"""JSON and tables: wrong types at any depth, text that is none, and commands on top of them."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sentences import check_sentence, refusal
from small_datasets import dataset
from typical_plans import fingerprint, make

from disanat.cli import evaluate
from disanat.errors import DatasetError, PlanError
from disanat.evaluation.bootstrap import Estimate
from disanat.evaluation.evaluate import Evaluation, read_evaluation
from disanat.evaluation.tables import read_table
from disanat.home import read_json
from disanat.io.dataset import read_dataset
from disanat.plans import Fingerprint, Plans, load_json, save_json

TEXTS = {
    "empty": b"",
    "text": b"hello",
    "binary": bytes(range(256)),
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "deep": b"[" * 200_000,
    "twice": b'{"a": 1, "a": 2}',
    "long number": b"[" + b"1" * 6000 + b"]",
    "unfinished": b'{"a": ',
}


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    save_json(make(fingerprint()), tmp_path / "plans.json")
    return tmp_path / "plans.json"


def changed(source: Path, place: tuple[Any, ...], value: Any) -> None:
    data = json.loads(source.read_text())
    holder = data
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    source.write_text(json.dumps(data))


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_what_is_no_json(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text)
    refusal(read_json, path, DatasetError, "write it again")
    for kind in (Plans, Fingerprint):
        refusal(load_json, path, kind)
    path.rename(tmp_path / "dataset.json")
    with pytest.raises(DatasetError) as caught:
        read_dataset(tmp_path)
    check_sentence(str(caught.value), "dataset.json")


def test_a_folder_in_place_of_json_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    refusal(read_json, tmp_path / "x.json", DatasetError, "write it again")
    (tmp_path / "y.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "y.json", DatasetError, "write it again") == {"a": 1}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("channel_names",), "T1"),
        (("channel_names",), [1]),
        (("channel_names",), []),
        (("recommended",), "9d"),
        (("skull_stripped",), "false"),
        (("memory_gb",), float("nan")),
        (("memory_gb",), 10**400),
        (("configurations",), []),
        (("configurations", "2d"), None),
        (("configurations", "2d", "name"), "other"),
        (("configurations", "2d", "batch_size"), 0),
        (("configurations", "2d", "batch_size"), "8"),
        (("configurations", "2d", "batch_size"), 8.5),
        (("configurations", "2d", "batch_size"), True),
        (("configurations", "2d", "spacing"), [1.0, 1.0]),
        (("configurations", "2d", "spacing"), [1.0, -1.0, 1.0]),
        (("configurations", "2d", "spacing", 0), float("inf")),
        (("configurations", "2d", "patch_size"), [32]),
        (("configurations", "2d", "patch_size", 0), 10**10),
        (("configurations", "2d", "encoder", "features"), []),
        (("configurations", "2d", "encoder", "strides", 0), "11"),
        (("configurations", "2d", "augmentation"), {"noise": -1.0}),
        (("preparation",), {"fixed_scale": [1.0]}),
        (("surprise\nsurprise",), 1),
    ],
)
def test_plans_with_a_wrong_value_at_any_depth(
    plans: Path, place: tuple[Any, ...], value: Any
) -> None:
    load_json(plans, Plans)
    changed(plans, place, value)
    assert "is not a valid Plans" in refusal(load_json, plans, Plans)


def test_a_list_in_place_of_a_plan(plans: Path) -> None:
    plans.write_text(f"[{plans.read_text()}]")
    assert "no JSON object" in refusal(load_json, plans, Plans)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("channel_names",), ["T1"]),
        (("channel_names", "0"), None),
        (("channel_names", "0"), ""),
        (("channel_names",), {"1": "T1"}),
        (("simulated",), "no"),
        (("prior",), "dlmuse"),
        (("prior",), {"numbering": ["dlmuse"]}),
        (("prior", "classes", "white"), [2.5]),
        (("prior", "classes", "white"), [True]),
        (("prior", "classes", "white"), [-2]),
        (("prior", "classes", "white"), [3]),
        (("label_maps",), {"numbering": "freesurfer"}),
    ],
)
def test_dataset_json_with_a_wrong_value(
    tmp_path: Path, place: tuple[Any, ...], value: Any
) -> None:
    folder = dataset(tmp_path)
    read_dataset(folder)
    changed(folder / "dataset.json", place, value)
    with pytest.raises(DatasetError) as caught:
        read_dataset(folder)
    check_sentence(str(caught.value), "dataset.json")


@pytest.mark.parametrize("name", ["h0.mha", "c1.nii"])
def test_label_maps_that_are_there_twice(tmp_path: Path, name: str) -> None:
    folder = dataset(tmp_path)
    first = folder / "priorsTr" / f"{name.split('.')[0]}.nii.gz"
    first.touch()
    (folder / "priorsTr" / name).touch()
    with pytest.raises(DatasetError, match="keep one of them"):
        read_dataset(folder).prior_path(name.split(".")[0])
    maps = folder / "labelmapsTr"
    maps.mkdir()
    for ending in (".nii", ".nii.gz"):
        (maps / f"m{ending}").touch()
    changed(folder / "dataset.json", ("label_maps",), {"numbering": "freesurfer"})
    with pytest.raises(DatasetError, match="keep one of them"):
        read_dataset(folder).label_maps()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff\xfe", b"case,score\n\xe4,1\n", b"case\na\n", b"case,score\na\n",
        b"case,score\na,1,2\n", b"case,score,score\na,1,2\n", b"case,score\n\"a,1\n",
        b"case,score\na," + b"y" * 200_000,
    ],
)  # fmt: skip
def test_tables_that_are_damaged(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text)
    refusal(read_table, path, ("case", "score"), "write it again")


def test_a_table_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("\ufeffcase,score\nä,1\n".encode())
    rows = read_table(tmp_path / "x.csv", ("case", "score"), "write it again")
    assert rows == [{"case": "ä", "score": "1"}]


def test_evaluations_with_wrong_values(tmp_path: Path) -> None:
    nothing = Estimate(None, None, None, 0)
    found = Evaluation((), ("a",), nothing, nothing, nothing, 0.5, None, None, nothing, 1, 0, ())
    source = tmp_path / "evaluation.json"
    for place, value in (
        (("pooled_average_precision",), "much"),
        (("lesion_voxels",), 1.5),
        (("not_predicted",), "ab"),
        (("average_precision", "cases"), None),
        (("pooled_average_precision",), float("nan")),
    ):
        source.write_text(json.dumps(asdict(found)))
        assert read_evaluation(tmp_path) == found
        changed(source, place, value)
        with pytest.raises(DatasetError) as caught:
            read_evaluation(tmp_path)
        check_sentence(str(caught.value), "evaluation.json")


def test_commands_name_what_is_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/there/p1.nii.gz")

    monkeypatch.setattr("disanat.api.judging.evaluate_folder", gone)
    assert evaluate.main(["-i", str(tmp_path), "-l", str(tmp_path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    check_sentence(line, "/there/p1.nii.gz")


def test_plans_are_refused_with_the_error_of_the_caller(plans: Path) -> None:
    plans.write_text("{}")
    with pytest.raises(PlanError, match="run disanat_plan_and_preprocess again"):
        load_json(plans, Plans)
