"""Models as one file: written, read back, never in the place of another unasked."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_files import FILES, Content

from disanat.errors import ModelError
from disanat.inference import archive as archives
from disanat.inference.archive import read_archive, write_archive
from disanat.inference.manifest import FileEntry
from disanat.inference.model import load_model
from disanat.inference.predictor import Predictor


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
