"""All healthy cases of a dataset: what is left out, kept, and made anew."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import BusyError, DatasetError, ImplausibleError
from disanat.home import Home
from disanat.io.dataset import read_dataset
from disanat.io.store import open_case, stored_cases
from disanat.locks import hold
from disanat.plans import Plans, load_json
from disanat.preprocessing import healthy
from disanat.preprocessing.dataset import preprocess_dataset
from disanat.preprocessing.healthy import preprocess_case

NAME = "Dataset005_Mini"


@pytest.fixture
def plans(planned_home: Path) -> Plans:
    return load_json(planned_home / "preprocessed" / NAME / "plans.json", Plans)


@pytest.fixture
def home(planned_home: Path, tmp_path: Path) -> Home:
    """A copy of the raw dataset, nothing prepared."""
    shutil.copytree(planned_home / "raw", tmp_path / "raw")
    return Home(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.b2nd")}


def test_an_interrupted_run_goes_on_and_ends_the_same(
    home: Home, plans: Plans, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = plans.configuration("2d")
    folder = home.preprocessed / NAME / "2d"
    preprocess_dataset(home, NAME, plans, configuration, 0)
    undisturbed = contents(folder)
    shutil.rmtree(folder)
    made: list[str] = []

    def interrupted(case: Any, *args: Any) -> Any:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(case.name)
        return preprocess_case(case, *args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("disanat.preprocessing.dataset.preprocess_case", interrupted)
        with pytest.raises(KeyboardInterrupt):
            preprocess_dataset(home, NAME, plans, configuration, 0)
    assert stored_cases(folder) == made == ["h0", "h1"]
    before = times(folder)
    with caplog.at_level(logging.INFO):
        preprocess_dataset(home, NAME, plans, configuration, 0)
    assert "2 of 5 cases were prepared before and are unchanged." in caplog.text
    assert contents(folder) == undisturbed
    assert before.items() <= times(folder).items()


def test_only_what_changed_is_made_anew(home: Home, plans: Plans) -> None:
    configuration = plans.configuration("2d")
    folder, images = home.preprocessed / NAME / "2d", home.raw / NAME / "imagesTr"
    preprocess_dataset(home, NAME, plans, configuration, 0)
    before = times(folder)
    shutil.copy(images / "h0_0000.nii.gz", images / "h5_0000.nii.gz")
    priors = home.raw / NAME / "priorsTr"
    shutil.copy(priors / "h0.nii.gz", priors / "h5.nii.gz")
    shutil.copy(images / "h0_0000.nii.gz", images / "h1_0000.nii.gz")
    shutil.copy(priors / "h0.nii.gz", priors / "h1.nii.gz")
    (images / "h2_0000.nii.gz").unlink()
    preprocess_dataset(home, NAME, plans, configuration, 0)
    after = times(folder)
    assert stored_cases(folder) == ["h0", "h1", "h3", "h4", "h5"]
    assert not list(folder.glob("h2*"))
    unchanged = {name for name, time in before.items() if after.get(name) == time}
    assert unchanged == {f"h{i}{part}.b2nd" for i in (0, 3, 4) for part in ("", "_labels")}
    finer = replace(configuration, spacing=(5.0, 4.0, 4.0))
    preprocess_dataset(home, NAME, plans, finer, 0)
    assert not set(after.values()) & set(times(folder).values())


def test_not_while_a_training_draws_from_the_cases(home: Home, plans: Plans) -> None:
    folder = home.preprocessed / NAME / "2d"
    with hold(folder, "training", shared=True), pytest.raises(BusyError, match="use by training"):
        preprocess_dataset(home, NAME, plans, plans.configuration("2d"), 0)


def test_masks_beside_the_scans_are_used(
    planned_home: Path, plans: Plans, miniature: Any, tmp_path: Path
) -> None:
    shutil.copytree(planned_home / "raw", tmp_path / "raw")
    own = np.zeros(miniature.brain(2).labels.shape, np.uint8)
    own[6:34, 8:40, 6:34] = 1
    masks = tmp_path / "raw" / NAME / "brainmasksTr"
    miniature.write(masks / "h2.nii.gz", own, orientation="RAS")
    preprocess_dataset(Home(tmp_path), NAME, plans, plans.configuration("2d"), 0)
    folder = tmp_path / "preprocessed" / NAME / "2d"
    assert (open_case(folder, "h2").labels[:] > 0).sum() == own.sum()
    assert (open_case(folder, "h1").labels[:] > 0).sum() != own.sum()


def test_a_brain_that_does_not_fit_the_atlas_is_left_out(
    planned_home: Path, plans: Plans, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(planned_home / "raw", tmp_path / "raw")
    dataset = tmp_path / "raw" / NAME
    shutil.rmtree(dataset / "priorsTr")
    (dataset / "dataset.json").write_text('{"channel_names": {"0": "T1"}}')
    atlas = replace(plans, prior="atlas", label_mapping={})

    def tissues(
        array: np.ndarray, spacing: object, brain: np.ndarray, *more: object
    ) -> np.ndarray:
        if brain.shape == odd:
            raise ImplausibleError("the brains overlap by 0.7: check the orientation.")
        return brain.astype(np.uint8)

    configuration = plans.configuration("2d")
    odd: tuple[int, ...] = ()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(healthy, "atlas_tissues", tissues)
        case = read_dataset(dataset).training_cases()[0]
        odd = preprocess_case(case, None, atlas, configuration).labels.shape
        preprocess_dataset(Home(tmp_path), NAME, atlas, configuration, 0)
    assert "h0" not in stored_cases(tmp_path / "preprocessed" / NAME / "2d")
    assert "left out: " in caplog.text and "h0_0000.nii.gz: the brains overlap" in caplog.text


def test_a_useless_case_is_left_out_but_enough_must_remain(
    planned_home: Path, plans: Plans, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(planned_home / "raw", tmp_path / "raw")
    images = tmp_path / "raw" / NAME / "imagesTr"
    home, configuration = Home(tmp_path), plans.configuration("2d")
    (images / "h0_0000.nii.gz").write_text("spoiled")
    preprocess_dataset(home, NAME, plans, configuration, 0)
    assert stored_cases(home.preprocessed / NAME / "2d") == ["h1", "h2", "h3", "h4"]
    assert "h0_0000.nii.gz cannot be read" in caplog.text
    for name in ("h1", "h2"):
        (images / f"{name}_0000.nii.gz").write_text("spoiled")
    with pytest.raises(DatasetError, match="Only 2 of 5 cases .*healthy cases are needed"):
        preprocess_dataset(home, NAME, plans, configuration, 0)
