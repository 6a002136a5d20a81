"""Models as one file: written, checked, refused where something is wrong."""

from __future__ import annotations

import json
import random
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from disanat.errors import ModelError
from disanat.inference import archive as archives
from disanat.inference.archive import read_archive, write_archive
from disanat.inference.manifest import FileEntry
from disanat.inference.model import load_model
from disanat.inference.predictor import Predictor
from disanat.networks.shared_weights import SharedWeights, load_shared, save_shared

FILES = ["manifest.json", "README.md", "model.json", "weights.safetensors"]
Content = dict[str, bytes]
Change = Callable[[Content], None]


@pytest.fixture(scope="session")
def exported(once: Any, trained_home: Path) -> Path:
    """The archive of a miniature model; not to be changed."""
    fold = trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"
    made = once("archive", lambda folder: write_archive(fold, folder / "x.zip", "A. Maker"))
    return made / "x.zip"


@pytest.fixture
def content(exported: Path) -> Content:
    with zipfile.ZipFile(exported) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(content: Mapping[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def with_hashes(content: Content) -> Content:
    """The same with a manifest that fits."""
    manifest = json.loads(content["manifest.json"])
    manifest["files"] = {
        name: vars(FileEntry.of(data)) for name, data in content.items() if name != "manifest.json"
    }
    return content | {"manifest.json": json.dumps(manifest).encode()}


def refused(path: Path, words: str) -> None:
    """It is refused, in one sentence with the file's name, and leaves nothing behind."""
    target = path.parent / "models" / "new"
    with pytest.raises(ModelError, match=words) as caught:
        read_archive(path, target)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert not target.exists() and not list(path.parent.glob("models/.*"))
    assert not (path.parent / "evil").exists() and not Path("/tmp/disanat_evil").exists()


def test_what_is_in_it(exported: Path, content: Content) -> None:
    assert sorted(content) == sorted(FILES)
    manifest = json.loads(content["manifest.json"])
    assert manifest["author"] == "A. Maker" and manifest["schema_version"] == 1
    assert {n: FileEntry(**e) for n, e in manifest["files"].items()} == {
        name: FileEntry.of(content[name]) for name in FILES[1:]
    }
    card = content["README.md"].decode()
    for words in ("A. Maker", "Dataset005_Mini", "(T1)", "4 x 4 x 4 mm", "For research only"):
        assert words in card
    assert all(isinstance(v, int) for k, v in facts(content).items() if k.endswith("_cases"))


def facts(content: Content) -> dict[str, Any]:
    return json.loads(content["model.json"])["facts"]


def test_there_and_back_predicts_the_same(
    exported: Path, trained_home: Path, miniature: Any, tmp_path: Path
) -> None:
    target = tmp_path / "models" / "new"
    assert read_archive(exported, target).author == "A. Maker"
    assert sorted(p.name for p in target.iterdir()) == sorted(FILES)
    miniature.write(tmp_path / "a.nii.gz", miniature.brain(60, "flair", lesion=True).image)
    fold = trained_home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"
    before, after = (
        Predictor.from_folder(f).predict(tmp_path / "a.nii.gz") for f in (fold, target)
    )
    np.testing.assert_array_equal(before.anomaly, after.anomaly)
    np.testing.assert_array_equal(before.mask, after.mask)
    np.testing.assert_array_equal(before.phi[0], after.phi[0])


def test_who_made_it_stays_known(exported: Path, tmp_path: Path) -> None:
    read_archive(exported, tmp_path / "new")
    assert write_archive(tmp_path / "new", tmp_path / "again.zip").author == "A. Maker"
    assert write_archive(tmp_path / "new", tmp_path / "other.zip", "B").author == "B"


def test_a_card_that_is_there_goes_along(exported: Path, tmp_path: Path) -> None:
    read_archive(exported, tmp_path / "new")
    (tmp_path / "new" / "README.md").unlink()
    (tmp_path / "new" / "card.md").write_text("All about it")
    write_archive(tmp_path / "new", tmp_path / "again.zip")
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        assert archive.read("README.md") == b"All about it"


def test_a_model_without_weights(trained_home: Path, tmp_path: Path) -> None:
    fold = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    assert write_archive(fold, tmp_path / "x.zip").author == "unknown"
    read_archive(tmp_path / "x.zip", tmp_path / "new")
    assert load_model(tmp_path / "new").method.name == "threshold"


@pytest.mark.parametrize("author", ["two\nlines", "\x1b[31mred", "x" * 300])
def test_an_author_is_one_short_line(exported: Path, tmp_path: Path, author: str) -> None:
    read_archive(exported, tmp_path / "new")
    with pytest.raises(ModelError, match="--author cannot be taken"):
        write_archive(tmp_path / "new", tmp_path / "again.zip", author)


def test_nothing_is_overwritten_unasked(exported: Path, tmp_path: Path) -> None:
    target = tmp_path / "new"
    target.mkdir()
    (target / "kept.txt").touch()
    with pytest.raises(ModelError, match="new is there already: give another name, or --overwr"):
        read_archive(exported, target)
    with pytest.raises(ModelError, match="new is not the folder of a model"):
        read_archive(exported, target, overwrite=True)
    (target / "model.json").touch()
    read_archive(exported, target, overwrite=True)
    assert sorted(p.name for p in target.iterdir()) == sorted(FILES)
    shutil.copy(exported, tmp_path / "x.zip")
    with pytest.raises(ModelError, match="x.zip is there already: give another file, or --over"):
        write_archive(target, tmp_path / "x.zip")
    write_archive(target, tmp_path / "x.zip", overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "x.zip"]


def test_a_failed_move_brings_the_old_model_back(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "new"
    target.mkdir()
    (target / "model.json").write_text("old")
    rename, calls = archives.os.rename, []

    def fails_once(source: Path, place: Path) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError("no")
        rename(source, place)

    monkeypatch.setattr(archives.os, "rename", fails_once)
    with pytest.raises(OSError, match="no"):
        read_archive(exported, target, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["new"]
    assert (target / "model.json").read_text() == "old"


@pytest.mark.parametrize(
    "name",
    ["../evil", "/tmp/disanat_evil", "..\\evil", "C:\\evil", "a/model.json", "model.json\0.txt"]
    + ["checkpoint_final.pt", "folder/", "MODEL.JSON", "./model.json"],
)
def test_a_foreign_name_is_refused(content: Content, tmp_path: Path, name: str) -> None:
    path = pack(with_hashes(content), tmp_path / "x.zip")
    raw = name.replace("\0", "?")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(raw, b"evil")
    if raw != name:
        path.write_bytes(path.read_bytes().replace(raw.encode(), name.encode()))
    refused(path, r"x.zip holds '.*', which is no part of a model: get the archive again")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_is_refused(content: Content, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = ((mode if name == "README.md" else stat.S_IFREG) | 0o644) << 16
            archive.writestr(entry, b"/etc/passwd" if name == "README.md" else data)
    refused(path, "holds README.md as something other than a plain file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused(content: Content, tmp_path: Path) -> None:
    path = pack(content, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model.json", b"{}")
    refused(path, "x.zip holds a file twice")


def test_a_bomb_is_refused_before_it_is_unpacked(content: Content, tmp_path: Path) -> None:
    packed = content | {"weights.safetensors": bytes(50_000_000)}
    refused(pack(packed, tmp_path / "x.zip"), "unpacks weights.safetensors to over 200 times")
    packed = content | {"README.md": random.Random(0).randbytes(1_000_001)}
    refused(pack(packed, tmp_path / "y.zip"), "holds README.md with 1,000,001 bytes")


def test_a_size_over_the_limit_is_refused(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(content, tmp_path / "x.zip")
    monkeypatch.setattr(archives, "MOST_ARCHIVE_MB", path.stat().st_size / 1e6 - 0.001)
    refused(path, "has more than .* MB")
    path = pack(with_hashes(content | {"README.md": bytes(1000)}), path)
    monkeypatch.setattr(archives, "_MOST_RATIO", 10**6)
    monkeypatch.setattr(archives, "MOST_ARCHIVE_MB", (len(content[FILES[3]]) + 100) / 1e6)
    refused(path, "unpacks to more than .* MB")


def central(data: bytes, name: str) -> int:
    """Where the archive's list of files speaks of one."""
    return data.rindex(name.encode()) - 46


@pytest.mark.parametrize("factor", [0.001, 0.5, 1.01, 3])
@pytest.mark.parametrize("local", [False, True])
def test_sizes_that_lie_are_refused(
    content: Content, tmp_path: Path, factor: float, local: bool
) -> None:
    path = pack(content, tmp_path / "x.zip")
    data, name = bytearray(path.read_bytes()), "weights.safetensors"
    size = struct.pack("<I", int(len(content[name]) * factor))
    place = central(data, name) + 24
    data[place : place + 4] = size
    if local:
        start = data.index(name.encode()) - 30
        data[start + 22 : start + 26] = size
    path.write_bytes(data)
    refused(path, r"x\.zip (is no whole zip archive|holds weights)")


def test_a_bomb_that_hides_its_size_is_not_unpacked(content: Content, tmp_path: Path) -> None:
    packed = content | {"weights.safetensors": bytes(30_000_000)}
    path = pack(packed, tmp_path / "x.zip")
    data, name = bytearray(path.read_bytes()), "weights.safetensors"
    for place in (central(data, name) + 24, data.index(name.encode()) - 8):
        data[place : place + 4] = struct.pack("<I", 5000)
    path.write_bytes(data)
    refused(path, "is no whole zip archive")


def test_an_encrypted_or_oddly_packed_file_is_refused(content: Content, tmp_path: Path) -> None:
    path = pack(content, tmp_path / "x.zip")
    whole = path.read_bytes()
    for offset, value, words in ((8, 1, "encrypted"), (10, 12, "packed in an unusual way")):
        data = bytearray(whole)
        data[central(data, "README.md") + offset] |= value
        path.write_bytes(data)
        refused(path, f"holds README.md {words}")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(content: Content, tmp_path: Path, name: str) -> None:
    left = {n: data for n, data in content.items() if n != name}
    refused(pack(left, tmp_path / "x.zip"), r"lacks|do not hold the same files \('weights")
    if name == "weights.safetensors":
        refused(pack(with_hashes(left), tmp_path / "y.zip"), "no model that can be loaded")


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_in_a_file_is_refused(exported: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(exported) as archive:
        entry = archive.getinfo(name)
    start = entry.header_offset + 30 + len(name)
    for part in (0.0, 0.3, 0.6, 0.9):
        damaged = bytearray(exported.read_bytes())
        damaged[start + int(part * entry.compress_size)] ^= 16
        (tmp_path / "x.zip").write_bytes(damaged)
        refused(tmp_path / "x.zip", "x.zip is no whole zip archive")


def test_a_flipped_byte_anywhere_never_gives_another_model(
    exported: Path, content: Content, tmp_path: Path
) -> None:
    whole, rng = exported.read_bytes(), random.Random(0)
    ends = range(len(whole) - 600, len(whole))
    for place in [*rng.sample(range(len(whole)), 100), *rng.sample(ends, 200)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        (tmp_path / "x.zip").write_bytes(damaged)
        try:
            found = archives._unpack(tmp_path / "x.zip")
        except ModelError:
            continue
        assert found == content


@pytest.mark.parametrize("name", FILES[1:])
def test_a_changed_file_whose_hash_was_not_changed_is_refused(
    content: Content, tmp_path: Path, name: str
) -> None:
    changed = bytearray(content[name])
    changed[len(changed) // 2] ^= 1
    path = pack(content | {name: bytes(changed)}, tmp_path / "x.zip")
    refused(path, f"holds {name} other than its manifest.json says")


def test_a_cut_archive_is_refused(exported: Path, tmp_path: Path) -> None:
    data, path = exported.read_bytes(), tmp_path / "x.zip"
    for keep in (0, 1, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:keep])
        refused(path, "is no whole zip archive")
    refused(tmp_path, "is no file: give an archive that disanat_export_model wrote")


def manifest_with(**changes: Any) -> Change:
    def change(content: Content) -> None:
        data = json.loads(content["manifest.json"]) | changes
        content["manifest.json"] = json.dumps(data).encode()

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (manifest_with(schema_version=0), "schema version 0, but this disanat reads 1: export"),
        (manifest_with(schema_version=2), "schema version 2, but this disanat reads 1"),
        (manifest_with(author="\x1b]0;x\x07"), "manifest.json in .* is damaged .*one short line"),
        (manifest_with(author=None), "is damaged"),
        (manifest_with(files=[]), "is damaged"),
        (manifest_with(files={}), "do not hold the same files"),
        (manifest_with(files={"model.json": {"size": "1", "sha256": 2}}), "is damaged"),
        (lambda c: c.update({"manifest.json": b"{"}), "is damaged"),
        (lambda c: c.update({"manifest.json": b"[" * 50_000}), "x.zip"),
        (lambda c: c.update({"manifest.json": b"\xff"}), "is damaged"),
    ],
)
def test_a_manifest_that_is_not_right(
    content: Content, tmp_path: Path, change: Change, words: str
) -> None:
    change(content)
    refused(pack(content, tmp_path / "x.zip"), words)


def described(*path: str, value: Any) -> Change:
    def change(content: Content) -> None:
        data = json.loads(content["model.json"])
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        content["model.json"] = json.dumps(data).encode()

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (described("members", value={"../../fold_0": ""}), r"damaged model.json \(an ensemble\)"),
        (described("plans", "dataset", value="../../elsewhere"), "the name '../../elsewhere'"),
        (described("method", value="\x1b[2J"), "damaged model.json .the name"),
        (described("facts", "note", value="\x1b[2J"), "damaged model.json .the text"),
        (described("schema_version", value=0), "schema version 0"),
        (described("method", value="gan"), "There is no method 'gan'"),
        (described("configuration", "decoder_features", value=9), "do not fit model.json"),
        (
            described("configuration", "encoder", "features", value=[10**6] * 3),
            "no model that can be loaded",
        ),
        (described("calibration", "threshold", value=float("nan")), "threshold is nan"),
        (described("calibration", "threshold", value="high"), "no model that can be loaded"),
        (described("calibration", value=[]), "no model that can be loaded"),
        (lambda c: c.update({"model.json": b"[]"}), "damaged model.json"),
        (lambda c: c.update({"model.json": b"[" * 50_000 + random.Random(0).randbytes(999)}), "x"),
        (lambda c: c.update({"weights.safetensors": b"PK" * 99}), "weights.safetensors is damaged"),
    ],
)
def test_a_model_that_is_not_right(
    content: Content, tmp_path: Path, change: Change, words: str
) -> None:
    change(content)
    refused(pack(with_hashes(content), tmp_path / "x.zip"), words)


def test_weights_that_are_no_numbers_are_refused(content: Content, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content[path.name])
    tensors = load_shared(path, torch.device("cpu")).tensors
    next(iter(tensors.values())).view(-1)[0] = float("inf")
    save_shared(SharedWeights(tensors), path)
    changed = with_hashes(content | {path.name: path.read_bytes()})
    refused(pack(changed, tmp_path / "x.zip"), "some weights are no numbers")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_bytes_of_no_file_are_refused(exported: Path, tmp_path: Path, share: float) -> None:
    data = exported.read_bytes()
    at = int(share * len(data))
    path = tmp_path / "x.zip"
    path.write_bytes(data[:at] + b"some more" + data[at:])
    refused(path, r"holds bytes that belong to none of its files|is no whole zip archive")
