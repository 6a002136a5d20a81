"""Which changes of a case are noticed, so that it is measured again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_datasets import brain, dataset, labels, own_mask, read, write

from planning import content, fingerprint
from planning.content import content_of
from planning.fingerprint import fingerprint_dataset


def nothing(_: Path) -> None:
    pass


def another_image(folder: Path) -> None:
    write(brain(99), folder / "imagesTr" / "c1_0000.nii.gz")


def another_label_map(folder: Path) -> None:
    write(np.flip(labels(), 0).copy(), folder / "priorsTr" / "c2.nii.gz")


def another_mapping(folder: Path) -> None:
    declared = json.loads((folder / "dataset.json").read_text())
    declared["prior"]["classes"] = {"white": [3], "cortical_grey": [2]}
    (folder / "dataset.json").write_text(json.dumps(declared))


def a_brain_mask(folder: Path) -> None:
    own_mask(folder, "c3", np.s_[5:16, 3:21, 5:17])


def one_more(folder: Path) -> None:
    write(brain(98), folder / "imagesTr" / "c5_0000.nii.gz")
    write(labels(), folder / "priorsTr" / "c5.nii.gz")


def one_less(folder: Path) -> None:
    (folder / "imagesTr" / "c0_0000.nii.gz").unlink()


def another_channel(folder: Path) -> None:
    images = folder / "imagesTr"
    (images / "c3_0000.nii.gz").rename(images / "c3_0001.nii.gz")
    declared = json.loads((folder / "dataset.json").read_text())
    declared["channel_names"]["1"] = "T2"
    (folder / "dataset.json").write_text(json.dumps(declared))


@pytest.mark.parametrize(
    ("change", "measured"),
    [
        (nothing, []),
        (another_image, ["c1"]),
        (another_label_map, ["c2"]),
        (a_brain_mask, ["c3"]),
        (another_mapping, ["c0", "c1", "c2", "c3", "c4"]),
        (one_more, ["c5"]),
        (one_less, []),
        (another_channel, ["c3"]),
    ],
)
def test_only_what_changed_is_measured_again(
    change: Callable[[Path], None],
    measured: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = dataset(tmp_path, cases=5)
    former = fingerprint_dataset(read(folder), 0, False)
    change(folder)
    anew = fingerprint_dataset(read(folder), 0, False)
    seen: list[str] = []
    take = fingerprint.read_scan
    monkeypatch.setattr(
        fingerprint, "read_scan", lambda path: (seen.append(path.name[:2]), take(path))[1]
    )
    assert fingerprint_dataset(read(folder), 0, False, former.cases) == anew
    assert seen == measured


def test_new_measures_and_other_masks_change_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = read(dataset(tmp_path))
    case = raw.training_cases()[0]
    before = content_of(raw, case)
    assert content_of(raw, case) == before
    assert content_of(raw, case, "hd-bet") != before
    monkeypatch.setattr(content, "shipped_digest", lambda: "other weights")
    after = content_of(raw, case)
    assert after != before
    monkeypatch.setattr(content, "MEASURES_VERSION", 99)
    assert content_of(raw, case) not in (before, after)


def test_voxels_in_a_file_of_their_own_are_content(tmp_path: Path) -> None:
    folder = dataset(tmp_path, prior=False)
    (folder / "imagesTr" / "c0_0000.nii.gz").unlink()
    contents = set()
    for seed in (0, 1):
        write(brain(seed), folder / "imagesTr" / "c0_0000.mhd")
        raw = read(folder)
        contents.add(content_of(raw, raw.training_cases()[0]))
    assert len(contents) == 2
