"""Names, links, duplicates, disks that are full or closed, and inputs that vanish."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from sentences import check_sentence, refusal

from disanat.errors import DatasetError, ImageError
from disanat.evaluation.evaluate import label_path
from disanat.home import write_json
from disanat.inference.inputs import input_cases
from disanat.io.cases import find_brain_mask, find_cases
from disanat.io.images import read_geometry, read_labels, read_scan, write_like

SHAPE = (30, 36, 30)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    array = np.random.default_rng(0).integers(0, 30000, SHAPE).astype(np.int16)
    (tmp_path / "scans").mkdir()
    path = tmp_path / "scans" / "a_0000.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path), True)
    return path


def beside(scan: Path, name: str) -> Path:
    return Path(shutil.copy(scan, scan.with_name(name)))


@pytest.mark.parametrize("name", ["größe_東京", " a  b c", "a;b'c", "a.b.c", "ÅNGSTRÖM"])
def test_unicode_and_spaces_in_names(scan: Path, name: str) -> None:
    path = beside(scan, f"{name}_0000.nii.gz")
    found = {case.name: case for case in find_cases(scan.parent)}
    assert found[name].channels == {0: path}
    read = read_scan(path)
    write_like(read.array, read.geometry, scan.parent / "out" / f"{name}.nii.gz")
    assert read_geometry(scan.parent / "out" / f"{name}.nii.gz") == read.geometry


@pytest.mark.parametrize("name", ["a\nb.nii.gz", "a\udcff.nii.gz", "x" * 240 + ".nii.gz"])
def test_names_that_no_table_or_disk_can_hold(scan: Path, name: str) -> None:
    beside(scan, name)
    with pytest.raises(DatasetError) as caught:
        find_cases(scan.parent)
    check_sentence(str(caught.value), repr(name)[1:-1])


@pytest.mark.parametrize(
    "name", ["a_0000.nii", "a.nii.gz", "a.mha", "A_0000.nii.gz", "A_0001.nii.gz"]
)
def test_cases_that_are_there_twice_or_differ_in_capitals(scan: Path, name: str) -> None:
    beside(scan, name)
    refusal(find_cases, scan.parent)


def test_names_that_a_disk_may_normalise(scan: Path) -> None:
    beside(scan, "e\u0301.nii.gz")
    beside(scan, "\u00e9.nii.gz")
    assert "take for the same name" in refusal(find_cases, scan.parent)


@pytest.mark.parametrize("name", ["a_anomaly", "a_brainmask", "a_0000_phi", "a_edges"])
def test_cases_called_like_results_of_another(scan: Path, name: str) -> None:
    beside(scan, f"{name}.nii.gz")
    assert len(find_cases(scan.parent)) == 2
    assert "is what a result of a is called" in refusal(input_cases, scan.parent)
    scan.unlink()
    assert [case.name for case in input_cases(scan.parent)] == [name]


@pytest.mark.parametrize("find", [label_path, find_brain_mask])
def test_labels_and_masks_with_two_endings(scan: Path, find: Any) -> None:
    one, other = beside(scan, "b.nii.gz"), beside(scan, "b.mha")
    with pytest.raises(DatasetError, match="keep one of them") as caught:
        find(scan.parent, "b")
    check_sentence(str(caught.value), one.name)
    other.unlink()
    assert find(scan.parent, "b") == one


def test_links_are_followed_and_broken_ones_named(scan: Path) -> None:
    good, broken, loop = (scan.with_name(f"{n}.nii.gz") for n in ("good", "broken", "loop"))
    good.symlink_to(scan)
    np.testing.assert_array_equal(read_scan(good).array, read_scan(scan).array)
    broken.symlink_to("nowhere")
    loop.symlink_to("loop.nii.gz")
    assert [case.name for case in find_cases(scan.parent)] == ["a", "broken", "good", "loop"]
    for path in (broken, loop):
        assert "does not exist" in refusal(read_scan, path)
        assert "does not exist" in refusal(find_cases, path)


def test_pipes_and_devices_are_not_waited_for(scan: Path) -> None:
    os.mkfifo(scan.with_name("pipe.nii.gz"))
    scan.with_name("zero.nii.gz").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        path = scan.with_name(f"{name}.nii.gz")
        assert "neither a file nor a folder" in refusal(read_scan, path)
        assert "neither a file nor a folder" in refusal(find_cases, path)
    assert "neither a file nor a folder" in refusal(find_cases, scan.parent / "pipe.nii.gz")
    with pytest.raises(DatasetError, match="neither a file nor a folder"):
        find_cases(scan.parent)


def test_paths_that_cannot_be(scan: Path) -> None:
    for name, words in (("x" * 5000, "is no usable name"), ("a\0b.nii.gz", "does not exist")):
        with pytest.raises(ImageError, match=words):
            read_scan(Path(name))
    with pytest.raises(DatasetError, match="check the path"):
        find_cases(Path("x" * 5000))
    assert "does not exist" in refusal(read_scan, scan / "inside.nii.gz")


def test_an_input_that_vanishes_between_listing_and_reading(scan: Path) -> None:
    [case] = find_cases(scan.parent)
    scan.unlink()
    assert "does not exist" in refusal(read_scan, case.channels[0])


@pytest.mark.parametrize("read", [read_scan, read_labels])
def test_an_input_that_vanishes_while_it_is_checked(
    scan: Path, monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    def vanish(path: Path, **_: Any) -> int:
        path.unlink()
        return 0

    monkeypatch.setattr("disanat.io.reading.check_file", vanish)
    assert "cannot be read as an image" in refusal(read, scan)


def test_an_input_that_may_not_be_read(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: Any, **__: Any) -> None:
        raise OSError(errno.EACCES, "Permission denied", str(scan))

    monkeypatch.setattr("disanat.io.integrity._unpacked", forbid)
    assert "Permission denied" in refusal(read_scan, scan)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 kB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".nrrd"])
def test_a_full_disk_leaves_no_part_of_an_image(
    scan: Path, small_disk: Path, ending: str
) -> None:
    read = read_scan(scan)
    target = small_disk / f"out{ending}"
    refusal(lambda path: write_like(read.array, read.geometry, path), target)
    assert not list(small_disk.iterdir())


def test_a_full_disk_leaves_no_part_of_a_table(small_disk: Path) -> None:
    write_json({"old": 1}, small_disk / "x.json")
    with pytest.raises(OSError, match="No space left"):
        write_json(["y" * 1000] * 100, small_disk / "x.json")
    assert [p.name for p in small_disk.iterdir()] == ["x.json"]
    assert (small_disk / "x.json").read_text() == '{\n  "old": 1\n}\n'


def test_a_writer_that_says_nothing_of_what_is_missing(
    scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SimpleITK does on a full disk, where none can be mounted."""
    read, real = read_scan(scan), sitk.WriteImage

    def cut(image: sitk.Image, path: str, *more: Any, **named: Any) -> None:
        real(image, path, *more, **named)
        os.truncate(path, os.path.getsize(path) // 2)

    monkeypatch.setattr(sitk, "WriteImage", cut)
    target = scan.with_name("out.nii.gz")
    refused = refusal(lambda path: write_like(read.array, read.geometry, path), target)
    assert "could not be written in full" in refused
    assert [p.name for p in scan.parent.iterdir()] == [scan.name]


def test_a_folder_that_may_not_be_written_to(
    scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_scan(scan)

    def forbid(*_: Any, **__: Any) -> None:
        raise RuntimeError("Could not open: Read-only file system")

    monkeypatch.setattr(sitk, "WriteImage", forbid)
    target = scan.with_name("out.nii.gz")
    refused = refusal(lambda path: write_like(read.array, read.geometry, path), target)
    assert "check the folder's rights" in refused
    assert [p.name for p in scan.parent.iterdir()] == [scan.name]
