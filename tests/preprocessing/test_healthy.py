"""Preprocessing of healthy training cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import DatasetError, ImplausibleError, PlanError
from disanat.io.cases import Case, find_cases
from disanat.io.dataset import read_dataset
from disanat.io.store import StoredCase, open_case, stored_cases
from disanat.plans import Plans, load_json
from disanat.preparation import Preparation
from disanat.preprocessing import healthy
from disanat.preprocessing.healthy import preprocess_case, read_case
from disanat.preprocessing.normalisation import OUTSIDE

NAME = "Dataset005_Mini"


@pytest.fixture
def plans(planned_home: Path) -> Plans:
    return load_json(planned_home / "preprocessed" / NAME / "plans.json", Plans)


def test_stored_cases_match_their_brains(planned_home: Path, miniature: Any) -> None:
    """All are stored in different orientations; all come out the same way round."""
    folder = planned_home / "preprocessed" / NAME / "2d"
    assert stored_cases(folder) == [f"h{i}" for i in range(5)]
    for number in range(3):
        brain, stored = miniature.brain(number), open_case(folder, f"h{number}")
        image, labels = stored.image[0], stored.labels[:]
        where = np.nonzero(brain.labels)
        box = tuple(slice(max(0, i.min() - 2), i.max() + 3) for i in where)
        np.testing.assert_array_equal(labels, brain.labels[box])
        np.testing.assert_array_equal(image[labels == 0], OUTSIDE)
        inside = image[labels > 0]
        assert abs(inside.mean()) < 0.1 and inside.std() == pytest.approx(1, abs=0.1)
        assert np.corrcoef(inside, brain.image[box][labels > 0])[0, 1] > 0.999


def test_another_spacing_keeps_the_brains_volume(planned_home: Path, plans: Plans) -> None:
    raw = read_dataset(planned_home / "raw" / NAME)
    case = raw.training_cases()[0]
    finer = replace(plans.configuration("2d"), spacing=(8.0, 2.0, 3.0))
    volumes = []
    for configuration in (plans.configuration("2d"), finer):
        stored = preprocess_case(case, raw.prior_path(case.name), plans, configuration)
        volumes.append((stored.labels > 0).sum() * np.prod(configuration.spacing))
        assert stored.image.shape[1:] == stored.labels.shape
    assert volumes[1] == pytest.approx(volumes[0], rel=0.03)


def test_two_grids_and_a_missing_map_are_refused(
    planned_home: Path, plans: Plans, miniature: Any, tmp_path: Path
) -> None:
    image = miniature.brain(0).image
    miniature.write(tmp_path / "a_0000.nii.gz", image)
    miniature.write(tmp_path / "a_0001.nii.gz", image, (4.0, 4.0, 4.1))
    [case] = find_cases(tmp_path)
    with pytest.raises(DatasetError, match=r"a_0001.nii.gz and .*a_0000.nii.gz lie on different"):
        read_case(case)
    alone = Case("a", {0: case.channels[0]})
    with pytest.raises(DatasetError, match=r"a_0000.nii.gz has no label map in priorsTr"):
        preprocess_case(alone, None, plans, plans.configuration("2d"))
    miniature.write(tmp_path / "prior.nii.gz", image[1:].astype(np.uint8))
    with pytest.raises(DatasetError, match=r"prior.nii.gz lies on another grid than"):
        preprocess_case(alone, tmp_path / "prior.nii.gz", plans, plans.configuration("2d"))


def test_the_users_mask_decides_what_is_labelled(
    planned_home: Path, plans: Plans, miniature: Any, tmp_path: Path
) -> None:
    raw = read_dataset(planned_home / "raw" / NAME)
    case, prior = raw.training_cases()[0], raw.prior_path("h0")
    own = miniature.brain(0).labels > 0
    own[:, :20] = False
    miniature.write(tmp_path / "own.nii.gz", own.astype(np.uint8))
    configuration = plans.configuration("2d")
    stored = preprocess_case(case, prior, plans, configuration, tmp_path / "own.nii.gz")
    assert (stored.labels > 0).sum() == own.sum()
    own[:, 21:] = False
    miniature.write(tmp_path / "own.nii.gz", own.astype(np.uint8))
    with pytest.raises(ImplausibleError, match=r"own.nii.gz marks a brain of \d+ mL"):
        preprocess_case(case, prior, plans, configuration, tmp_path / "own.nii.gz")


def test_training_cases_go_through_the_steps_of_the_plan(
    planned_home: Path, plans: Plans, miniature: Any
) -> None:
    raw = read_dataset(planned_home / "raw" / NAME)
    case, prior = raw.training_cases()[0], raw.prior_path("h0")
    configuration = replace(plans.configuration("2d"), spacing=(8.0, 8.0, 8.0))

    def prepared(steps: Preparation) -> StoredCase:
        return preprocess_case(case, prior, replace(plans, preparation=steps), configuration)

    usual, native = prepared(Preparation()), prepared(Preparation(resampling=False))
    ratio = native.labels.size / usual.labels.size
    assert ratio == pytest.approx(8, rel=0.15)
    fixed = prepared(Preparation(fixed_scale=(0.0, 1000.0)))
    inside = fixed.labels > 0
    assert usual.image[0][inside].std() > 0.8 and fixed.image[0][inside].std() < 0.1


def test_n4_takes_the_field_out_of_training_cases(
    planned_home: Path, plans: Plans, miniature: Any, tmp_path: Path
) -> None:
    brain = miniature.brain(0)
    ramp = np.linspace(0.7, 1.3, len(brain.image))[:, None, None]
    miniature.write(tmp_path / "a_0000.nii.gz", np.where(brain.labels > 0, brain.image * ramp, 0))
    prior = np.where(brain.labels > 0, brain.labels + 10, 0).astype(np.uint8)
    miniature.write(tmp_path / "priors" / "a.nii.gz", prior)
    [case] = find_cases(tmp_path)

    def slope(steps: Preparation) -> float:
        """Of white matter's intensity, between the means of the upper and the lower half."""
        planned = replace(plans, preparation=steps)
        stored = preprocess_case(
            case, tmp_path / "priors" / "a.nii.gz", planned, plans.configuration("2d")
        )
        image, white = stored.image[0], stored.labels[:] == 3
        half = len(white) // 2
        return float(image[half:][white[half:]].mean() - image[:half][white[:half]].mean())

    usual, corrected = slope(Preparation()), slope(Preparation(bias_correction=True))
    assert usual > 0.3 and abs(corrected) < 0.5 * usual


