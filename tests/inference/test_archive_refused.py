"""Archives that are no archives of a model, or lie about what is in them, are refused."""

from __future__ import annotations

import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from archive_files import FILES, Content, pack, refused, with_hashes

from disanat.errors import ModelError
from disanat.inference import archive as archives


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
