"""Random damage, the same each time: no reader ends in anything but a sentence or the truth."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sentences import check_sentence
from small_datasets import dataset
from typical_plans import fingerprint, make

from disanat.errors import DisanatError
from disanat.evaluation.tables import read_table
from disanat.io.dataset import read_dataset
from disanat.io.images import read_labels, read_scan
from disanat.plans import Fingerprint, Plans, load_json, save_json

ENDINGS = (".nii", ".nii.gz", ".mha", ".nrrd")
SHAPE = (6, 9, 8)
few = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3)
)


def read_or_refused(read: Callable[..., Any], path: Path, *more: Any, named: str = "") -> Any:
    """What is read; None where it is refused by a good sentence."""
    try:
        return read(path, *more)
    except DisanatError as mistake:
        check_sentence(str(mistake), named or path.name)
        return None


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A few bytes flipped, the end cut off, or something added somewhere."""
    places = draw(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
                           max_size=4))  # fmt: skip
    keep = draw(st.sampled_from((1.0, 1.0, 0.999, 0.99, 0.5, 0.0)))
    more = draw(st.binary(max_size=8))

    def spoil(data: bytes) -> bytes:
        spoilt = bytearray(data)
        for share, mask in places:
            spoilt[int(share * len(data))] ^= mask
        return bytes(spoilt[: int(keep * len(spoilt))]) + more

    return spoil


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    array = np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16)
    for ending in ENDINGS:
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"sound{ending}"), True)
    return tmp_path


@pytest.mark.parametrize("ending", ENDINGS)
@few
@given(spoil=damage())
def test_damaged_images(scan: Path, ending: str, spoil: Callable[[bytes], bytes]) -> None:
    sound = (scan / f"sound{ending}").read_bytes()
    path = scan / f"x{ending}"
    path.write_bytes(spoil(sound))
    for read in (read_scan, read_labels):
        found = read_or_refused(read, path)
        if found is not None and ending == ".nii.gz":
            assert gzip.decompress(path.read_bytes()) == gzip.decompress(sound)


@few
@given(data=st.data())
def test_damaged_headers(scan: Path, data: st.DataObject) -> None:
    spoilt = bytearray((scan / "sound.nii").read_bytes())
    spoilt[data.draw(st.integers(0, 351))] = data.draw(st.integers(0, 255))
    (scan / "x.nii").write_bytes(spoilt)
    found = read_or_refused(read_scan, scan / "x.nii")
    assert found is None or (np.isfinite(found.array).all() and min(found.spacing) > 0)


def change(data: Any, draw: st.DrawFn, depth: int = 0) -> Any:
    """The same JSON with one value somewhere in it replaced."""
    inner = isinstance(data, (dict, list)) and len(data) > 0
    if not inner or (depth > 0 and draw(st.integers(0, 3)) == 0):
        return draw(values)
    key = draw(st.sampled_from(sorted(data) if isinstance(data, dict) else range(len(data))))
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[key] = change(data[key], draw, depth + 1)
    return copy


@pytest.mark.parametrize("kind", [Plans, Fingerprint])
@few
@given(data=st.data())
def test_changed_plans_and_fingerprints(tmp_path: Path, kind: type[Any], data: Any) -> None:
    found = fingerprint(cases=4)
    path = tmp_path / "sound.json"
    save_json(make(found) if kind is Plans else found, path)
    for _ in range(5):
        changed = change(json.loads(path.read_text()), data.draw)
        (tmp_path / "x.json").write_text(json.dumps(changed))
        read_or_refused(load_json, tmp_path / "x.json", kind)


@few
@given(data=st.data())
def test_changed_dataset_json(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "raw" / "Dataset007_Small"
    if not folder.exists():
        dataset(tmp_path)
        (folder / "dataset.json").rename(tmp_path / "sound.json")
    sound = json.loads((tmp_path / "sound.json").read_text())
    for _ in range(5):
        (folder / "dataset.json").write_text(json.dumps(change(sound, data.draw)))
        read_or_refused(read_dataset, folder, named="dataset.json")


@pytest.mark.parametrize("name", ["x.json", "x.csv"])
@few
@given(spoil=damage())
def test_damaged_text(tmp_path: Path, name: str, spoil: Callable[[bytes], bytes]) -> None:
    path = tmp_path / name
    if name == "x.csv":
        path.write_bytes(spoil(b"case,score\na,1.5\nb,2.5\n"))
        read_or_refused(read_table, path, ("case", "score"), "write it again")
        return
    save_json(make(fingerprint(cases=4)), path)
    path.write_bytes(spoil(path.read_bytes()))
    read_or_refused(load_json, path, Plans)