def test_heads_are_masked_by_the_tool_of_the_plan(
    planned_home: Path, plans: Plans, miniature: Any, tmp_path: Path, fake_tools: Path
) -> None:
    head, inside = miniature.head(1)
    miniature.write(tmp_path / "a_0000.nii.gz", head)
    [case] = find_cases(tmp_path)
    miniature.write(tmp_path / "p" / "a.nii.gz", np.where(inside, 13, 0).astype(np.uint8))
    planned = replace(plans, brain_mask_tool="hd-bet")
    configuration = plans.configuration("2d")
    preprocess_case(case, tmp_path / "p" / "a.nii.gz", planned, configuration)
    assert not fake_tools.exists()  # the label map knows better
    atlas = replace(planned, prior="atlas", label_mapping={})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            healthy, "atlas_tissues", lambda _, __, brain, *more: 3 * brain.astype(np.uint8)
        )
        stored = preprocess_case(case, None, atlas, configuration)
    assert fake_tools.read_text().count("hd-bet -i") == 1
    assert (stored.labels == 3).sum() == pytest.approx(inside.sum(), rel=0.01)


def test_tissues_may_come_from_an_estimator(planned_home: Path, plans: Plans) -> None:
    raw = read_dataset(planned_home / "raw" / NAME)
    case = raw.training_cases()[0]
    asked = []

    def estimate(images: Any, brain: np.ndarray, spacing: Any) -> np.ndarray:
        asked.append((len(images), images[0].shape, spacing))
        labels = np.zeros(brain.shape, np.uint8)
        labels[: brain.shape[0] // 2] = 3
        labels[brain.shape[0] // 2 :, 10:] = 2
        return labels

    given = replace(plans, prior="encoder", label_mapping={})
    configuration = plans.configuration("2d")
    stored = preprocess_case(case, None, given, configuration, tissue_estimator=estimate)
    usual = preprocess_case(case, raw.prior_path(case.name), plans, configuration)
    assert asked == [(1, stored.labels.shape, configuration.spacing)]
    brain = usual.labels > 0
    np.testing.assert_array_equal(stored.labels > 0, brain)  # what it left open is fluid
    half = brain.shape[0] // 2
    assert set(np.unique(stored.labels[:half][brain[:half]])) == {3}
    assert set(np.unique(stored.labels[half:][brain[half:]])) == {1, 2}
    with pytest.raises(PlanError, match="none is there: plan it again .*--prior atlas"):
        preprocess_case(case, None, given, configuration)


def test_the_atlas_is_registered_as_the_plan_says(planned_home: Path, plans: Plans) -> None:
    case = read_dataset(planned_home / "raw" / NAME).training_cases()[0]
    asked: list[Any] = []

    def sight(images: Any, brain: np.ndarray, spacing: Any) -> Any:
        asked.append((len(images), images[0].shape == brain.shape, spacing))
        return "anatomies"

    def tissues(array: Any, spacing: Any, brain: np.ndarray, *how: Any) -> np.ndarray:
        asked.append(how)
        return 2 * brain.astype(np.uint8)

    given = replace(plans, prior="atlas", label_mapping={}, atlas_registration="both")
    configuration = plans.configuration("2d")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(healthy, "atlas_tissues", tissues)
        stored = preprocess_case(case, None, given, configuration, atlas_sight=sight)
        assert asked == [(1, True, configuration.spacing), ("both", "anatomies")]
        assert set(np.unique(stored.labels)) == {0, 2}
        asked.clear()
        plain = replace(given, atlas_registration="intensity")
        preprocess_case(case, None, plain, configuration, atlas_sight=sight)
        assert asked == [("intensity", None)]
        with pytest.raises(PlanError, match="none is there: plan it again .* intensity"):
            preprocess_case(case, None, given, configuration)


def no_grey(images: Any, brain: np.ndarray, spacing: Any) -> np.ndarray:
    return np.where(np.cumsum(brain, axis=0) % 2, 1, 3).astype(np.uint8)


def test_an_implausible_anatomy_is_left_out(planned_home: Path, plans: Plans) -> None:
    raw = read_dataset(planned_home / "raw" / NAME)
    case = raw.training_cases()[0]
    given = replace(plans, prior="encoder", label_mapping={})
    with pytest.raises(
        ImplausibleError, match=r"h0_0000.nii.gz is not understood .*grey is missing.*--prior atlas"
    ):
        preprocess_case(case, None, given, plans.configuration("2d"), tissue_estimator=no_grey)
