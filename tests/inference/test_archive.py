"""Models as one file: round trips, and everything an archive may not be."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import ModelError
from disanat.inference import archive as module
from disanat.inference.archive import read_archive, write_archive
from disanat.inference.predictor import Predictor

Parts = dict[str, bytes]


@pytest.fixture(scope="module")
def fold(trained_home: Path) -> Path:
    return trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"


@pytest.fixture(scope="module")
def sound(fold: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("archive") / "model.zip"
    write_archive(fold, target, "A. Author")
    return target


def parts_of(path: Path) -> Parts:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_parts(parts: Parts, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def declared(parts: Parts) -> Parts:
    """With a manifest that fits."""
    manifest = json.loads(parts["manifest.json"])
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in parts.items()
        if name != "manifest.json"
    }
    return parts | {"manifest.json": json.dumps(manifest).encode()}


def refused(path: Path, tmp_path: Path, words: str) -> None:
    target = tmp_path / "home" / "fold_0"
    with pytest.raises(ModelError, match=words) as caught:
        read_archive(path, target)
    said = str(caught.value)
    assert path.name in said and said.endswith(".") and "\n" not in said and ": " in said
    assert not target.exists() and not list(target.parent.iterdir())
    assert {p.name for p in tmp_path.iterdir()} <= {path.name, "home"}


def test_a_model_predicts_the_same_at_another_place(
    fold: Path, sound: Path, miniature: Any, tmp_path: Path
) -> None:
    target = tmp_path / "results" / "Imported" / "x" / "fold_0"
    manifest = read_archive(sound, target)
    assert manifest.made_by == "A. Author"
    assert {p.name for p in target.iterdir()} == {
        "model.json", "weights.safetensors", "card.md", "manifest.json"
    }  # fmt: skip
    miniature.write(tmp_path / "x.nii.gz", miniature.brain(7, "flair", lesion=True).image)
    one, other = (Predictor.from_folder(f).predict(tmp_path / "x.nii.gz") for f in (fold, target))
    np.testing.assert_array_equal(one.anomaly, other.anomaly)
    np.testing.assert_array_equal(one.phi[0], other.phi[0])
    card = (target / "card.md").read_text()
    assert "Made by: A. Author." in card and "For research only" in card
    assert not any(name in card for name in ("h0", "h1", "h2", "h3", "h4"))


def test_a_model_that_is_there_is_kept(sound: Path, tmp_path: Path) -> None:
    target = tmp_path / "fold_0"
    read_archive(sound, target)
    (target / "own.txt").write_text("mine")
    with pytest.raises(ModelError, match="fold_0 exists already: give another --name, or --over"):
        read_archive(sound, target)
    assert (target / "own.txt").exists()
    read_archive(sound, target, overwrite=True)
    assert not (target / "own.txt").exists() and [p.name for p in tmp_path.iterdir()] == ["fold_0"]


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil", "a/model.json", "C:\\evil", "extra.py", "weights.pt"]
)
def test_names_that_no_model_has(sound: Path, tmp_path: Path, name: str) -> None:
    parts = declared(parts_of(sound) | {name: b"evil"})
    refused(write_parts(parts, tmp_path / "x.zip"), tmp_path, "not to be trusted .*no model has")


def test_a_link(sound: Path, tmp_path: Path) -> None:
    parts, path = parts_of(sound), tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name)
            if name == "card.md":
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                content = b"/etc/passwd"
            archive.writestr(entry, content)
    refused(path, tmp_path, "card.md is a link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(sound: Path, tmp_path: Path) -> None:
    path = write_parts(parts_of(sound), tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("card.md", "another")
    refused(path, tmp_path, "'card.md', which no model has")


def test_a_bomb(sound: Path, tmp_path: Path) -> None:
    parts = declared(parts_of(sound) | {"card.md": b" " * 60_000_000})
    refused(write_parts(parts, tmp_path / "x.zip"), tmp_path, "would unpack to 60000000 bytes")


def test_a_file_larger_than_it_says(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(sound)
    path = write_parts(parts | {"card.md": parts["card.md"] + b"x" * 10**6}, tmp_path / "x.zip")
    monkeypatch.setattr(module, "_check_entries", lambda *_: None)
    refused(path, tmp_path, "card.md is larger than its manifest says")


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "card.md"])
def test_a_flipped_bit_or_a_missing_file(sound: Path, tmp_path: Path, name: str) -> None:
    parts = parts_of(sound)
    content = parts[name]
    flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    path = write_parts(parts | {name: flipped}, tmp_path / "x.zip")
    refused(path, tmp_path, f"checksum of {name} does not fit")
    del parts[name]
    refused(write_parts(parts, path), tmp_path, "lacks|other files than it holds")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_or_spoilt_archive(sound: Path, tmp_path: Path, share: float) -> None:
    data, path = sound.read_bytes(), tmp_path / "x.zip"
    at = int(share * len(data))
    path.write_bytes(data[:at])
    refused(path, tmp_path, "x.zip is damaged")
    path.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
    refused(path, tmp_path, r"x.zip (is|holds)")


def edit(parts: Parts, name: str, change: Callable[[Any], None]) -> Parts:
    data = json.loads(parts[name])
    change(data)
    return parts | {name: json.dumps(data).encode()}


def test_a_manifest_of_another_kind(sound: Path, tmp_path: Path) -> None:
    parts, path = parts_of(sound), tmp_path / "x.zip"
    later = edit(parts, "manifest.json", lambda d: d.update(schema_version=2, disanat="9.0"))
    refused(write_parts(later, path), tmp_path, r"another disanat \(9.0\): install that")
    for spoilt in (b"{", b"[]", b'{"schema_version": 1}', b'{"schema_version": 1, "files": 3}'):
        refused(write_parts(parts | {"manifest.json": spoilt}, path), tmp_path, "damaged")


def test_weights_that_do_not_fit_the_description(sound: Path, tmp_path: Path) -> None:
    def rename(data: Any) -> None:
        data["configuration"]["decoder_features"] += 1

    parts = declared(edit(parts_of(sound), "model.json", rename))
    refused(write_parts(parts, tmp_path / "x.zip"), tmp_path, "holds a model that does not load")


def test_what_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere.zip does not exist: give the file"):
        read_archive(tmp_path / "nowhere.zip", tmp_path / "home" / "fold_0")
    path = write_parts({"a.txt": b"text"}, tmp_path / "x.zip")
    refused(path, tmp_path, "'a.txt', which no model has")
