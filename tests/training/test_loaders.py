"""Batches of rendered brains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.plans import Plans, load_json
from disanat.training.loaders import Renderer

NAMES = ("h0", "h1")


@pytest.fixture(scope="module")
def folder(planned_home: Path) -> Path:
    return planned_home / "preprocessed" / "Dataset005_Mini"


@pytest.fixture(scope="module")
def plans(folder: Path) -> Plans:
    return load_json(folder / "plans.json", Plans)


def draw(folder: Path, plans: Plans, configuration: Any, seed: int = 0, **how: Any) -> Any:
    return Renderer(folder / "2d", NAMES, plans, configuration, seed, **how).batch(0)


@pytest.mark.parametrize("axis", ["S", "P", "L"])
def test_slices_come_as_pairs_of_one_brain(folder: Path, plans: Plans, axis: str) -> None:
    configuration = replace(plans.configuration("2d"), slice_axis=axis, context_slices=1)
    batch = draw(folder, plans, configuration)
    patch, size = configuration.patch_size, configuration.batch_size
    assert batch["image"].shape == (size, 3, *patch)
    assert batch["labels"].shape == batch["lesion"].shape == (size, *patch)
    assert batch["healthy"].shape == (size, 1, *patch) and batch["theta"].shape == (size, 3)
    np.testing.assert_array_equal(batch["labels"][::2], batch["labels"][1::2])
    np.testing.assert_array_equal(batch["lesion"][::2], batch["lesion"][1::2])
    assert np.abs(batch["image"][::2] - batch["image"][1::2]).mean() > 0.1
    assert batch["labels"].dtype == np.int64 and set(np.unique(batch["labels"])) <= {0, 1, 2, 3}
    assert np.isfinite(batch["image"]).all()
    assert not batch["lesion"][batch["labels"] == 0].any()


def test_blocks_in_3d(folder: Path, plans: Plans) -> None:
    configuration = replace(
        plans.configuration("2d"), dimension=3, context_slices=0, patch_size=(16, 24, 20),
        batch_size=2,
    )  # fmt: skip
    batch = draw(folder, plans, configuration)
    assert batch["image"].shape == (2, 1, 16, 24, 20)
    assert batch["labels"].shape == (2, 16, 24, 20)
    np.testing.assert_array_equal(batch["labels"][0], batch["labels"][1])
    assert (batch["labels"] > 0).mean() > 0.3


def test_seeds_decide(folder: Path, plans: Plans) -> None:
    configuration = plans.configuration("2d")
    first, again, other = (draw(folder, plans, configuration, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["image"], again["image"])
    assert np.abs(first["image"] - other["image"]).max() > 0.5


def test_a_slice_bears_its_own_labels(folder: Path, plans: Plans) -> None:
    """Undeformed, the middle of the context is the labelled slice: white and grey differ in it."""
    configuration = replace(plans.configuration("2d"), batch_size=32)
    batch = draw(folder, plans, configuration, deform=False)
    middle = batch["image"][:, batch["image"].shape[1] // 2]
    shown = (batch["labels"] > 0) & (middle > -4)
    assert shown.sum() / (batch["labels"] > 0).sum() > 0.85
    assert (middle[batch["labels"] == 0] > -4).mean() < 0.15
    np.testing.assert_array_equal(batch["healthy"][:, 0][batch["labels"] == 0], -4)


def test_t1_only_shows_the_scans_as_they_are(folder: Path, plans: Plans) -> None:
    apart = {}
    for names in ((), ("t1_only",)):
        configuration = replace(plans.configuration("2d"), ablations=names)
        batch = draw(folder, plans, configuration)
        apart[names] = np.abs(batch["theta"][::2] - batch["theta"][1::2]).max()
    assert apart[("t1_only",)] < 0.5 < apart[()]


def test_free_contrasts_leave_the_signal_equations_out(
    folder: Path, plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    free = "disanat.synthesis.render.free_table"
    monkeypatch.setattr("disanat.synthesis.render.physics_table", lambda *_: drawn.append(1))
    draw(folder, plans, replace(plans.configuration("2d"), ablations=("free_contrasts",)))
    assert not drawn
    monkeypatch.setattr(free, lambda *_: drawn.append(1))
    with pytest.raises(TypeError):
        draw(folder, plans, plans.configuration("2d"))
    assert drawn


def test_methods_that_learn_from_healthy_samples_get_no_lesion(folder: Path, plans: Plans) -> None:
    configuration = plans.configuration("2d")
    source = Renderer(folder / "2d", NAMES, plans, configuration, 0, lesions=False)
    assert not any(source.batch(number)["lesion"].any() for number in range(6))
    source = Renderer(folder / "2d", NAMES, plans, configuration, 0)
    assert any(source.batch(number)["lesion"].any() for number in range(6))


def test_a_batch_is_decided_by_its_number_alone(folder: Path, plans: Plans) -> None:
    source = Renderer(folder / "2d", NAMES, plans, plans.configuration("2d"), 0)
    np.random.seed(7)
    expected = np.random.RandomState(7).rand(3)
    forwards = [source.batch(number)["image"] for number in range(3)]
    np.testing.assert_array_equal(np.random.rand(3), expected)  # the generator is left alone
    backwards = [source.batch(number)["image"] for number in (2, 1, 0)]
    np.testing.assert_array_equal(forwards, backwards[::-1])
    assert np.abs(forwards[0] - forwards[1]).max() > 0.5


@pytest.mark.parametrize(("ablations", "shown"), [((), True), (("t1_only",), False)])
def test_vessels_are_shown_unless_scans_are_to_be_as_they_are(
    folder: Path,
    plans: Plans,
    ablations: tuple[str, ...],
    shown: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def spy(_rng: object, tissue: np.ndarray, *_others: object) -> None:
        asked.append(tissue.shape)

    monkeypatch.setattr("disanat.training.loaders.draw_vessels", spy)
    draw(folder, plans, replace(plans.configuration("2d"), ablations=ablations))
    assert bool(asked) == shown
